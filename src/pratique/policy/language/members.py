"""What a rule may put into its set: the shapes that Conftest, Conforma and pratique know, as one.

- text: the message (Conftest);
- an object with `msg` and no `code`: `_loc` is where it was seen, other keys are metadata (Conftest), kept
  as they are;
- an object with `code`: Conforma's result (`term`, `severity`, `effective_on`, `collections`, `solution`) and
  pratique's own (`evidence` and `locations` besides). Its keys are typed, since a mistyped one would not mean
  what it says.

`exception` holds lists of rule names, or one name.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import Any, Final

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import parse_digest
from pratique.policy.language.catalogue import Outcome, parse_moment, severity_of
from pratique.policy.places import Place, counted, parse_places

_OWN_KEYS: Final = {"code", "msg", "term", "solution", "evidence", "severity", "locations"}
_KEYS: Final = _OWN_KEYS | {"effective_on", "collections"}
_CONFTEST: Final = {"msg", "_loc"}


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One member of a rule's set.

    Attributes:
        code: what it says of its code; empty if nothing.
        msg: the message.
        term: what it is about.
        severity: gravity, if it says one.
        outcome: `failure` or `warning`, if it says so.
        solution: what to do.
        evidence: digests it names.
        locations: where it says that was seen.
        effective_on: before this moment it is a warning.
        collections: that it claims to be in.
        metadata: what else it holds.
    """

    msg: str
    code: str = ""
    term: tuple[str, ...] = ()
    severity: str = ""
    outcome: Outcome = ""
    solution: str = ""
    evidence: tuple[str, ...] = ()
    locations: tuple[Place, ...] = ()
    effective_on: datetime | None = None
    collections: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}


class _Wire(msgspec.Struct, frozen=True):
    code: str
    msg: str
    term: str | tuple[str, ...] = ()
    solution: str = ""
    evidence: tuple[str, ...] = ()
    severity: str = ""
    effective_on: str = ""
    collections: tuple[str, ...] = ()
    locations: Any = ()


def parse_member(member: Any, *, main: bool) -> Member:
    """Read one member.

    Args:
        member: a JSON value.
        main: whether it is of the policy itself, whose rules say a code and nothing unknown.

    Raises:
        MalformedError: it is no finding.
    """
    if isinstance(member, str) and not main:
        return Member(msg=member)
    if not isinstance(member, dict):
        raise MalformedError(f"expected an object, got {type(member).__name__}")
    if main and member.keys() - _OWN_KEYS:
        raise MalformedError(f"unknown key {min(member.keys() - _OWN_KEYS)!r}")
    if "code" not in member and not main:
        return _conftest(member)
    try:
        wire = msgspec.convert(member, _Wire)
        evidence = tuple(str(parse_digest(text)) for text in wire.evidence)
        severity, outcome = severity_of(wire.severity, "member")
        effective_on = parse_moment(wire.effective_on) if wire.effective_on else None
    except (msgspec.ValidationError, ConfigError) as error:
        raise MalformedError(str(error)) from error
    except ValueError as error:
        raise MalformedError(f"effective_on {member['effective_on']!r} is no time") from error
    return Member(
        code=wire.code,
        msg=wire.msg,
        term=(wire.term,) if isinstance(wire.term, str) else wire.term,
        severity=severity,
        outcome=outcome,
        solution=wire.solution,
        evidence=evidence,
        locations=parse_places(wire.locations),
        effective_on=effective_on,
        collections=wire.collections,
        metadata={key: value for key, value in member.items() if key not in _KEYS},
    )


def _conftest(member: dict[str, Any]) -> Member:
    """Take `severity`, `effective_on` and `solution` for what Conforma means by them, if they can be that."""
    msg = member.get("msg")
    if not isinstance(msg, str):
        raise MalformedError("an object without msg, or whose msg is no text")
    severity, outcome = _severity_if_any(member.get("severity"))
    effective_on, solution = member.get("effective_on"), member.get("solution")
    location = member.get("_loc")
    return Member(
        msg=msg,
        severity=severity,
        outcome=outcome,
        solution=solution if isinstance(solution, str) else "",
        effective_on=_moment_if_any(effective_on),
        locations=_place_if_any(location),
        metadata={key: value for key, value in member.items() if key not in _CONFTEST},
    )


def _severity_if_any(value: object) -> tuple[str, Outcome]:
    try:
        return severity_of(value or "", "")
    except ConfigError:
        return "", ""


def _moment_if_any(value: object) -> datetime | None:
    """Give a time or nothing; with nothing a violation stays one."""
    try:
        return parse_moment(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _place_if_any(value: object) -> tuple[Place, ...]:
    """Give Conftest's `_loc`, or nothing where it is of another shape, as Conftest does."""
    file, line = (value.get("file"), value.get("line")) if isinstance(value, dict) else ("", 0)
    if not isinstance(file, str) or not file:
        return ()
    return (Place(file=file, line=counted(line)),)


def parse_exception(members: tuple[Any, ...]) -> frozenset[str]:
    """Read what an `exception` set exempts: rule names less `deny_` or `violation_`; empty is `deny` itself.

    Raises:
        MalformedError: a member that is neither a name nor a list of names.
    """
    names: set[str] = set()
    for member in members:
        listed = member if isinstance(member, list) else [member]
        if not all(isinstance(name, str) for name in listed):
            raise MalformedError("an exception is a list of rule names")
        names.update(listed)
    return frozenset(names)
