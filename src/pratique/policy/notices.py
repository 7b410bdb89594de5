"""What a decision says of a source's include and exclude themselves: what holds, lapsed, matches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.model.clock import format_time
from pratique.policy.decision import Finding, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.policy.language.selection import Criteria, Target, Volatile

SELECTION: Final = "policy.selection"
SOURCE: Final = "policy.source"
VOLATILE: Final = "policy.volatile"
_TITLES: Final = {
    SELECTION: "Every include and exclude selects something",
    SOURCE: "Of every source something is judged",
    VOLATILE: "No volatile include or exclude is in force, lapsed or yet to come",
}


def selection_notices(source: str, criteria: Criteria, targets: Sequence[Target]) -> list[Finding]:
    """Report each volatile criterion that is in force or is not, and each criterion that selects nothing."""
    notices = []
    for kind, entry in criteria.in_force:
        until = f"until {format_time(entry.effective_until)}" if entry.effective_until else "without an end"
        notices.append(_volatile(source, kind, entry, f"is in force {until}"))
    for kind, entry, why in criteria.lapsed:
        notices.append(_volatile(source, kind, entry, why))
    for kind, text in criteria.unmatched(targets):
        notices.append(
            _notice(
                SELECTION,
                f"source {source}: {kind} {text} matches no rule",
                (source, kind, text),
                "Correct the criterion, or take it out of the policy.",
            )
        )
    return notices


def nothing_judged(source: str) -> Finding:
    """Report that a source has rules and none of them counts: most likely not what somebody meant."""
    return Finding(
        code=SOURCE,
        status=Status.ERROR,
        msg=f"source {source}: include and exclude leave nothing of it",
        title=_TITLES[SOURCE],
        severity="high",
        term=(source,),
        solution="Include some of it, or take the source out of the policy.",
    )


def _volatile(source: str, kind: str, entry: Volatile, what: str) -> Finding:
    about = f" for {entry.subject.short}" if entry.subject else ""
    reason = f": {entry.reason}" if entry.reason else ""
    return _notice(
        VOLATILE,
        f"source {source}: {kind} {entry.value}{about} {what}{reason}",
        (source, kind, entry.value),
        "Take it out of the policy when it is no longer needed.",
    )


def _notice(code: str, msg: str, term: tuple[str, ...], solution: str) -> Finding:
    return Finding(
        code=code,
        status=Status.WARNING,
        msg=msg,
        title=_TITLES[code],
        severity="low",
        term=term,
        solution=solution,
    )
