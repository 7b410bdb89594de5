"""An organisation's policy as a signed release that a file pins: what holds then, and all that is refused."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import ConfigError, EvidenceInvalidError, PratiqueError
from pratique.flow.artifact import Artifact
from pratique.flow.gate import gate
from pratique.flow.organisation import load_organisation, read_pin
from pratique.flow.policy import ORGANISATION_FILE, policy_in_force, policy_of
from pratique.flow.policy_archive import ORGANISATION, POLICY, Kind, unpack
from pratique.flow.policy_fetch import Wanted, fetch_policy
from pratique.flow.policy_publish import make_release
from pratique.flow.policy_release import pulled_file
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model.digest import sha256_bytes
from pratique.policy.explain.words import explain, render
from pratique.policy.formats.markdown import write_markdown
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State

ACME = b'name = "acme"\n[data]\nvulns = {threshold = "low"}\n'
END = dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
ADMINISTRATOR = "spiffe://pratique.local/administrator"
ARTIFACT = Artifact("app-1.whl", sha256_bytes(b"an artifact"))


def released(workspace: Workspace, policy: bytes = ACME, kind: Kind = ORGANISATION) -> bytes:
    return make_release(
        workspace,
        policy,
        kind,
        name="acme/organisation",
        version="7",
        expires=END,
        key=None,
        ask=lambda _: b"",
    ).archive


def pin(state: State, archive: bytes, *, policy: bytes = ACME, **changes: str) -> Path:
    """Write the pin of an archive, as the file in the state directory, which holds for all work there."""
    home = state.workspace.home
    (home / "acme.tar").write_bytes(archive)
    table = {"path": "acme.tar", "digest": str(sha256_bytes(policy)), "signer": ADMINISTRATOR} | changes
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if value]
    (home / ORGANISATION_FILE).write_text("\n".join(["[bundle]", *lines, ""]))
    return home / ORGANISATION_FILE


def refused(state: State, kind: type[PratiqueError], said: str) -> None:
    """Nothing is decided, whatever else is configured: no policy, and so no decision."""
    before = state.workspace.journal.head().size
    with pytest.raises(kind, match=said):
        gate(state.workspace, state.project(), ARTIFACT)
    assert state.workspace.journal.head().size == before


def test_a_signed_release_holds_and_the_decision_names_it(state: State) -> None:
    pin(state, released(state.workspace))
    assert policy_of(state.workspace, state.project()).data.vulns.threshold == "low"
    with pytest.raises(ConfigError, match=r"policy of acme: the project would weaken it: vulns\.threshold"):
        policy_of(state.workspace, state.project(data={"vulns": {"threshold": "high"}}))
    decision = gate(state.workspace, state.project(), ARTIFACT).decision
    (used,) = decision.organisations
    assert (used.name, used.digest) == ("acme", str(sha256_bytes(ACME)))
    assert (used.signed_by, used.release) == (ADMINISTRATOR, "acme/organisation 7")
    said = f"acme (acme/organisation 7, signed by {ADMINISTRATOR}, sha256:"
    assert f"held to the policy of {said}" in render(explain(decision))
    assert f"- held to the policy of `{said}" in write_markdown(decision).decode()


def test_a_plain_file_is_called_unsigned_wherever_it_is_named(state: State) -> None:
    (state.workspace.home / ORGANISATION_FILE).write_bytes(ACME)
    decided = gate(state.workspace, state.project(), ARTIFACT)
    (used,) = decided.decision.organisations
    assert (used.signed_by, used.release) == ("", "")
    assert "the policy of acme is an unsigned file, and has no end" in decided.note
    assert "held to the policy of acme (an unsigned file, sha256:" in render(explain(decided.decision))
    assert "`acme (an unsigned file, sha256:" in write_markdown(decided.decision).decode()


@pytest.mark.parametrize(("days", "said"), [(15, ""), (14, "acme/organisation 7 expires in 14 days")])
def test_the_end_is_announced(state: State, days: int, said: str) -> None:
    pin(state, released(state.workspace))
    state.clock.now = END - dt.timedelta(days=days)
    notice = policy_in_force(state.workspace, state.project()).notice
    assert said in notice if said else notice == ""


def test_an_expired_release_decides_nothing(state: State) -> None:
    pin(state, released(state.workspace))
    state.clock.now = END
    assert policy_of(state.workspace, state.project())
    state.clock.now = END + dt.timedelta(seconds=1)
    refused(state, EvidenceInvalidError, "acme/organisation 7 expired at 2026-12-31T23:59:59Z")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": f"sha256:{'0' * 64}"}, "where sha256:000"),
        ({"signer": "spiffe://pratique.local/builder"}, "must sign"),
        ({"signer": f"key:sha256:{'0' * 64}"}, "must sign"),
    ],
)
def test_another_release_or_signer_than_pinned(state: State, changes: dict[str, str], said: str) -> None:
    pin(state, released(state.workspace), **changes)
    refused(state, EvidenceInvalidError, said)


def test_another_root_s_release_needs_that_root(state: State, tmp_path: Path) -> None:
    home = tmp_path / "theirs"
    init_trust(home, trust_domain="acme.example", clock=state.clock)
    archive = released(Workspace.open(home, clock=state.clock))
    signer = {"signer": "spiffe://acme.example/administrator"}
    pin(state, archive, **signer)
    refused(state, EvidenceInvalidError, "step")
    root = state.workspace.home / "acme-root.json"
    root.write_bytes((home / "trust" / "trusted_root.json").read_bytes())
    pin(state, archive, **signer, trusted_root=root.name)
    assert policy_of(state.workspace, state.project()).data.vulns.threshold == "low"


def test_an_unsigned_one_in_place_of_the_archive(state: State) -> None:
    pin(state, ACME)
    refused(state, EvidenceInvalidError, "acme.tar")


def test_a_policy_is_no_organisation_s_and_the_other_way_round(state: State) -> None:
    policy = shipped_bundle("high").encode()
    pin(state, released(state.workspace, policy, POLICY), policy=policy)
    refused(state, EvidenceInvalidError, "holds a policy, where an organisation's policy is pinned")
    (state.workspace.home / ORGANISATION_FILE).unlink()
    (state.folder / "acme.tar").write_bytes(released(state.workspace))
    bundle = {"path": "acme.tar", "digest": str(sha256_bytes(ACME)), "signer": ADMINISTRATOR}
    with pytest.raises(
        EvidenceInvalidError, match="holds an organisation's policy, where a policy is pinned"
    ):
        policy_of(state.workspace, state.project(bundle=bundle))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'name = "acme"\nmode = "off"\n',
        b'[bundle]\npath = "x"\n',
        shipped_bundle("high").encode(),
    ],
)
def test_a_signature_makes_no_policy_of_what_is_none(state: State, content: bytes) -> None:
    pin(state, released(state.workspace, content), policy=content)
    refused(state, EvidenceInvalidError, "acme.tar")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[bundle]\npath = 'a'\n", "missing required field `digest`"),
        (f"[bundle]\ndigest = 'sha256:{'0' * 64}'\nsigner = 'key:x'\n", "exactly one of path, oci"),
        ("[bundle]\npath = 'a'\ndigest = 'x'\nsigner = 'y'\n", "bundle.digest"),
        ("[bundle]\npaht = 'a'\ndigest = 'x'\nsigner = 'y'\n", "unknown field `paht`"),
        ("name = 'acme'\n[bundle]\npath = 'a'\ndigest = 'x'\nsigner = 'y'\n", "unknown field `name`"),
        ("bundle = 7\n", "Expected"),
    ],
)
def test_a_pin_that_does_not_hold_up(state: State, text: str, said: str) -> None:
    path = state.workspace.home / ORGANISATION_FILE
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_organisation(state.workspace, path)


def test_what_is_pinned_in_a_registry_is_read_from_where_it_was_pulled_to(state: State) -> None:
    archive = released(state.workspace)
    path = pin(state, archive, path="", oci=f"oci://registry.example/acme@sha256:{'0' * 64}")
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        policy_of(state.workspace, state.project())
    assert "pratique policy pull" in caught.value.hint
    wanted: dict[str, Any] = dict.fromkeys(("signer", "digest", "trusted_root", "key"))
    file = str(state.workspace.home / "acme.tar")
    fetched = fetch_policy(
        state.workspace, read_pin(path), Wanted(place=file, allow_tag=False, **wanted), None
    )
    assert fetched.path == pulled_file(state.workspace.home, sha256_bytes(ACME))
    assert policy_of(state.workspace, state.project()).data.vulns.threshold == "low"


def test_the_archive_says_what_it_holds(state: State) -> None:
    packed = unpack(released(state.workspace), "a")
    manifest = json.loads(packed.artifact.data)
    assert manifest["artifactType"] == "application/vnd.pratique.organisation.v1"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.pratique.organisation.v1+toml"
    assert packed.policy == ACME


def test_a_plain_file_pins_nothing(state: State) -> None:
    path = state.folder / "acme.toml"
    path.write_bytes(ACME)
    with pytest.raises(ConfigError, match="pins no release") as caught:
        read_pin(path)
    assert "policy bundle --organisation" in caught.value.hint
