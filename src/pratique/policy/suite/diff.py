"""What sets two policies apart: in what they say, and in what they decide (pure).

A finding that is raised (a violation, an error, a warning, or one that is waived) is known by its code and
term. Two decisions differ if their verdicts do, or if a finding is raised in one only, or otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.rule_data import rule_data_table
from pratique.policy.trust_file import requirements_table

if TYPE_CHECKING:
    from pratique.policy.bundle import PolicyBundle

_RAISED = (Status.VIOLATION, Status.ERROR, Status.WARNING, Status.WAIVED)
_ABSENT = object()
Part = Literal["rule", "module", "data", "requirement", "source"]


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """One finding that two decisions disagree about; empty where it is not raised."""

    code: str
    term: tuple[str, ...]
    before: str
    after: str
    msg: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two decisions on one input.

    Attributes:
        before: the old policy's verdict.
        after: the new one's.
        moved: findings they disagree about, by code and term.
    """

    before: Literal["allow", "deny"]
    after: Literal["allow", "deny"]
    moved: tuple[Moved, ...]

    @property
    def flips(self) -> bool:
        """Whether the verdict itself changes."""
        return self.before != self.after

    def __bool__(self) -> bool:
        return self.flips or bool(self.moved)


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What one part of a policy was and is; None where it is not there."""

    part: Part
    name: str
    before: Any
    after: Any


def compare_decisions(old: Decision, new: Decision) -> Difference:
    """Compare two decisions on the same input."""
    before, after = _raised(old), _raised(new)
    moved = []
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if _level(was) != _level(now):
            shown = now or was
            moved.append(
                Moved(
                    code=key[0],
                    term=key[1],
                    before=_level(was),
                    after=_level(now),
                    msg=shown.msg if shown else "",
                )
            )
    return Difference(before=old.decision, after=new.decision, moved=tuple(moved))


def compare_policies(old: PolicyBundle, new: PolicyBundle) -> tuple[PolicyChange, ...]:
    """Say what changed in the policy itself: rules by code, modules, data, requirements."""
    pairs: tuple[tuple[Part, Any, Any], ...] = (
        ("rule", _rules(old), _rules(new)),
        ("module", old.modules, new.modules),
        ("data", _flat(rule_data_table(old.data)), _flat(rule_data_table(new.data))),
        (
            "requirement",
            _flat(requirements_table(old.requirements)),
            _flat(requirements_table(new.requirements)),
        ),
        ("source", _sources(old), _sources(new)),
    )
    return tuple(
        PolicyChange(part=part, name=name, before=before.get(name), after=after.get(name))
        for part, before, after in pairs
        for name in sorted(before.keys() | after.keys())
        if before.get(name, _ABSENT) != after.get(name, _ABSENT)
    )


def _rules(bundle: PolicyBundle) -> dict[str, Any]:
    shown = ("title", "severity", "needs", "solution")
    return {code: {key: getattr(info, key) for key in shown} for code, info in bundle.rules.items()}


def _sources(bundle: PolicyBundle) -> dict[str, Any]:
    return {source.name: source.table() for source in bundle.sources}


def _raised(decision: Decision) -> dict[tuple[str, tuple[str, ...]], Finding]:
    return {(item.code, item.term): item for item in reversed(decision.with_status(*_RAISED))}


def _level(finding: Finding | None) -> str:
    if finding is None:
        return ""
    return f"{finding.status.value} ({finding.severity})" if finding.severity else finding.status.value


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Give nested tables as dotted paths to their values."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
