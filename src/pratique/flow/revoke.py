"""Revoking: keys, certificates and evidence that no longer count, from a time on; signed, in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.rotate import Plan, Rotated, rotate, stamped_at
from pratique.flow.signing import nobody_to_ask
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest
from pratique.trust.authority.folder import KEY_FILES
from pratique.trust.revocation import KINDS, Revocation, revocation_statement
from pratique.trust.root import instance_key, instances

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pratique.flow.workspace import Workspace
    from pratique.trust.signers.port import AskSecret

MAX_REASON: Final = 1000
_KINDS: Final = ", ".join((*KEY_FILES, *(f"{kind}:sha256:…" for kind in KINDS)))


class Revoked(msgspec.Struct, frozen=True):
    """What was revoked.

    Attributes:
        revocation: what the statement says.
        evidence: the statement's digest, in the journal.
        rotated: the rotation that replaced the key; None when it was no key that signs here now.
        people: those whose enrolment does not count any more, and who have to be enrolled again.
    """

    revocation: Revocation
    evidence: Digest
    rotated: Rotated | None
    people: tuple[str, ...]


def revoke(
    workspace: Workspace,
    what: str,
    *,
    since: datetime | None,
    reason: str,
    reopen: Callable[[], Workspace],
    remote: dict[str, str] | None = None,
    ask: AskSecret = nobody_to_ask,
) -> Revoked:
    """Journal, as administrator, that something no longer counts; a key that signs here is replaced then.

    A run that is killed between the two leaves a key in force whose evidence is refused: do it again.

    Args:
        workspace: where; not of use afterwards if a key was replaced.
        what: `ca`, `tsa`, `ctlog` or `log`, or a kind and a digest: `key:sha256:…`.
        since: what is proven to be older still counts; None for everything.
        reason: for people.
        reopen: opens the workspace again under the new keys.
        remote: URIs of new keys that are elsewhere, by name.
        ask: gives their PINs.

    Raises:
        UsageError: nothing that can be revoked, or a time to come.
    """
    if since is not None and since > workspace.clock():
        raise UsageError(f"{format_time(since)} is yet to come", hint="what is stolen is stolen by now")
    if len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(f"a reason has at most {MAX_REASON} printable characters")
    before = set(workspace.community.keys)
    names = {key: enrolled.person for key, enrolled in workspace.community.keys.items()}
    kind, digest, name = _target(workspace, what)
    size = _size_at(workspace, since)
    revocation = Revocation(kind, digest, workspace.clock(), size, since, reason)
    statement = revocation_statement(revocation)
    recorded = workspace.record(
        "administrator", statement.predicate_type, statement.predicate, statement.subjects
    )
    rotated = None
    if name:
        start = instances(workspace.root)[name][0].valid_for.start
        ends = {digest: max(since, start) if since else start}
        rotated = rotate(workspace, Plan((name,), remote or {}, ends), ask=ask)
        workspace = reopen()
    lost = sorted({names[key] for key in before - set(workspace.community.keys)})
    return Revoked(revocation, recorded.digest, rotated, tuple(lost))


def _target(workspace: Workspace, what: str) -> tuple[str, Digest, str]:
    """Give kind and digest of what is meant, and its name where it is a key that signs here now."""
    current = {name: instance_key(found[0]) for name, found in instances(workspace.root).items()}
    if what in current:
        return "key", current[what], what
    kind, _, text = what.partition(":")
    try:
        digest = parse_digest(text)
    except EvidenceInvalidError as error:
        raise UsageError(f"{what[:100]}: not a digest", hint=f"revoke one of {_KINDS}") from error
    if kind not in KINDS:
        raise UsageError(f"{what[:100]}: nothing that can be revoked", hint=f"revoke one of {_KINDS}")
    name = next((name for name, key in current.items() if kind == "key" and key == digest), "")
    return kind, digest, name


def _size_at(workspace: Workspace, since: datetime | None) -> int:
    """Give how many entries the log began with whose timestamps are all older than a time."""
    if since is None:
        return 0
    for found in reversed(workspace.journal.find()):
        stamped = stamped_at(workspace, found.digest)
        if stamped is None or stamped >= since:
            return found.index
    return workspace.journal.head().size
