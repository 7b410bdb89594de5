"""Taking others' evidence into the journal: what a verification policy accepted, to be verified again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import SignatureInvalidError, UsageError
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations
from pratique.model.predicate import IMPORTED
from pratique.trust.acceptance import evaluate
from pratique.trust.identity import KEYS_ALONE
from pratique.trust.imported import import_statement, read_source
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.flow.verify import Held, Judged
    from pratique.flow.workspace import Workspace
    from pratique.trust.acceptance import Acceptance
    from pratique.trust.statement import Statement


class Brought(msgspec.Struct, frozen=True):
    """One piece of others' evidence in the journal: its record, what it claims, and whether it was there."""

    evidence: Digest
    predicate_type: str
    signer: str
    already: bool


def record(workspace: Workspace, judged: Judged, *, name: str, root_name: str) -> list[Brought]:
    """Journal each piece of evidence that fills a role of the policy; what is there already stays.

    Args:
        workspace: where.
        judged: what was verified, and accepted.
        name: what the artifact is called.
        root_name: what the root that it was verified under is called here, or `KEYS_ALONE`.

    Raises:
        UsageError: a directory, or an artifact of which no SHA-256 is known.
        SignatureInvalidError: it was not accepted; or evidence that no gate could ask for.
        EvidenceInvalidError: the journal contradicts itself.
    """
    if judged.policy is None or not judged.accepted:
        raise SignatureInvalidError("what was not accepted is not recorded")
    if "sha256" not in judged.artifact.digests:
        raise UsageError("a directory is not what a gate decides on", hint="record evidence about one file")
    subject = Subject(name, judged.artifact.digests)
    now = workspace.clock()
    statements = [
        import_statement(
            item.established, subject, signature=item.position, root_name=root_name, root=judged.root
        )
        for item in judged.evidence
        if item.about and not item.revoked and _counts(judged.policy, item, judged, now)
    ]
    there = _there(workspace, subject)
    new = [statement for statement in statements if read_source(statement) not in there]
    if new:
        for digest in {read_source(statement).evidence for statement in new}:
            workspace.blobs.put(judged.files[digest])
        if root_name != KEYS_ALONE:
            workspace.blobs.put(judged.root.data)
        signer = workspace.authority.signer("verifier")
        recorded = workspace.journal.append([signer.sign(statement) for statement in new])
        for statement, done in zip(new, recorded, strict=True):
            workspace.imported(workspace.verify(done.digest))  # as the gate will
            there[read_source(statement)] = done.digest
    return [_brought(statement, there, already=statement not in new) for statement in statements]


def _counts(policy: Acceptance, item: Held, judged: Judged, now: datetime) -> bool:
    """Say whether a piece of evidence fills a part of any role, on its own."""
    alone = evaluate(policy, [item.established], judged.artifact, now)
    return any(role.by for role in alone.roles)


def _there(workspace: Workspace, subject: Subject) -> dict[object, Digest]:
    found = workspace.journal.find(subject=subject.sha256, predicate_type=IMPORTED)
    verifier = workspace.authority.signer("verifier").identity
    records = [workspace.verify(reference.digest) for reference in found]
    return {read_source(item.statement): item.digest for item in records if item.signer == verifier}


def _brought(statement: Statement, there: dict[object, Digest], *, already: bool) -> Brought:
    said = statement.predicate
    return Brought(
        evidence=there[read_source(statement)],
        predicate_type=said["predicateType"],
        signer=said["signer"]["subject"],
        already=already,
    )
