"""The generated part of docs/policy-rules.md: what METADATA and the table of levels say."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from pratique.policy.shipped import PROFILES, asked_by, level_table, shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.policy.language.catalogue import RuleInfo

PAGE = Path(__file__).resolve().parent / "policy-rules.md"
MARK = "<!-- Generated from here on by `python docs/check.py --write`. -->\n"
_WIDTH = 120


def rules_page() -> str:
    """Render the page: what is written by hand up to the mark, then the levels and one section a rule."""
    written, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    bundle = shipped_bundle()
    rules = sorted(bundle.rules.values(), key=lambda info: (info.file, info.line))
    return (
        written
        + mark
        + _levels(rules)
        + "".join(
            _module(bundle.modules[file], infos) for file, infos in groupby(rules, key=lambda info: info.file)
        )
    )


def _levels(rules: Iterable[RuleInfo]) -> str:
    table = level_table()
    lines = ["", "## Levels", "", f"| rule | {' | '.join(PROFILES)} |", f"|---|{'---|' * len(PROFILES)}"]
    for info in rules:
        row = (table[info.code][profile] for profile in PROFILES)
        lines.append(f"| [`{info.code}`](#{info.code.replace('.', '')}) | {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def _module(source: str, infos: Iterable[RuleInfo]) -> str:
    heading, _, about = source.partition("\n")[0].removeprefix("# ").partition(": ")
    parts = [f"## {heading}", *_wrapped(about[:1].upper() + about[1:])]
    for info in infos:
        facts = f"{info.title}. Severity: {info.severity}."
        if info.needs:
            facts += f" Looks at: {info.needs}."
        facts += f" Controls: {', '.join(info.controls)}"
        if info.code in asked_by():
            name = ".".join(asked_by()[info.code])
            facts += f". Off, and shown as skipped, unless the rule data sets `{name}`."
        parts += [
            f"### `{info.code}`",
            *_wrapped(facts),
            *_wrapped(info.description),
            f"Fix: {info.solution}",
        ]
    return "\n" + "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> list[str]:
    return ["\n".join(wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))] if text else []
