"""A real package proves its chain, and says so in terms an auditor and a replay can use."""

from __future__ import annotations

import io
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.rotate import Plan, rotate
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate as p
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit.archive import open_package
from pratique.report.audit.export import write_package
from pratique.report.audit.verify import verify_package, verify_package_bytes
from pratique.report.chain import RuleStatus, StepKind
from pratique.report.evidence_fact import Outcome
from pratique.report.html import render_html
from pratique.report.ssdf import Status, evaluate_tasks
from pratique.testing.authority import SettableClock
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.statement import KeySigner
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import World


def test_it_proves_the_chain(package: bytes, released: World, made: dict[str, Digest]) -> None:
    result = verify_package_bytes(package, released.root.fingerprint)
    assert set(result.evidence) == set(made.values())
    kinds = ["approval", "deployment", "enrolment", "provenance", "rebuild", "runner-posture", "vsa"]
    assert result.counts == dict.fromkeys(kinds, 1)
    assert result.log_size == 7
    assert str(result.seal.signer) == "spiffe://pratique.local/administrator"
    assert result.tool_version == "0.1.0"
    (audit,) = result.artifacts
    assert audit.chain.artifact.digest == released.artifact
    assert audit.chain.artifact.name == "harbour-1.whl"
    assert [step.kind for step in audit.chain.steps] == [
        StepKind.RUNNER_CHECK,
        StepKind.BUILD,
        StepKind.REBUILD,
        StepKind.DECISION,
        StepKind.APPROVAL,
        StepKind.DEPLOYMENT,
    ]
    assert audit.chain.source is not None
    assert audit.chain.source.authors == ("lin@example.org",)
    assert [(e.environment, e.phase) for e in audit.chain.environments] == [("production", "live")]
    assert audit.chain.decisions[0].environment == "production"
    assert [r.status for r in audit.chain.decisions[0].results] == [RuleStatus.SUCCESS]
    assert result.warnings == (
        f"{released.artifact}: no evidence of sbom",
        f"{released.artifact}: no evidence of scan",
    )


def test_it_gives_what_a_replay_of_the_policy_needs(
    package: bytes, released: World, made: dict[str, Digest]
) -> None:
    (decision,) = verify_package_bytes(package, released.root.fingerprint).artifacts[0].decisions
    assert decision.policy == b'{"policy":1}'
    assert decision.input == b'{"input":1}'
    assert decision.vsa.digest == made["decision"]
    assert b'"decision":"allow"' in decision.decision
    assert [item.digest for item in decision.inputs] == [made["posture"], made["provenance"], made["rebuild"]]


def test_its_facts_carry_the_seal_and_the_people(package: bytes, released: World) -> None:
    facts = verify_package_bytes(package, released.root.fingerprint).artifacts[0].facts
    assert {fact.kind for fact in facts} >= {"audit-seal", "enrolment", "provenance", "deployment"}
    assert all(fact.outcome is Outcome.SUPPORTS for fact in facts)


def test_a_report_can_be_made_of_it(package: bytes, released: World, made: dict[str, Digest]) -> None:
    audit = verify_package_bytes(package, released.root.fingerprint).artifacts[0]
    tasks = evaluate_tasks(audit.facts)
    status = {result.task.id: result.status for result in tasks}
    assert status["PS.3.1"] is Status.EVIDENCED
    assert status["PO.5.2"] is Status.EVIDENCED
    assert status["PO.2.3"] is Status.DECLARATION_NEEDED
    page = render_html(audit.chain, tasks, generated_at=datetime(2026, 11, 23, tzinfo=UTC), version="0.1.0")
    assert str(made["deployment"]) in page
    assert "no evidence of components, scan" in page


def test_it_is_a_plain_tar_that_other_tools_read(package: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:") as archive:
        members = archive.getmembers()
        names = [member.name for member in members]
        assert names[:4] == ["manifest.json", "trusted_root.json", "checkpoint", "entries/000000000000"]
        assert names[-3:] == ["seal.consistency.json", "seal.sigstore.json", "SHA256"]
        assert {(m.mode, m.uid, m.gid, m.mtime, m.uname, m.isreg()) for m in members} == {
            (0o644, 0, 0, 0, "", True)
        }
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        assert sha256_bytes(manifest.read()) == open_package(package).manifest_digest
    at = package.rindex(b"SHA256\0")
    assert package[at + 512 : at + 577].decode() == sha256_bytes(package[:at]).hex + "\n"


def test_verifying_needs_the_file_alone_and_writes_nothing(
    package: bytes, released: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "audit.tar").write_bytes(package)
    folder.chmod(0o500)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("PRATIQUE_HOME", raising=False)
    result = verify_package(folder / "audit.tar", released.root.fingerprint)
    assert len(result.artifacts) == 1
    assert [path.name for path in folder.iterdir()] == ["audit.tar"]
    folder.chmod(0o700)


def test_a_file_that_is_not_there_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        verify_package(tmp_path / "none.tar", Digest("00" * 32))


def test_the_seal_is_in_the_journal_and_the_next_package_still_verifies(world: World, tmp_path: Path) -> None:
    world.release()
    world.export(tmp_path / "one.tar")
    assert len(world.journal.find(predicate_type=p.AUDIT_SEAL)) == 1
    world.export(tmp_path / "two.tar", with_artifacts=True)
    result = verify_package(tmp_path / "two.tar", world.root.fingerprint)
    assert result.artifacts[0].chain.artifact.size == 23
    assert result.log_size == 8


def test_an_artifact_without_evidence_is_not_exported(world: World, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no evidence about"):
        world.export(tmp_path / "none.tar")
    assert not (tmp_path / "none.tar").exists()


def test_a_claim_by_someone_not_entitled_does_not_count_and_is_warned_of(
    world: World, tmp_path: Path
) -> None:
    made = world.release()
    foreign = Statement(
        (Subject("harbour-1.whl", world.artifact.digest_set),), p.VSA, {"verificationResult": "PASSED"}
    )
    claimed = world.record(world.people["ada"], foreign)
    world.export(tmp_path / "audit.tar")
    result = verify_package(tmp_path / "audit.tar", world.root.fingerprint)
    assert any(str(claimed) in warning and "not by the verifier" in warning for warning in result.warnings)
    assert [d.vsa.digest for d in result.artifacts[0].decisions] == [made["decision"]]
    assert claimed not in {step.evidence for step in result.artifacts[0].chain.steps}


def test_evidence_by_a_key_nobody_enrolled_is_left_out(world: World, tmp_path: Path) -> None:
    world.release()
    mallory = KeySigner(LocalKey(ec.generate_private_key(ec.SECP256R1())), world.authority.timestamp)
    statement = Statement((Subject("x", world.artifact.digest_set),), p.APPROVAL, {"person": "ada"})
    recorded = world.journal.append([mallory.sign(statement)])[0]
    package = world.export(tmp_path / "audit.tar")
    assert recorded.digest not in verify_package_bytes(package, world.root.fingerprint).evidence


def test_whoever_has_the_old_fingerprint_follows_the_rotation(tmp_path: Path) -> None:
    clock = SettableClock()
    home = tmp_path / "home"
    init_trust(home, trust_domain="pratique.local", clock=clock)
    fingerprints = []
    for number in range(3):
        workspace = Workspace.open(home, clock=clock)
        fingerprints.append(workspace.root.fingerprint)
        subject = Subject("harbour-1.whl", sha256_bytes(b"harbour").digest_set)
        workspace.record("rebuilder", p.SCAI, {"attributes": [{"attribute": str(number)}]}, [subject])
        clock.advance(days=1)
        rotate(workspace, Plan())
        clock.advance(days=1)
    workspace = Workspace.open(home, clock=clock)
    path = tmp_path / "package.tar"
    write_package(
        path,
        [sha256_bytes(b"harbour")],
        journal=workspace.journal,
        blobs=workspace.blobs,
        root=workspace.root,
        signer=workspace.authority.signer("administrator"),
        version="0.1.0",
    )
    for pinned in (*fingerprints, workspace.root.fingerprint):
        assert len(verify_package(path, pinned).evidence) == 3
    with pytest.raises(EvidenceInvalidError, match="no rotation leads from there"):
        verify_package(path, sha256_bytes(b"another root"))
