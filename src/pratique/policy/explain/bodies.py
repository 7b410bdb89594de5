"""Which rule a finding's code is of, and where in the text its bodies are (pure).

METADATA says it, where there is some. Rules in Conftest's ways have none: their code is the name of the rule,
or what they say themselves.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import msgspec

from pratique.policy.language.catalogue import ENTRY
from pratique.policy.sources import Source  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.language.annotations import Outline


class Span(msgspec.Struct, frozen=True):
    """One top-level statement: its name, first line, and the line after its last."""

    name: str
    start: int
    end: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The rule behind a code.

    Attributes:
        source: whose.
        package: it is in.
        name: `deny` or the like.
        file: module its bodies are in.
        bodies: one for each way in which it may find something.
    """

    source: Source
    package: str
    name: str
    file: str
    bodies: tuple[Span, ...]


def rules_of(code: str, bundle: PolicyBundle) -> list[Found]:
    """Find the rule, or the rules, that report a code; none where nothing in the text says it."""
    for source in (bundle.main, *bundle.sources):
        by_file = {item.file: item for item in source.outlines}
        if info := source.rules.get(code):
            bodies = _below(info.line, info.rule, by_file[info.file], source)
            return [Found(source=source, package=info.package, name=info.rule, file=info.file, bodies=bodies)]
        found = list(_undeclared(code, source))
        if found:
            return found
    return []


def _below(line: int, rule: str, item: Outline, source: Source) -> tuple[Span, ...]:
    """Give the bodies that a METADATA block speaks of: those of its rule's name, up to the next block."""
    until = min((block.line for block in item.blocks if block.line > line), default=0)
    following = (span for span in spans(item, source.modules[item.file]) if span.start > line)
    own = itertools.takewhile(lambda span: span.name == rule and (not until or span.start < until), following)
    return tuple(own)


def _undeclared(code: str, source: Source) -> Iterator[Found]:
    """Find rules without METADATA: by their name, or by the code that stands in their text."""
    for item in source.outlines if not source.main else ():
        text = source.modules[item.file]
        lines = text.split("\n")
        by_rule: dict[str, list[Span]] = {}
        for span in spans(item, text):
            body = "\n".join(lines[span.start - 1 : span.end - 1])
            named = f"{item.package}.{span.name}" == code or f'"{code}"' in body
            if ENTRY.match(span.name) and named:
                by_rule.setdefault(span.name, []).append(span)
        for name, found in by_rule.items():
            yield Found(source=source, package=item.package, name=name, file=item.file, bodies=tuple(found))


def spans(item: Outline, text: str) -> list[Span]:
    """Give all top-level statements of a module, in order."""
    starts = [(name, text.count("\n", 0, offset) + 1) for offset, name in item.heads]
    ends = [line for _, line in starts[1:]] + [text.count("\n") + 2]
    return [Span(name, line, end) for (name, line), end in zip(starts, ends, strict=True)]
