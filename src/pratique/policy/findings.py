"""Turns one source's answer into findings, by METADATA and by the source's conventions.

A member of a rule's set becomes a finding with a code. What is excluded is reported as skipped and what an
`exception` exempts as waived, each with who says so; nothing disappears. Every code that is known and stayed
silent is listed.
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.policy.decision import Finding, Location, Status
from pratique.policy.engine.port import EngineError, RuleSet
from pratique.policy.evidence import Evidence  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.language.catalogue import RuleInfo
from pratique.policy.language.members import Member, parse_exception, parse_member
from pratique.policy.language.selection import Criteria, Target
from pratique.policy.notices import nothing_judged, selection_notices
from pratique.policy.places import Places  # noqa: TC001 - as above
from pratique.policy.rule_data import Level  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.sources import RESERVED_CODES, Source

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXCEPTION: Final = "exception"
_CODE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\Z")
_SHOWN: Final = 200


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What one source's answer is judged by.

    Attributes:
        source: whose rules they are.
        levels: what a finding of a code leads to, of the policy itself.
        foreign: codes that are not this source's to report.
        standing: evidence that stands, by short name.
        places: where what stands has seen components.
        effective_time: the moment everything is judged at.
        criteria: what of the source is selected.
    """

    source: Source
    levels: dict[str, Level]
    foreign: frozenset[str]
    standing: dict[str, tuple[Evidence, ...]]
    places: Places
    effective_time: datetime
    criteria: Criteria


def source_findings(judgement: Judgement, sets: Iterable[RuleSet]) -> list[Finding]:
    """Give the findings of one source.

    Raises:
        EngineError: a member that is no finding, or one under a code that is not the source's.
    """
    sets = tuple(sets)
    source = judgement.source
    exempt = _exemptions(sets)
    rules = [rule_set for rule_set in sets if rule_set.name != _EXCEPTION]
    judged = [
        _judge(judgement, rule_set, member, exempt) for rule_set in rules for member in rule_set.members
    ]
    judged = [pair for pair in judged if judgement.levels.get(pair[1].code) != "off"]
    fired = {finding.code for _, finding in judged}
    silent = [
        (_target(info), info)
        for info in (*source.rules.values(), *_undeclared(rules, source))
        if info.code not in fired
    ]
    found = [finding for _, finding in judged] + [_silent(judgement, *pair) for pair in silent]
    if source.main:
        return found
    targets = [target for target, _ in judged] + [target for target, _ in silent]
    if not any(judgement.criteria.included(target) for target in targets):
        found.append(nothing_judged(source.name))
    return found + selection_notices(source.name, judgement.criteria, targets)


def _exemptions(sets: Iterable[RuleSet]) -> dict[str, frozenset[str]]:
    """Collect by package what its `exception` set exempts."""
    found = {}
    for rule_set in sets:
        if rule_set.name == _EXCEPTION:
            try:
                found[rule_set.package] = parse_exception(rule_set.members)
            except MalformedError as error:
                raise EngineError("eval", f"{rule_set.package}.{_EXCEPTION}: {error.message}") from error
    return found


def _judge(
    judgement: Judgement, rule_set: RuleSet, value: Any, exempt: dict[str, frozenset[str]]
) -> tuple[Target, Finding]:
    source = judgement.source
    try:
        member = parse_member(value, main=source.main)
    except MalformedError as error:
        where = f"{rule_set.package}.{rule_set.name}"
        raise EngineError("eval", f"{where} holds what is no finding: {error.message}") from error
    info = _info(judgement, rule_set, member)
    finding, target = _finding(judgement, rule_set, member, info), _target(info, member)
    if not judgement.criteria.included(target):
        why = f"{judgement.criteria.why_not(target)} (source {source.name}): {finding.msg}"
        return target, msgspec.structs.replace(finding, status=Status.SKIPPED, msg=why)
    name = rule_set.name.partition("_")[2]
    if finding.status is Status.VIOLATION and name in exempt.get(rule_set.package, frozenset()):
        by = f"data.{rule_set.package}.{_EXCEPTION} of source {source.name}"
        return target, msgspec.structs.replace(finding, status=Status.WAIVED, excepted=by)
    return target, finding


def _info(judgement: Judgement, rule_set: RuleSet, member: Member) -> RuleInfo:
    """Find what METADATA says of a finding, by its code, or else by the rule it comes from."""
    source, where = judgement.source, f"{rule_set.package}.{rule_set.name}"
    if member.code in source.rules:
        return source.rules[member.code]
    if source.main:
        raise EngineError("eval", f"{where} reports code {member.code!r}, which no METADATA declares")
    if member.code:
        return _plain(judgement, rule_set, member.code)
    declared = [info for info in source.rules.values() if f"{info.package}.{info.rule}" == where]
    return declared[0] if len(declared) == 1 else _plain(judgement, rule_set, where)


def _plain(judgement: Judgement, rule_set: RuleSet, code: str) -> RuleInfo:
    """Describe a rule of which no METADATA speaks."""
    where = f"{rule_set.package}.{rule_set.name}"
    if not _CODE.match(code) or code.startswith(RESERVED_CODES) or code in judgement.foreign:
        raise EngineError(
            "eval", f"{where} reports code {code[:_SHOWN]!r}, which is not this source's to report"
        )
    return _described(code, rule_set)


def _described(code: str, rule_set: RuleSet) -> RuleInfo:
    title = f"data.{rule_set.package}.{rule_set.name} has nothing to report"
    return RuleInfo(code=code, package=rule_set.package, rule=rule_set.name, title=title)


def _undeclared(rules: Iterable[RuleSet], source: Source) -> list[RuleInfo]:
    """List the rules of which no METADATA speaks: they are as good as others, and are listed as others."""
    declared = {(info.package, info.rule) for info in source.rules.values()}
    return [
        _described(f"{rule_set.package}.{rule_set.name}", rule_set)
        for rule_set in rules
        if not source.main and (rule_set.package, rule_set.name) not in declared
    ]


def _target(info: RuleInfo, member: Member | None = None) -> Target:
    package, _, rule = info.code.rpartition(".")
    return Target(
        package=package,
        rule=rule,
        collections=info.collections or (member.collections if member else ()),
        terms=member.term if member else (),
    )


def _finding(judgement: Judgement, rule_set: RuleSet, member: Member, info: RuleInfo) -> Finding:
    msg = member.msg
    status = _status(judgement, rule_set, member, info)
    since = info.effective_on or member.effective_on
    if status is Status.VIOLATION and since and judgement.effective_time < since:
        status = Status.WARNING
        msg = f"{msg.removesuffix('.')}. From {format_time(since)} on this is a violation"
    return Finding(
        code=info.code,
        status=status,
        msg=msg,
        title=info.title,
        severity=member.severity or info.severity,
        # What gives no code is known by what it says, so that a waiver is for that and nothing else.
        term=member.term if member.code else (member.msg,),
        solution=member.solution or info.solution,
        evidence=member.evidence,
        controls=info.controls,
        metadata=member.metadata,
        rule=_place(judgement, info),
        locations=judgement.places.of(member.term, member.locations),
    )


def _status(judgement: Judgement, rule_set: RuleSet, member: Member, info: RuleInfo) -> Status:
    """Let the level of the policy decide, then what finding and METADATA say, then the name of the rule."""
    level = judgement.levels.get(info.code) or member.outcome or info.outcome or rule_set.name.split("_")[0]
    return Status.WARNING if level in {"warn", "warning"} else Status.VIOLATION


def _silent(judgement: Judgement, target: Target, info: RuleInfo) -> Finding:
    looked_at = judgement.standing.get(info.needs, ())
    why = f"no accepted {info.needs} evidence to look at" if info.needs and not looked_at else ""
    why = "off by the policy's levels" if judgement.levels.get(info.code) == "off" else why
    if not judgement.criteria.included(target):
        why = f"{judgement.criteria.why_not(target)} (source {judgement.source.name})"
    return Finding(
        code=info.code,
        status=Status.SKIPPED if why else Status.SUCCESS,
        msg=why,
        title=info.title,
        severity=info.severity,
        evidence=tuple(str(item.digest) for item in looked_at),
        controls=info.controls,
        rule=_place(judgement, info),
    )


def _place(judgement: Judgement, info: RuleInfo) -> Location | None:
    """Say where a rule is declared; files of a further source below the source's name."""
    if not info.file:
        return None
    folder = "" if judgement.source.main else f"{judgement.source.name}/"
    return Location(file=f"{folder}{info.file}", line=info.line)
