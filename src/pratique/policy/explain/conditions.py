"""Which condition of a rule failed: read from the lines that the engine reached on this very input.

A rule that denies unless a good case is proved (`not good(x)`) fails where the good case stopped: at the last
line of it that was reached. The engine says which lines were; where a helper ran for several values, that is
the furthest any of them came. A rule that states the bad case itself shows its own conditions, which held.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.policy.engine.port import Engine, EngineError, Module
from pratique.policy.inputs import evidence_input, nanoseconds
from pratique.policy.results import source_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.decision import Finding
    from pratique.policy.evidence import GateInput
    from pratique.policy.language.annotations import Outline
    from pratique.policy.language.catalogue import RuleInfo
    from pratique.policy.standing import Assessment

_PROBE: Final = "pratique_explain_test.rego"
_INPUT: Final = "pratique_explain_input"
_NOT: Final = re.compile(r"\bnot[ \t]+([A-Za-z_]\w*)")
_FINDING: Final = re.compile(r"\s*finding[ \t]*:=")
_NO_CONDITION: Final = re.compile(r"\s*(?:some\b|every\b|[A-Za-z_]\w*[ \t]*:=|[A-Za-z_]\w*[ \t]+contains\b)")
_SHOWN: Final = 3


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a rule.

    Attributes:
        file: module it is in.
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


def failed_conditions(
    finding: Finding, bundle: PolicyBundle, given: GateInput, assessment: Assessment, engine: Engine
) -> tuple[Condition, ...]:
    """Find the conditions behind a finding of the policy's own rules; none where they cannot be told."""
    info = bundle.rules.get(finding.code)
    outline = next((item for item in bundle.main.outlines if info and item.file == info.file), None)
    if info is None or outline is None:
        return ()
    try:
        reached, lines = _reached(info, bundle, given, _narrowed(assessment, finding), engine)
    except EngineError:
        return ()
    source = bundle.modules[info.file].split("\n")
    spans = _spans(outline, bundle.modules[info.file])
    rule = next((span for span in spans if span[1] > info.line), None)
    if rule is None:
        return ()
    body = range(rule[1], rule[2])
    helpers = set(_NOT.findall("\n".join(source[number - 1] for number in body)))
    stopped = [
        number
        for name, start, end in spans
        if name in helpers and (number := _stopped(start, end, reached, lines))
    ]
    if stopped:
        return tuple(_condition(info.file, number, source, held=False) for number in stopped[:_SHOWN])
    stated = itertools.takewhile(lambda number: not _FINDING.match(source[number - 1]), body)
    held = [number for number in stated if number in reached and not _NO_CONDITION.match(source[number - 1])]
    return tuple(_condition(info.file, number, source, held=True) for number in held[:_SHOWN])


def _reached(
    info: RuleInfo, bundle: PolicyBundle, given: GateInput, assessment: Assessment, engine: Engine
) -> tuple[set[int], set[int]]:
    """Evaluate the rule once more, as a test, and give the lines of its module that were reached, and all."""
    asked = f"data.{info.package}.{info.rule} with input as data.{_INPUT}"
    probe = (
        "package pratique_explain_test\n\nimport rego.v1\n\n"
        f"test_probe if {{\n\tfound := {asked}\n\tcount(found) > 0\n}}\n"
    )
    modules = {name: Module(source=text, rego=bundle.main.rego) for name, text in bundle.modules.items()}
    data: dict[str, Any] = source_data(bundle.main, bundle, nanoseconds(given))
    answer = engine.test(
        modules | {_PROBE: Module(source=probe)}, data | {_INPUT: evidence_input(given, assessment)}
    )
    if [result.outcome for result in answer.results if result.file == _PROBE] != ["pass"]:
        return set(), set()
    found = answer.coverage[info.file]
    return set(found.covered), {*found.covered, *found.not_covered}


def _narrowed(assessment: Assessment, finding: Finding) -> Assessment:
    """Leave only the evidence that a finding names, where it names some of a type."""
    named = set(finding.evidence)
    standing = {
        short: tuple(item for item in items if str(item.digest) in named) or items
        for short, items in assessment.standing.items()
    }
    return msgspec.structs.replace(assessment, standing=standing)


def _spans(outline: Outline, source: str) -> list[tuple[str, int, int]]:
    """Give each top-level statement's name, first line, and the line after its last."""
    starts = [(name, source.count("\n", 0, offset) + 1) for offset, name in outline.heads]
    ends = [line for _, line in starts[1:]] + [source.count("\n") + 2]
    return [(name, line, end) for (name, line), end in zip(starts, ends, strict=True)]


def _stopped(start: int, end: int, reached: set[int], lines: set[int]) -> int:
    """Give the last line of a statement that was reached before one that was not; 0 where none was."""
    own = sorted(line for line in lines if start <= line < end)
    came = 0
    for line in own[1:] if len(own) > 1 and own[0] == start else own:  # a head is evaluated after its body
        if line not in reached:
            break
        came = line
    return came


def _condition(file: str, number: int, source: list[str], *, held: bool) -> Condition:
    return Condition(file=file, line=number, text=source[number - 1].strip(), held=held)


def rule_lines(conditions: tuple[Condition, ...]) -> Iterator[str]:
    """Write conditions for people."""
    for condition in conditions:
        yield str(condition)
