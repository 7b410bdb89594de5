"""What runs where, and why: a fold of the deployment records in the journal, in the order the log gives them.

Nothing here is stored. The same records give the same ledger, on any machine, at any time; a record that is
repeated (a deployer that was killed and taken over records a phase again) changes nothing but the history.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Phase = Literal["rolling-out", "live", "failed", "rolled-back"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A verified deployment statement, in plain values.

    Attributes:
        index: its place in the log, which alone decides the order.
        signed_at: the moment its timestamp proves.
        artifact: its subject.
        predicate: its predicate, `deployment/v1`.
        evidence: digest of its bundle, to point back at.
    """

    index: int
    signed_at: datetime
    artifact: Digest
    predicate: Mapping[str, Any]
    evidence: Digest


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One record, read: a line of an environment's history."""

    index: int
    signed_at: datetime
    evidence: Digest
    deployment: str
    environment: str
    artifact: Digest
    action: str
    phase: Phase
    requester: str
    decision: Digest
    approvals: tuple[Digest, ...]
    plan: Digest
    previous: Digest | None
    path: str
    content: Digest | None
    reason: str
    serving: Digest | None


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact that an environment serves.

    Attributes:
        artifact: what is live.
        since: when it became live, as signed.
        by: the record that made it so.
        previous: what was live before it.
        content: digest of the release's content as it was put in place, for the drift check.
    """

    artifact: Digest
    since: datetime
    by: Step
    previous: Digest | None
    content: Digest | None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One environment as the records tell it.

    Attributes:
        name: its name.
        live: what it serves; None before the first, and after a failure that left nothing.
        rolling_out: begun and not ended, the latest record of each: in progress, or interrupted.
        history: every record, oldest first.
    """

    name: str
    live: Serving | None = None
    rolling_out: tuple[Step, ...] = ()
    history: tuple[Step, ...] = ()


Ledger = dict[str, Environment]


def fold(entries: Iterable[Entry]) -> Ledger:
    """Fold deployment statements into environments, by name.

    Args:
        entries: in any order; the same one may come twice.

    Raises:
        EvidenceInvalidError: a predicate that cannot be read, or two entries at one place in the log.
    """
    by_index: dict[int, Entry] = {}
    for entry in entries:
        if by_index.setdefault(entry.index, entry).evidence != entry.evidence:
            raise EvidenceInvalidError(f"two different deployment records at log index {entry.index}")
    ledger: Ledger = {}
    for index in sorted(by_index):
        step = read_step(by_index[index])
        ledger[step.environment] = apply(
            ledger.get(step.environment, Environment(name=step.environment)), step
        )
    return ledger


def apply(environment: Environment, step: Step) -> Environment:
    """Apply the next record to its environment."""
    others = tuple(begun for begun in environment.rolling_out if begun.deployment != step.deployment)
    live = environment.live
    match step.phase:
        case "rolling-out":
            others = (*others, step)
        case "live":
            others = ()  # whatever was cut off before is superseded by what is live now
            live = _go_live(live, step)
        case "failed":
            live = _after_failure(environment, step)
        case "rolled-back":
            if live and live.by.deployment == step.deployment:
                live = None
    return Environment(
        name=environment.name, live=live, rolling_out=others, history=(*environment.history, step)
    )


def where(ledger: Ledger, artifact: Digest) -> tuple[Serving, ...]:
    """Give where an artifact is live, by environment name; each says since when and by which record."""
    return tuple(
        environment.live
        for _, environment in sorted(ledger.items())
        if environment.live and environment.live.artifact == artifact
    )


def read_step(entry: Entry) -> Step:
    """Read a record; fields that do not matter here are not looked at.

    Raises:
        EvidenceInvalidError: a field is missing or of another type.
    """
    try:
        wire = msgspec.convert(entry.predicate, _Wire)
    except msgspec.ValidationError as error:
        raise EvidenceInvalidError(f"deployment record at log index {entry.index}: {error}") from error
    return Step(
        index=entry.index,
        signed_at=entry.signed_at,
        evidence=entry.evidence,
        deployment=wire.deployment_id,
        environment=wire.environment,
        artifact=entry.artifact,
        action=wire.action,
        phase=wire.phase,
        requester=wire.requester,
        decision=_digest(wire.decision),
        approvals=tuple(_digest(approval) for approval in wire.approvals),
        plan=_digest(wire.plan),
        previous=_digest(wire.previous) if wire.previous else None,
        path=wire.target.path,
        content=_digest(wire.target.content) if wire.target.content else None,
        reason=wire.reason,
        serving=_digest(wire.serving) if wire.serving else None,
    )


def _go_live(live: Serving | None, step: Step) -> Serving:
    if live and live.by.deployment == step.deployment:
        return live  # recorded again by whoever took over: live since the first time
    return Serving(
        artifact=step.artifact, since=step.signed_at, by=step, previous=step.previous, content=step.content
    )


def _after_failure(environment: Environment, step: Step) -> Serving | None:
    """A failure says what it left the environment with; who decided on that is told by the record of it."""
    if step.serving is None:
        return None
    live = environment.live
    if live and live.artifact == step.serving:
        return live
    lives = (past for past in reversed(environment.history) if past.phase == "live")
    made = next((past for past in lives if past.artifact == step.serving), None)
    return Serving(
        artifact=step.serving,
        since=step.signed_at,
        by=made or step,
        previous=made.previous if made else None,
        content=made.content if made else None,
    )


class _DigestSet(msgspec.Struct):
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Reference(msgspec.Struct):
    digest: _DigestSet


class _Target(msgspec.Struct):
    path: str
    content: _Reference | None = None


class _Wire(msgspec.Struct, rename="camel"):
    deployment_id: str
    environment: str
    action: Literal["deploy", "rollback"]
    phase: Phase
    requester: str
    decision: _Reference
    approvals: tuple[_Reference, ...]
    plan: _Reference
    previous: _Reference | None
    target: _Target
    started_on: _Moment
    reason: str = ""
    serving: _Reference | None = None


def _digest(reference: _Reference) -> Digest:
    return Digest(reference.digest.sha256)
