"""The deployment as a pure state machine: `(state, event) → (state, commands)`.

    requested ──gate──▶ gated ──quorum──▶ approved ──begun──▶ rolling-out ──healthy──▶ verified ──▶ live
        │                 │                  │                     │
        ▼ refused         └──── expired ─────┤                     ▼ failed              live ──▶ superseded
     blocked                                 ▼                  failed                        └─▶ rolled-back
                                          expired

`verified` is healthy but not yet in the journal; only what is durably recorded is `live`. New evidence (an
advisory, another policy, a revoked key) sends what has not begun back to `requested`, without its decision
and approvals. A later request supersedes what has not begun.

Commands follow from the state alone, so a deployer that was killed asks `commands_of(state)` and goes on. An
event that was applied before is a repetition and changes nothing: events may be delivered more than once. A
decision that new evidence withdrew is therefore also never accepted again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import UsageError
from pratique.model.digest import Digest  # noqa: TC001 - so that tools can resolve the structs' types

if TYPE_CHECKING:
    from collections.abc import Iterable


class Phase(StrEnum):
    """Where a deployment stands."""

    REQUESTED = "requested"
    GATED = "gated"
    APPROVED = "approved"
    ROLLING_OUT = "rolling-out"
    VERIFIED = "verified"
    LIVE = "live"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    FAILED = "failed"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"


TERMINAL: Final = frozenset({Phase.BLOCKED, Phase.EXPIRED, Phase.FAILED, Phase.ROLLED_BACK, Phase.SUPERSEDED})
_PENDING: Final = frozenset({Phase.REQUESTED, Phase.GATED, Phase.APPROVED})


class Command(StrEnum):
    """What has to happen next; each ends in an event."""

    GATE = "gate"
    COLLECT_APPROVALS = "collect-approvals"
    RECORD_ROLLING_OUT = "record-rolling-out"
    INSTALL = "install"
    SWITCH = "switch"
    CHECK_HEALTH = "check-health"
    RECORD_LIVE = "record-live"
    PRUNE = "prune"
    RESTORE = "restore"
    RECORD_FAILED = "record-failed"


_COMMANDS: Final[dict[Phase, tuple[Command, ...]]] = {
    Phase.REQUESTED: (Command.GATE,),
    Phase.GATED: (Command.COLLECT_APPROVALS,),
    Phase.APPROVED: (Command.RECORD_ROLLING_OUT,),
    Phase.ROLLING_OUT: (Command.INSTALL, Command.SWITCH, Command.CHECK_HEALTH),
    Phase.VERIFIED: (Command.RECORD_LIVE,),
    Phase.LIVE: (Command.PRUNE,),
    Phase.FAILED: (Command.RESTORE, Command.RECORD_FAILED),
    Phase.BLOCKED: (),
    Phase.EXPIRED: (),
    Phase.ROLLED_BACK: (),
    Phase.SUPERSEDED: (),
}


class GatePassed(msgspec.Struct, frozen=True):
    """Policy passed the artifact for this environment."""

    decision: Digest


class GateRefused(msgspec.Struct, frozen=True):
    """Policy refused."""

    reason: str


class QuorumMet(msgspec.Struct, frozen=True):
    """The quorum agreed, by these approvals."""

    approvals: tuple[Digest, ...]


class ApprovalNotRequired(msgspec.Struct, frozen=True):
    """The environment's configuration says, in so many words, that nobody has to agree."""

    configured_by: str


class EvidenceChanged(msgspec.Struct, frozen=True):
    """Evidence that the decision did not know has appeared."""

    evidence: Digest
    reason: str


class Expired(msgspec.Struct, frozen=True):
    """The decision or an approval is past its time."""

    reason: str


class RolloutBegan(msgspec.Struct, frozen=True):
    """`rolling-out` is durably in the journal; only now may the environment be touched."""


class ReleaseHealthy(msgspec.Struct, frozen=True):
    """The release is in place, switched to, and healthy."""


class RolloutFailed(msgspec.Struct, frozen=True):
    """A step of the roll-out failed."""

    reason: str


class LiveRecorded(msgspec.Struct, frozen=True):
    """`live` is durably in the journal."""


class Superseded(msgspec.Struct, frozen=True):
    """Another deployment to the same environment took this one's place."""

    by: str


class RolledBack(msgspec.Struct, frozen=True):
    """A roll-back to an earlier release took this one's place."""

    by: str


Event = (
    GatePassed
    | GateRefused
    | QuorumMet
    | ApprovalNotRequired
    | EvidenceChanged
    | Expired
    | RolloutBegan
    | ReleaseHealthy
    | RolloutFailed
    | LiveRecorded
    | Superseded
    | RolledBack
)


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment's state.

    Attributes:
        phase: where it stands.
        decision: evidence digest of the decision that passed it.
        approvals: evidence digests of the approvals that made the quorum; None until that is settled, empty
            where the configuration says that none are needed.
        reason: why it ended, for the phases that are an end.
        seen: every event applied, in order.
    """

    phase: Phase = Phase.REQUESTED
    decision: Digest | None = None
    approvals: tuple[Digest, ...] | None = None
    reason: str = ""
    seen: tuple[Event, ...] = ()


# What each event may be applied to, and the phase it leads to.
_TRANSITIONS: Final[dict[type, tuple[frozenset[Phase], Phase]]] = {
    GatePassed: (frozenset({Phase.REQUESTED}), Phase.GATED),
    GateRefused: (frozenset({Phase.REQUESTED}), Phase.BLOCKED),
    QuorumMet: (frozenset({Phase.GATED}), Phase.APPROVED),
    ApprovalNotRequired: (frozenset({Phase.GATED}), Phase.APPROVED),
    EvidenceChanged: (_PENDING, Phase.REQUESTED),
    Expired: (_PENDING, Phase.EXPIRED),
    RolloutBegan: (frozenset({Phase.APPROVED}), Phase.ROLLING_OUT),
    ReleaseHealthy: (frozenset({Phase.ROLLING_OUT}), Phase.VERIFIED),
    RolloutFailed: (frozenset({Phase.ROLLING_OUT}), Phase.FAILED),
    LiveRecorded: (frozenset({Phase.VERIFIED}), Phase.LIVE),
    Superseded: (_PENDING | {Phase.LIVE}, Phase.SUPERSEDED),
    RolledBack: (frozenset({Phase.LIVE}), Phase.ROLLED_BACK),
}


def advance(state: Deployment, event: Event) -> tuple[Deployment, tuple[Command, ...]]:
    """Apply an event; give the new state and what it asks for, nothing where the event is a repetition.

    Raises:
        UsageError: the event makes no sense in this phase; the state stands.
    """
    if event in state.seen:
        return state, ()
    allowed, phase = _TRANSITIONS[type(event)]
    if state.phase not in allowed:
        raise UsageError(_refusal(state, event, allowed))
    if isinstance(event, QuorumMet) and not event.approvals:
        raise UsageError("a quorum without approvals is no quorum")
    decision, approvals = state.decision, state.approvals
    match event:
        case GatePassed():
            decision = event.decision
        case QuorumMet():
            approvals = event.approvals
        case ApprovalNotRequired():
            approvals = ()
        case EvidenceChanged():
            decision = approvals = None
        case _:
            pass
    after = Deployment(
        phase=phase,
        decision=decision,
        approvals=approvals,
        reason=_reason(event),
        seen=(*state.seen, event),
    )
    return after, commands_of(after)


def commands_of(state: Deployment) -> tuple[Command, ...]:
    """Give what a state asks for, in order: where a deployer goes on after it was killed."""
    return _COMMANDS[state.phase]


def replay(events: Iterable[Event]) -> Deployment:
    """Fold events from the beginning.

    Raises:
        UsageError: an event that makes no sense where it stands.
    """
    state = Deployment()
    for event in events:
        state, _ = advance(state, event)
    return state


def _reason(event: Event) -> str:
    match event:
        case GateRefused() | Expired() | RolloutFailed() | EvidenceChanged():
            return event.reason
        case Superseded() | RolledBack():
            return f"replaced by deployment {event.by}"
        case _:
            return ""


def _refusal(state: Deployment, event: Event, allowed: frozenset[Phase]) -> str:
    name = type(event).__name__
    if state.phase in TERMINAL:
        why = f" ({state.reason})" if state.reason else ""
        return f"the deployment has ended: {state.phase}{why}; it takes no {name}"
    return f"{name} needs a deployment that is {' or '.join(sorted(allowed))}; this one is {state.phase}"
