"""Accounts of what happened: the report of one artifact, the audit package, and its verification."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique import __version__
from pratique.errors import CouldNotCheckError, EvidenceInvalidError, PratiqueError, UsageError
from pratique.flow.evidence import for_policy, gather
from pratique.model import predicate
from pratique.model.digest import parse_digest_set, sha256_bytes
from pratique.policy.decision import parse_decision
from pratique.policy.evidence import evidence_document, parse_input
from pratique.policy.gate import differences, replay
from pratique.policy.vsa import DECISION_EXTENSION
from pratique.policy.waivers.waiver import ENGINE_ERROR
from pratique.report.assemble import build_chain, fact_of, with_imported
from pratique.report.audit.export import Exported, write_package
from pratique.report.audit.signers import may_claim
from pratique.report.audit.verify import AuditResult, ReplayableDecision, verify_package
from pratique.report.chain import LogHead
from pratique.report.html import render_html
from pratique.report.ssdf import TaskResult, evaluate_tasks
from pratique.store.atomic import write_atomic
from pratique.trust.succession import administrator_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.flow.artifact import Artifact
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.policy.decision import Decision
    from pratique.policy.engine.port import Engine
    from pratique.trust.verify import Verified


class Reported(msgspec.Struct, frozen=True):
    """A report that was written, and the SSDF tasks as it shows them."""

    path: Path
    tasks: tuple[TaskResult, ...]
    evidence: int


def report(workspace: Workspace, artifact: Artifact, path: Path) -> Reported:
    """Write the report of one artifact: its chain, decisions, deployments, and the SSDF tasks.

    Only evidence that verifies and whose signer may claim it is told of.

    Raises:
        UsageError: no evidence is about the artifact.
        OSError: the file cannot be written.
    """
    gathered = gather(workspace, artifact.digest)
    if not gathered.verified:
        raise UsageError(f"no evidence is about {artifact.digest}", hint="make some: pratique ship")
    administrator, keys = administrator_of(workspace.root), workspace.community.keys
    known = (*gathered.verified, *workspace.enrolments)
    standing = with_imported(
        [item for item in known if may_claim(item, administrator, keys)], gathered.imported
    )
    head = workspace.journal.head()
    chain = build_chain(
        artifact.digest,
        [item for item in standing if item.statement.predicate_type != predicate.ENROLMENT],
        documents=_decision_documents(workspace, standing),
        trust_root=workspace.root.fingerprint,
        checkpoint=LogHead(origin=head.origin, size=head.size, root=head.root.hex()),
        size=workspace.blobs.size(artifact.digest),
    )
    tasks = tuple(evaluate_tasks([fact_of(item) for item in standing]))
    html = render_html(chain, tasks, generated_at=workspace.clock(), version=__version__)
    write_atomic(path, html.encode(), mode=0o644)
    return Reported(path, tasks, len(standing))


def _decision_documents(workspace: Workspace, evidence: Sequence[Verified]) -> dict[Digest, bytes]:
    documents = {}
    for item in evidence:
        extension = item.statement.predicate.get(DECISION_EXTENSION)
        if item.statement.predicate_type == predicate.VSA and isinstance(extension, dict):
            data = workspace.blobs.get(parse_digest_set(extension.get("digest")))
            documents[sha256_bytes(data)] = data
    return documents


def export_audit(
    workspace: Workspace, artifacts: Sequence[Artifact], path: Path, *, with_artifacts: bool = False
) -> Exported:
    """Write everything that proves the artifacts' chains as one sealed file, and verify it.

    Raises:
        UsageError: no evidence is about one of them.
        EvidenceInvalidError: something they rest on is missing; nothing is written.
    """
    return write_package(
        path,
        [artifact.digest for artifact in artifacts],
        journal=workspace.journal,
        blobs=workspace.blobs,
        root=workspace.root,
        signer=workspace.authority.signer("administrator"),
        version=__version__,
        with_artifacts=with_artifacts,
    )


def _check_input(item: ReplayableDecision, result: AuditResult) -> None:
    """Hold what policy was told of the evidence to the evidence itself."""
    for told in parse_input(item.input).evidence:
        held = result.imported.get(told.digest, result.evidence.get(told.digest))
        if held is not None and evidence_document(told) != evidence_document(for_policy(held)):
            raise EvidenceInvalidError(
                f"decision {item.vsa.digest}: its input says otherwise of evidence {told.digest} than it is"
            )


class Audited(msgspec.Struct, frozen=True):
    """A package that holds, and whose decisions came out the same when made again.

    Attributes:
        result: see `AuditResult`.
        engine: name and version of what made them again.
        replayed: how many there were.
        others: name and version of other engines that had made some of them.
    """

    result: AuditResult
    engine: str
    replayed: int
    others: tuple[str, ...]


def verify_audit(path: Path, fingerprint: Digest, engine: Engine) -> Audited:
    """Verify an audit package from the file and the root's fingerprint alone, and make its decisions again.

    The engine is the auditor's: a decision has to come out the same whatever evaluated it first. Where it
    does not, and another engine made it, either may be why, and the decision is unknown.

    Raises:
        EvidenceInvalidError: it proves nothing; the message names the step and the member.
        CouldNotCheckError: the engine gives no answer, or disagrees on a decision that another made.
    """
    try:
        result = verify_package(path, fingerprint)
    except EvidenceInvalidError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
    mine, others, replayed = f"{engine.name} {engine.version}", set[str](), 0
    for artifact in result.artifacts:
        for item in artifact.decisions:
            _check_input(item, result)
            recorded = parse_decision(item.decision)
            again = replay(item.input, item.policy, engine)
            made_by = f"{recorded.engine.name} {recorded.engine.version}"
            others |= {made_by} - {mine}
            if names := differences(recorded, again):
                raise _otherwise(f"decision {item.vsa.digest}", recorded, again, names)
            replayed += 1
    return Audited(result, mine, replayed, tuple(sorted(others)))


def _otherwise(which: str, recorded: Decision, again: Decision, names: tuple[str, ...]) -> PratiqueError:
    """Say that a decision comes out otherwise; what it proves depends on who made it again."""
    made_by, mine = (f"{item.engine.name} {item.engine.version}" for item in (recorded, again))
    failed = {item.msg for item in again.results if item.code == ENGINE_ERROR}
    new = failed - {item.msg for item in recorded.results if item.code == ENGINE_ERROR}
    if new:
        return CouldNotCheckError(
            f"{which}, made by {made_by}, could not be made again by {mine}: {min(new)}", hint=_same(recorded)
        )
    message = f"{which}, made by {made_by}, comes out otherwise when made again by {mine}: {', '.join(names)}"
    if made_by != mine:
        return CouldNotCheckError(
            f"{message}; whether the engine or the decision is why is unknown", hint=_same(recorded)
        )
    return EvidenceInvalidError(
        message, hint="its policy and input are in the package; compare them with pratique explain"
    )


def _same(recorded: Decision) -> str:
    option = {"regorus+opa": "both"}.get(recorded.engine.name, recorded.engine.name)
    return f"make it again by what made it: pratique audit verify --engine {option}"
