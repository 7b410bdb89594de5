"""Who has agreed: only approvals that hold, by people who may, and given knowing what is known."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from pratique.deploy.plan import make_plan
from pratique.deploy.quorum import Rule
from pratique.errors import AwaitingApprovalError, ConfigError, CouldNotCheckError, PolicyRefusedError
from pratique.flow.artifact import Artifact
from pratique.flow.consent import Proposal, approve, consent_to, person_of
from pratique.flow.deploy import deploy
from pratique.flow.environment_config import EnvironmentConfig
from pratique.model import predicate
from pratique.model.clock import format_time
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State
    from pratique.model.digest import Digest

ARTIFACT = sha256_bytes(b"an artifact")  # as in conftest.py
DECISION = sha256_bytes(b"a decision")


def proposal(state: State, decision: Digest = DECISION, **config: Any) -> Proposal:
    quorum = config.pop("quorum", (Rule("approver", 2),))
    plan = make_plan(
        environment="app.production",
        path=str(state.folder / "home" / "deployed"),
        artifact_name="app-1.whl",
        artifact=ARTIFACT,
    )
    return Proposal(
        environment="app.production",
        config=EnvironmentConfig(kind="directory", path="deployed", quorum=quorum, **config),
        artifact=Artifact("app-1.whl", ARTIFACT),
        decision=decision,
        plan=plan,
    )


def agree(state: State, key: Path, **changes: Any) -> Digest:
    wanted = proposal(state, **changes)
    return approve(state.workspace, wanted, str(key), ask=lambda _: b"wrong")[1]


def missing(state: State, **changes: Any) -> list[str]:
    return [str(item) for item in consent_to(state.workspace, proposal(state, **changes)).quorum.missing]


def test_two_people_agree(state: State) -> None:
    state.provenance()
    for name in ("ada", "grace"):
        agree(state, state.enrol(name))
    consent = consent_to(state.workspace, proposal(state))
    assert consent.quorum.met
    assert sorted(ballot.approval.person for ballot in consent.counted) == ["ada", "grace"]


def test_one_person_agreeing_twice_is_one(state: State) -> None:
    state.provenance()
    ada = state.enrol("ada")
    agree(state, ada)
    agree(state, ada)
    assert missing(state) == ["1 more with role approver (nobody enrolled is left to ask)"]


def test_an_approval_expires(state: State) -> None:
    state.provenance()
    for name in ("ada", "grace"):
        agree(state, state.enrol(name), approval_hours=2)
    state.clock.now += dt.timedelta(hours=2, seconds=1)
    consent = consent_to(state.workspace, proposal(state))
    assert not consent.quorum.met
    assert all("expired 2026-11-23T14:00:00Z" in item.reason for item in consent.excluded)


def test_a_role_that_nobody_has(state: State) -> None:
    state.provenance()
    agree(state, state.enrol("ada"))
    rules = (Rule("pope", 1),)
    assert missing(state, quorum=rules) == ["1 more with role pope (nobody enrolled is left to ask)"]


def test_an_author_cannot_approve(state: State) -> None:
    state.provenance()
    key = state.enrol("dana")
    with pytest.raises(PolicyRefusedError, match=r"dana is an author of the source \(Dana <dana@app"):
        agree(state, key)
    assert not state.workspace.journal.find(predicate_type=predicate.APPROVAL)


def test_approvals_that_cannot_count_stop_nobody(state: State) -> None:
    """A stranger's, one that is none, and one that the disk has spoilt."""
    state.provenance()
    ada, grace = state.enrol("ada"), state.enrol("grace")
    agree(state, ada)
    now = format_time(state.clock.now)
    state.sign(state.key("stranger"), predicate.APPROVAL, {"person": "ada", "approvedAt": now})
    state.sign(ada, predicate.APPROVAL, {"nothing": "of the kind"})
    spoilt = agree(state, grace)
    state.damage(spoilt)
    state.workspace = state.reopened()
    assert missing(state) == ["1 more with role approver (grace)"]
    assert person_of(state.workspace, spoilt) == f"{spoilt.short} (no longer valid)"
    agree(state, grace)
    assert missing(state) == []


def rolled_back(state: State, **fields: Any) -> None:
    """Journal that the environment was rolled back from the artifact to another."""

    def reference(name: str) -> dict[str, Any]:
        return {"digest": sha256_bytes(name.encode()).digest_set}

    body: dict[str, Any] = {
        "deploymentId": "sha256:" + "0" * 64,
        "environment": "app.production",
        "action": "rollback",
        "phase": "live",
        "requester": "x",
        "decision": reference("d"),
        "approvals": [],
        "plan": reference("p"),
        "previous": {"digest": ARTIFACT.digest_set},
        "target": {"kind": "directory", "path": "/x"},
        "startedOn": format_time(state.clock.now),
        **fields,
    }
    state.record("deployer", predicate.DEPLOYMENT, body)


def test_approvals_from_before_a_roll_back_are_void(state: State) -> None:
    state.provenance()
    ada, grace = state.enrol("ada"), state.enrol("grace")
    agree(state, ada)
    rolled_back(state)
    agree(state, grace)  # in the same second: the log's order decides
    consent = consent_to(state.workspace, proposal(state))
    assert [ballot.approval.person for ballot in consent.counted] == ["grace"]
    (excluded,) = consent.excluded
    assert excluded.reason == (
        "the approval of ada was given before app.production was rolled back from it, 2026-11-23T12:00:00Z"
    )
    agree(state, ada)
    assert missing(state) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": "app.staging"},
        {"phase": "failed"},
        {"phase": "rolling-out"},
        {"action": "deploy"},
        {"previous": None},
        {"previous": {"digest": DECISION.digest_set}},
    ],
)
def test_other_records_void_nothing(state: State, fields: dict[str, Any]) -> None:
    state.provenance()
    for name in ("ada", "grace"):
        agree(state, state.enrol(name))
    rolled_back(state, **fields)
    assert missing(state) == []


def test_a_source_without_authors_cannot_be_judged(state: State) -> None:
    body: dict[str, Any] = {
        "buildDefinition": {"resolvedDependencies": [{"annotations": {"kind": "source"}}]},
        "runDetails": {"builder": {"id": "x"}},
    }
    state.record("builder", predicate.PROVENANCE, body)
    with pytest.raises(CouldNotCheckError, match="without authors"):
        agree(state, state.enrol("ada"))


def test_nothing_is_deployed_without_consent(state: State) -> None:
    state.provenance()
    agree(state, state.enrol("ada"))
    with pytest.raises(AwaitingApprovalError, match="1 more with role approver") as caught:
        deploy(state.workspace, proposal(state))
    assert caught.value.hint == "each of them: pratique approve --key FILE"
    assert not (state.folder / "home" / "deployed").exists()
    assert not state.workspace.journal.find(predicate_type=predicate.DEPLOYMENT)


def test_keys_that_cannot_be_used(state: State) -> None:
    state.provenance()
    key = state.enrol("ada")
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="others than its owner") as caught:
        agree(state, key)
    assert caught.value.hint == f"chmod 600 {key}"
    with pytest.raises(ConfigError, match="cannot be read"):
        agree(state, state.folder / "no.key")
