"""Whose policies hold for a project, where they are looked for, and what the decision says of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError
from pratique.flow.artifact import Artifact
from pratique.flow.consent import propose
from pratique.flow.gate import gate, load_decision
from pratique.flow.policy import ORGANISATION_FILE, organisations_of, policy_of
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from conftest import State

ACME = b'name = "acme"\n[trust]\nrequire.sbom = {threshold = 2}\n'
ARTIFACT = Artifact("app-1.whl", sha256_bytes(b"an artifact"))


def names(state: State, **policy: Any) -> list[str]:
    return [item.name for item in organisations_of(state.workspace, state.project(**policy))]


def test_an_organisation_is_set_by_the_machine_the_state_directory_or_the_project(state: State) -> None:
    assert names(state) == []
    (state.folder / "ours.toml").write_bytes(ACME)
    assert names(state, organisation="ours.toml") == ["acme"]
    (state.workspace.home / ORGANISATION_FILE).write_bytes(ACME.replace(b"acme", b"home"))
    assert names(state, organisation="ours.toml") == ["home", "acme"]
    (state.folder / "machine.toml").write_bytes(ACME.replace(b"acme", b"machine"))
    state.workspace.organisation = state.folder / "machine.toml"
    assert names(state) == ["machine", "home"]
    assert policy_of(state.workspace, state.project()).requirements.require["sbom"].threshold == 2


def test_an_organisation_that_is_named_and_not_there_is_an_error(state: State) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        policy_of(state.workspace, state.project(organisation="absent.toml"))
    state.workspace.organisation = state.folder / "gone.toml"
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read"):
        policy_of(state.workspace, state.project())


def test_a_project_cannot_weaken_it_and_can_ask_for_more(state: State) -> None:
    (state.workspace.home / ORGANISATION_FILE).write_bytes(ACME)
    more = state.project(trust={"require": {"sbom": {"threshold": 3}}})
    assert policy_of(state.workspace, more).requirements.require["sbom"].threshold == 3
    for laxer in ({"trust": {"require": {"sbom": {"threshold": 1}}}}, {"mode": "warn"}):
        with pytest.raises(ConfigError, match="policy of acme: the project would weaken it"):
            policy_of(state.workspace, state.project(**laxer))


def test_of_two_organisations_neither_may_weaken_the_other(state: State) -> None:
    (state.workspace.home / ORGANISATION_FILE).write_bytes(ACME)
    (state.folder / "lax.toml").write_bytes(b'name = "lax"\n[trust]\nrequire.sbom = {threshold = 1}\n')
    with pytest.raises(ConfigError, match=r"require\.sbom\.threshold is 2, and would become 1"):
        policy_of(state.workspace, state.project(organisation="lax.toml"))


def test_the_decision_names_the_organisation_and_its_digest(state: State) -> None:
    (state.workspace.home / ORGANISATION_FILE).write_bytes(ACME)
    decided = gate(state.workspace, state.project(), ARTIFACT)
    (used,) = decided.decision.organisations
    assert (used.name, used.digest) == ("acme", str(sha256_bytes(ACME)))
    again = load_decision(state.workspace, state.workspace.verify(decided.evidence))
    assert json.loads(again.encode())["policy"]["organisations"] == [{"name": "acme", "digest": used.digest}]


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_refusal_that_is_not_enforced_is_a_refusal_still(state: State, mode: str) -> None:
    decided = gate(state.workspace, state.project(mode=mode), ARTIFACT)
    assert (decided.decision.decision, decided.decision.stops) == ("deny", False)
    vsa = state.workspace.verify(decided.evidence).statement.predicate
    assert vsa["verificationResult"] == "FAILED"


def test_approvals_that_the_policy_asks_for_are_added_to_the_environments(state: State) -> None:
    owed = {"approvals": {"*.production": [{"role": "approver", "count": 2}, {"role": "release"}]}}
    asked = state.project(trust=owed)
    decision = gate(state.workspace, asked, ARTIFACT).evidence
    quorum = propose(state.workspace, asked, None, ARTIFACT, decision).config.quorum
    assert sorted((rule.role, rule.count) for rule in quorum) == [
        ("approver", 1),
        ("approver", 1),
        ("release", 1),
    ]


def test_what_is_not_the_files_to_say_is_refused(state: State) -> None:
    for trust in ({"mode": "warn"}, {"trust_domain": "evil.example"}):
        with pytest.raises(ConfigError, match="has no place here"):
            state.project(trust=trust)
    with pytest.raises(ConfigError, match="whole policy"):
        state.project(folder="policy", mode="warn")
