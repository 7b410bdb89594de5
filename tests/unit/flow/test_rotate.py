"""Rotation: new keys, old evidence at its time, and a way from the old root to the new one."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, InfrastructureError, SignatureInvalidError, UsageError
from pratique.flow.rotate import ALL, Plan, foresee_rotation, rotate
from pratique.model import predicate
from pratique.model.digest import sha256_bytes
from pratique.report.audit.former import former_links
from pratique.testing.authority import MemoryLog
from pratique.trust.note import verify_checkpoint
from pratique.trust.root import parse_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.succession import Link, follow, rotation_statement
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest


ARTIFACT = sha256_bytes(b"an artifact")
SUBJECT = Subject("app-1.whl", ARTIFACT.digest_set)


def later(state: State, **amount: float) -> dt.datetime:
    state.clock.now += dt.timedelta(**amount)
    return state.clock.now


def claim(workspace: Workspace) -> Digest:
    return workspace.record("builder", predicate.PROVENANCE, {"by": "a test"}, [SUBJECT]).digest


@pytest.mark.parametrize("names", [ALL, ("ca",), ("tsa",), ("ctlog",), ("log",), ("ca", "log")])
def test_old_and_new_evidence_verify_and_the_log_goes_on(state: State, names: tuple[str, ...]) -> None:
    old = claim(state.workspace)
    keys = state.folder / "home/trust/keys"
    before = {path.name: path.read_bytes() for path in keys.iterdir()}
    later(state, hours=1)
    done = rotate(state.workspace, Plan(names))
    after = {path.name: path.read_bytes() for path in keys.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {f"{name}.pem" for name in names}
    assert before.keys() == after.keys()
    assert {path.name for path in keys.parent.iterdir()} == {"keys", "trusted_root.json"}

    workspace = state.reopened()
    later(state, minutes=1)
    new = claim(workspace)
    assert workspace.root.fingerprint == done.new != done.old
    for digest in (old, new, done.evidence):
        assert digest is not None
        assert workspace.verify(digest).digest == digest
    assert workspace.journal.verify().size == workspace.journal.head().size == 3
    with pytest.raises(SignatureInvalidError):  # the old root knows nothing of the new keys
        verify_bundle(workspace.journal.get(new), state.workspace.root)


def test_what_an_old_key_signs_after_its_end_is_refused(state: State) -> None:
    stolen = state.workspace.authority
    later(state, hours=1)
    rotate(state.workspace, Plan(("ca",)))
    later(state, minutes=1)
    workspace = state.reopened()
    forged = stolen.signer("builder").sign(Statement((SUBJECT,), predicate.PROVENANCE, {}))
    (recorded,) = workspace.journal.append([forged])
    with pytest.raises(SignatureInvalidError, match="no certificate authority of the trusted root issued"):
        workspace.verify(recorded.digest)


def test_a_workspace_that_was_open_records_nothing_more(state: State) -> None:
    other = state.reopened()
    later(state, hours=1)
    rotate(state.workspace, Plan(("tsa",)))
    for stale in (other, state.workspace):
        with pytest.raises(InfrastructureError, match="replaced while this ran"):
            claim(stale)


def test_the_same_head_has_both_signatures(state: State) -> None:
    claim(state.workspace)
    later(state, hours=1)
    rotate(state.workspace, Plan())
    workspace = state.reopened()
    note = workspace.journal.checkpoint()
    assert note.count("\u2014 pratique.local ") == 2
    new, old = workspace.authority.log_key.public_key(), state.workspace.authority.log_key.public_key()
    assert verify_checkpoint(note, "pratique.local", new) == verify_checkpoint(note, "pratique.local", old)
    later(state, minutes=1)
    claim(workspace)
    assert workspace.journal.checkpoint().count("\u2014 pratique.local ") == 1


def test_a_clock_behind_the_evidence_is_refused(state: State) -> None:
    later(state, hours=2)
    claim(state.workspace)
    later(state, hours=-1)
    for act in (rotate, foresee_rotation):
        with pytest.raises(UsageError, match="it would no longer count") as caught:
            act(state.workspace, Plan())
        assert caught.value.hint == "set the clock right"
    assert state.reopened().root.fingerprint == state.workspace.root.fingerprint
    later(state, hours=2)
    claim(state.reopened())


def test_a_clock_before_the_new_keys_signs_nothing(state: State) -> None:
    later(state, days=400)
    rotate(state.workspace, Plan(("ctlog",)))
    later(state, days=-400)
    with pytest.raises(InfrastructureError, match="what is signed now would never verify"):
        claim(state.reopened())


def test_a_key_that_never_counted_is_not_replaced(state: State) -> None:
    with pytest.raises(UsageError, match="began to count at"):
        rotate(state.workspace, Plan(("log",)))
    claim(state.reopened())


def test_a_dry_run_changes_nothing(state: State) -> None:
    later(state, hours=1)
    files = [path for path in (state.folder / "home").rglob("*") if path.is_file()]
    before = {path: path.read_bytes() for path in files if path.suffix != ".sqlite-shm"}
    foreseen = foresee_rotation(state.workspace, Plan(("ca", "log")))
    assert foreseen.new is None
    assert list(foreseen.replaced) == ["ca", "log"]
    after = {p: p.read_bytes() for p in before}
    assert before == after


def test_old_keys_are_kept_where_asked(state: State, tmp_path: Path) -> None:
    keys = state.folder / "home/trust/keys"
    old = {name: (keys / f"{name}.pem").read_bytes() for name in ("ca", "log")}
    later(state, hours=1)
    kept = tmp_path / "offline"
    rotate(state.workspace, Plan(("ca", "log"), keep=kept))
    assert {path.stem: path.read_bytes() for path in kept.iterdir()} == old
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept.iterdir())
    with pytest.raises(UsageError, match="is there already"):
        rotate(state.reopened(), Plan(keep=kept))


def test_unknown_names_are_told(state: State) -> None:
    with pytest.raises(UsageError, match="no key 'cb'"):
        rotate(state.workspace, Plan(("cb",)))
    with pytest.raises(UsageError, match="a new key is named"):
        rotate(state.workspace, Plan(("ca",), {"log": "file:x"}))


def links(workspace: Workspace) -> dict[Digest, Link]:

    return former_links(workspace.root, journal=workspace.journal, blobs=workspace.blobs)


def test_every_former_fingerprint_leads_to_the_newest(state: State) -> None:
    fingerprints = [state.workspace.root.fingerprint]
    for names in (("ca",), ALL, ("tsa", "log")):
        later(state, days=1)
        rotate(state.reopened(), Plan(names))
        fingerprints.append(state.reopened().root.fingerprint)
    workspace = state.reopened()
    chain = links(workspace)
    assert set(chain) == set(fingerprints[:-1])
    for steps, pinned in enumerate(reversed(fingerprints)):
        assert len(follow(pinned, workspace.root.data, chain)) == steps


def test_ways_that_lead_nowhere(state: State) -> None:
    pinned = state.workspace.root.fingerprint
    later(state, days=1)
    rotate(state.workspace, Plan())
    workspace = state.reopened()
    chain = links(workspace)
    newest = workspace.root.data
    with pytest.raises(SignatureInvalidError, match="no rotation leads from there"):
        follow(ARTIFACT, newest, chain)
    with pytest.raises(SignatureInvalidError, match="no rotation leads from there"):
        follow(pinned, newest, {})
    with pytest.raises(SignatureInvalidError, match="another one"):
        follow(pinned, newest, {pinned: Link(newest, chain[pinned].rotation)})
    with pytest.raises(SignatureInvalidError, match="no rotation leads from there"):
        follow(pinned, newest.replace(b"2026", b"2027"), chain)
    # somebody else of the old root names a root of their own
    old = parse_root(chain[pinned].root)

    statement = rotation_statement(old, newest, state.clock())
    state.clock.now = old.tlogs[0].valid_for.start
    signed = state.workspace.authority.signer("builder").sign(statement)

    bundle = MemoryLog(state.workspace.authority).append(signed)
    with pytest.raises(EvidenceInvalidError, match="may not name the next root"):
        follow(pinned, newest, {pinned: Link(chain[pinned].root, bundle)})
