"""Evidence by the wrong people, and evidence that the disk has spoilt, stop nobody but themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, PolicyRefusedError, UsageError
from pratique.flow.account import export_audit, report, verify_audit
from pratique.flow.artifact import Artifact
from pratique.flow.attest import attest, examine, make_claim
from pratique.flow.evidence import gather, newest
from pratique.model import predicate
from pratique.model.digest import sha256_bytes
from pratique.policy.engine.regorus import RegorusEngine
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State
    from pratique.model.digest import Digest

ARTIFACT = sha256_bytes(b"an artifact")  # as in conftest.py
APP = Artifact("app-1.whl", ARTIFACT)
KINDS = sorted(predicate.SHORT_NAMES.values())


def found(state: State) -> Digest | None:
    item = newest(state.workspace, predicate.REBUILD, "rebuilder", lambda _: True, ARTIFACT)
    return item.digest if item else None


def test_only_the_role_itself_is_believed(state: State) -> None:
    ada = state.enrol("ada")
    state.sign(ada, predicate.REBUILD, {"verdict": "bit-identical"})
    state.record("scanner", predicate.REBUILD, {"verdict": "bit-identical"})
    assert found(state) is None
    own = state.record("rebuilder", predicate.REBUILD, {"verdict": "different"})
    state.record("builder", predicate.REBUILD, {"verdict": "bit-identical"})
    state.sign(ada, predicate.REBUILD, {"verdict": "bit-identical"})
    assert found(state) == own


def test_spoilt_evidence_is_passed_over_and_told_of(state: State) -> None:
    older = state.record("rebuilder", predicate.REBUILD, {"verdict": "different"})
    newer = state.record("rebuilder", predicate.REBUILD, {"verdict": "bit-identical"})
    state.damage(newer)
    state.workspace = state.reopened()
    assert found(state) == older
    (rejected,) = gather(state.workspace, ARTIFACT).rejected
    assert rejected.digest == newer
    assert "is damaged" in rejected.reason


def test_spoilt_enrolments_are_what_is_wrong_and_not_the_evidence(state: State) -> None:
    """Else everything would look like forged evidence, be done again, and be refused."""
    state.enrol("ada")
    state.record("rebuilder", predicate.REBUILD, {"verdict": "bit-identical"})
    (enrolment,) = state.workspace.journal.find(predicate_type=predicate.ENROLMENT)
    state.damage(enrolment.digest)
    state.workspace = state.reopened()
    with pytest.raises(EvidenceInvalidError, match=enrolment.digest.hex):
        found(state)
    with pytest.raises(EvidenceInvalidError, match=enrolment.digest.hex):
        gather(state.workspace, ARTIFACT)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_stranger_signed_breaks_nothing(state: State, tmp_path: Path, kind: str) -> None:
    """It cannot be journalled with `attest`; another program with the journal at hand could."""
    state.provenance()
    evidence = state.sign(state.key("stranger"), kind, {"person": "ada"})
    ada = state.enrol("ada")
    if kind != predicate.APPROVAL:  # an approval by ada that is none is no stranger's doing
        state.sign(ada, kind, {"person": "ada"})
    state.workspace = state.reopened()

    assert [key.person for key in state.workspace.community.keys.values()] == ["ada"]
    assert evidence in {item.digest for item in gather(state.workspace, ARTIFACT).rejected}
    written = report(state.workspace, APP, tmp_path / "report.html")
    assert written.evidence >= 1
    exported = export_audit(state.workspace, [APP], tmp_path / "app.audit")
    assert evidence in exported.left_out
    verify_audit(tmp_path / "app.audit", state.workspace.root.fingerprint, RegorusEngine())


def test_a_report_of_nothing_is_refused(state: State, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no evidence is about {ARTIFACT}"):
        report(state.workspace, APP, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def claim(state: State, key: Path, kind: str) -> Digest:
    about = make_claim([Subject(APP.name, APP.digest.digest_set)], kind, {"answer": 42})
    return attest(state.workspace, about, str(key), lambda _: b"")


def test_attesting(state: State) -> None:
    evidence = claim(state, state.enrol("ada"), "https://app.example/claim/v1")
    verified = state.workspace.verify(evidence)
    assert verified.statement.predicate == {"answer": 42}
    assert state.workspace.community.name_of(verified.signer) == "ada"


@pytest.mark.parametrize("kind", ["nope", "", "x://y\n", "x://y z", "://y", "x://" + "y" * 501])
def test_attesting_under_no_type(state: State, kind: str) -> None:
    with pytest.raises(UsageError, match="no predicate type is called"):
        claim(state, state.enrol("ada"), kind)


def test_attesting_by_those_who_cannot(state: State) -> None:
    state.enrol("ada")
    size = len(state.workspace.journal.find())
    with pytest.raises(PolicyRefusedError, match="is not enrolled") as caught:
        claim(state, state.key("stranger"), "x://y")
    assert "stranger.key.pub" in caught.value.hint
    for kind in ("enrolment", "approval"):
        with pytest.raises(UsageError, match="is not made by hand"):
            claim(state, state.key("ada"), kind)
    state.enrol("ada", until=state.clock.now)
    with pytest.raises(PolicyRefusedError, match="is not enrolled now"):
        claim(state, state.key("ada"), "x://y")
    assert len(state.workspace.journal.find()) == size + 1


def test_an_error_names_the_file_that_was_looked_at(state: State, tmp_path: Path) -> None:
    with pytest.raises(EvidenceInvalidError, match=r"^some/file: bundle .* step 1 \(bundle\)"):
        examine(state.workspace, b"garbage", what="some/file")
    (tmp_path / "garbage").write_bytes(b"x" * 600)
    with pytest.raises(EvidenceInvalidError, match=r"garbage: audit package: step"):
        verify_audit(tmp_path / "garbage", ARTIFACT, RegorusEngine())
