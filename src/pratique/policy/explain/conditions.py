"""Which condition of a rule failed: read from the lines that the engine reached on this very input.

A rule that denies unless a good case is proved (`not good(x)`) fails where the good case stopped: at the last
line of it that was reached. The engine says which lines were; where a helper ran for several values, that is
the furthest any of them came. A rule that states the bad case itself shows its own conditions, which held.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.policy.engine.port import Engine, EngineError, Module
from pratique.policy.explain.bodies import Found, Span, rules_of, spans
from pratique.policy.inputs import nanoseconds
from pratique.policy.language.annotations import bracket_depths
from pratique.policy.results import document_of, prepared
from pratique.policy.sources import RESERVED_CODES

if TYPE_CHECKING:
    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.decision import Finding
    from pratique.policy.evidence import GateInput
    from pratique.policy.standing import Assessment

_PROBE: Final = "pratique_explain_test.rego"
_INPUT: Final = "pratique_explain_input"
_NOT: Final = re.compile(r"\bnot[ \t]+([A-Za-z_]\w*)")
_FINDING: Final = re.compile(r"\s*(?:finding|result)[ \t]*:=")
_NO_CONDITION: Final = re.compile(r"\s*(?:$|#|[\]})]|some\b|every\b|[A-Za-z_]\w*[ \t]*:=)")
_HEAD_ONLY: Final = re.compile(r"\bif\b[ \t]*(?=[^{\s])")
_SHOWN: Final = 3


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a rule.

    Attributes:
        file: module it is in; of a further source below its name.
        line: from 1.
        text: the line.
        held: whether it is of the bad case, whose conditions held, and not of the good case, which failed.
    """

    file: str
    line: int
    text: str
    held: bool

    def __str__(self) -> str:
        word = "held" if self.held else "not met"
        return f"{self.file}:{self.line}: {self.text} ({word})"


class _Reached(msgspec.Struct, frozen=True):
    """Lines of one module that were reached, and all that hold code."""

    reached: frozenset[int]
    lines: frozenset[int]


class UntoldError(Exception):
    """No condition of a rule can be named; the text says why."""


def failed_conditions(
    finding: Finding, bundle: PolicyBundle, given: GateInput, assessment: Assessment, engine: Engine
) -> tuple[Condition, ...]:
    """Find the conditions behind a finding of any rule; none for what no rule reports (`evidence.…`).

    Raises:
        UntoldError: it is a rule's, and its conditions cannot be told.
    """
    if finding.code.startswith(RESERVED_CODES):
        return ()
    found = rules_of(finding.code, bundle)
    if not found:
        raise UntoldError(
            f"no METADATA declares {finding.code}, no rule has that name, and none has it as a text"
        )
    narrowed = _narrowed(assessment, finding)
    conditions: list[Condition] = []
    for rule in found:
        conditions += _conditions(rule, finding, _reached(rule, bundle, given, narrowed, engine))
    if not conditions:
        raise UntoldError(_why_none(found))
    return tuple(dict.fromkeys(conditions))[:_SHOWN]


def _conditions(rule: Found, finding: Finding, lines: _Reached) -> list[Condition]:
    text = rule.source.modules[rule.file]
    source = text.split("\n")
    bodies = [span for span in rule.bodies if _fired(span, lines, source, finding, len(rule.bodies))]
    if not bodies:
        return []
    outline = next(item for item in rule.source.outlines if item.file == rule.file)
    numbers = [number for span in bodies for number in range(span.start, span.end)]
    helpers = set(_NOT.findall("\n".join(source[number - 1] for number in numbers)))
    stopped = [
        number for span in spans(outline, text) if span.name in helpers and (number := _stopped(span, lines))
    ]
    folder = "" if rule.source.main else f"{rule.source.name}/"
    if stopped:
        return [_condition(folder, rule.file, number, source, held=False) for number in stopped]
    depths = bracket_depths(text)
    return [
        _condition(folder, rule.file, number, source, held=True)
        for span in bodies
        for number in _stated(span, source, depths, lines)
    ]


def _fired(span: Span, lines: _Reached, source: list[str], finding: Finding, bodies: int) -> bool:
    """Say whether a body found something: its head is reached after all of it.

    On a line of its own it is reached in any case, so that then only being the one body tells, or the
    finding's text in it.
    """
    own = [line for line in lines.lines if span.start <= line < span.end]
    if span.start not in lines.reached:
        return False
    said = f'"{finding.msg}"' in source[span.start - 1]
    return len(own) > 1 or bodies == 1 or said


def _stated(span: Span, source: list[str], depths: list[int], lines: _Reached) -> list[int]:
    """Give the lines of a body that are conditions: neither in brackets, nor assignments, nor the finding."""
    inside = range(span.start + 1, span.end)
    base = depths[span.start]
    body = itertools.takewhile(lambda number: not _FINDING.match(source[number - 1]), inside)
    held = [
        number
        for number in body
        if depths[number - 1] == base
        and number in lines.reached
        and not _NO_CONDITION.match(source[number - 1])
    ]
    return held or ([span.start] if _HEAD_ONLY.search(source[span.start - 1]) else [])


def _why_none(found: list[Found]) -> str:
    rule = found[0]
    several = sum(len(item.bodies) for item in found)
    where = f"{rule.file} of source {rule.source.name}" if not rule.source.main else rule.file
    if several > 1:
        return f"{where} has {several} rules for it, and the lines that were reached do not tell which it was"
    return f"the rule in {where} has no line that is a condition by itself"


def _reached(
    rule: Found, bundle: PolicyBundle, given: GateInput, assessment: Assessment, engine: Engine
) -> _Reached:
    """Evaluate the rule once more, as a test, and see which lines of its module were reached.

    Raises:
        UntoldError: the engine that tells lines does not take the rules, or finds nothing.
    """
    asked = f"data.{rule.package}.{rule.name} with input as data.{_INPUT}"
    probe = (
        "package pratique_explain_test\n\nimport rego.v1\n\n"
        f"test_probe if {{\n\tfound := {asked}\n\tcount(found) > 0\n}}\n"
    )
    modules, data = prepared(rule.source, bundle, nanoseconds(given))
    document = document_of(rule.source, given, assessment)
    try:
        answer = engine.test(modules | {_PROBE: Module(source=probe)}, data | {_INPUT: document})
    except EngineError as error:
        why = f"{engine.name}, which tells lines, does not take the rules: {error.message}"
        raise UntoldError(why) from error
    (probed,) = (result for result in answer.results if result.file == _PROBE)
    if probed.outcome != "pass":
        why = probed.message or "it finds nothing"
        raise UntoldError(f"{engine.name}, which tells lines, does not find it again: {why}")
    found = answer.coverage[rule.file]
    return _Reached(frozenset(found.covered), frozenset({*found.covered, *found.not_covered}))


def _narrowed(assessment: Assessment, finding: Finding) -> Assessment:
    """Leave only the evidence that a finding names, where it names some of a type."""
    named = set(finding.evidence)
    standing = {
        short: tuple(item for item in items if str(item.digest) in named) or items
        for short, items in assessment.standing.items()
    }
    return msgspec.structs.replace(assessment, standing=standing)


def _stopped(span: Span, lines: _Reached) -> int:
    """Give the last line of a statement that was reached before one that was not; 0 where none was."""
    own = sorted(line for line in lines.lines if span.start <= line < span.end)
    came = 0
    # A head is evaluated after its body.
    for line in own[1:] if len(own) > 1 and own[0] == span.start else own:
        if line not in lines.reached:
            break
        came = line
    return came


def _condition(folder: str, file: str, number: int, source: list[str], *, held: bool) -> Condition:
    return Condition(file=f"{folder}{file}", line=number, text=source[number - 1].strip(), held=held)
