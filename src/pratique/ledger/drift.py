"""Drift: what is there, minus what was recorded. Not being able to look is not the same as seeing nothing."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pratique.ledger.fold import Environment
    from pratique.model.digest import Digest


class State(StrEnum):
    """How an environment compares with its records."""

    IN_SYNC = "in-sync"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An environment that could be looked at.

    Attributes:
        artifact: what is there; None when nothing is (absent).
        content: digest of its content as it is now, where it was read.
        problems: differences between it and what was put there.
    """

    artifact: Digest | None
    content: Digest | None = None
    problems: tuple[str, ...] = ()


class NotSeen(msgspec.Struct, frozen=True):
    """An environment that could not be looked at, and why."""

    reason: str


class Drift(msgspec.Struct, frozen=True):
    """The verdict, and every reason for it."""

    state: State
    reasons: tuple[str, ...] = ()


def compare(observed: Seen | NotSeen, recorded: Environment | None) -> Drift:
    """Compare an environment with its records.

    Args:
        observed: what was seen there.
        recorded: the environment from the ledger; None if nothing was ever recorded for it.
    """
    if isinstance(observed, NotSeen):
        return Drift(State.UNKNOWN, (f"could not be looked at: {observed.reason}",))
    live = recorded.live if recorded else None
    wanted = live.artifact if live else None
    reasons = list(observed.problems)
    if observed.artifact != wanted:
        reasons.insert(0, f"{_name(observed.artifact)} is there; recorded is {_name(wanted)}")
    elif live and live.content:
        if observed.content is None:
            reasons.append("its content is not there to compare")
        elif observed.content != live.content:
            reasons.append(f"its content is {observed.content.short}; recorded is {live.content.short}")
    if recorded:
        reasons += [
            f"a roll-out of {step.artifact.short} was begun and has no recorded end"
            f" (deployment {step.deployment[:19]}, log index {step.index})"
            for step in recorded.rolling_out
        ]
    return Drift(State.DRIFTED if reasons else State.IN_SYNC, tuple(reasons))


def _name(artifact: Digest | None) -> str:
    return artifact.short if artifact else "nothing"
