"""Past decisions, and the inputs they were made on, which are kept: any policy can be asked again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.flow.gate import load_decision
from pratique.model import predicate
from pratique.model.digest import Digest, parse_digest
from pratique.policy.decision import Decision, parse_decision

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pratique.flow.workspace import Workspace


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of the journal.

    Attributes:
        evidence: digest of its VSA.
        decision: the result in full; None where something of it is missing or damaged.
        input_bytes: the document it was made on.
        problem: what is missing or damaged.
    """

    evidence: Digest
    decision: Decision | None
    input_bytes: bytes = b""
    problem: str = ""


def past_decisions(
    workspace: Workspace, *, since: datetime | None = None, limit: int | None = None
) -> Iterator[Past]:
    """Give this state directory's own decisions, newest first and verified; a damaged one is told.

    Args:
        workspace: the state directory.
        since: none that was signed earlier.
        limit: no more than these.

    Raises:
        EvidenceInvalidError: the enrolments are damaged, so that no evidence can be judged.
    """
    _ = workspace.community
    verifier = workspace.authority.signer("verifier").identity
    given = 0
    for reference in workspace.journal.find(predicate_type=predicate.VSA):
        if limit is not None and given >= limit:
            return
        try:
            vsa = workspace.verify(reference.digest)
            if vsa.signer != verifier:
                continue
            if since is not None and vsa.signed_at < since:
                return
            decision = load_decision(workspace, vsa)
            past = Past(
                evidence=vsa.digest, decision=decision, input_bytes=workspace.blobs.get(decision.input)
            )
        except EvidenceInvalidError as error:
            past = Past(evidence=reference.digest, decision=None, problem=error.message)
        given += 1
        yield past


def find_decision(workspace: Workspace, text: str) -> Decision | None:
    """Find a decision by its own digest, or by its VSA's; None where the digest names neither.

    Raises:
        EvidenceInvalidError: it is damaged.
    """
    try:
        digest = parse_digest(text)
    except EvidenceInvalidError:
        return None
    if not workspace.blobs.has(digest):
        return None
    with workspace.blobs.open(digest) as stream:  # an artifact may be large
        data = stream.read() if stream.read(1) == b"{" else b""
    with suppress(EvidenceInvalidError):
        return parse_decision(b"{" + data)
    try:
        vsa = workspace.verify(digest)
    except EvidenceInvalidError:
        return None
    return load_decision(workspace, vsa) if vsa.statement.predicate_type == predicate.VSA else None
