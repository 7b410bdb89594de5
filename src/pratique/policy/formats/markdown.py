"""A decision as Markdown (CommonMark), for a job summary or a comment.

Whatever comes from evidence or people is put into code spans, where nothing is markup, a link, a mention or
HTML, and which no text can leave.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.explain.words import waived_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = (
    ("Refused", Status.ERROR),
    ("Refused", Status.VIOLATION),
    ("Waived", Status.WAIVED),
    ("Warnings", Status.WARNING),
)
_TICKS = re.compile("`+")


def write_markdown(decision: Decision) -> bytes:
    """Write what refuses, then what is waived, then what warns, and the rest in two lines."""
    word = "Passed" if decision.allowed else "Refused"
    lines = [
        f"# {word}: {code_span(decision.name)}",
        "",
        f"- artifact {code_span(str(decision.subject))}",
        f"- policy {code_span(str(decision.policy))}",
        *(f"- held to the policy of {code_span(str(item))}" for item in decision.organisations),
        f"- decided as of {code_span(decision.effective_time)}, mode {code_span(decision.mode.value)}",
    ]
    heading = ""
    for title, status in _GROUPS:
        findings = decision.with_status(status)
        if findings and title != heading:
            heading = title
            lines += ["", f"## {title}", ""]
        for finding in findings:
            lines += _item(finding)
    passed, skipped = decision.with_status(Status.SUCCESS), decision.with_status(Status.SKIPPED)
    lines += ["", f"{len(passed)} passed, {len(skipped)} skipped."]
    lines += [""] * bool(skipped)
    lines += [f"- skipped {code_span(item.code)}: {code_span(item.msg)}" for item in skipped]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def code_span(text: str) -> str:
    """Put text into a code span that it cannot leave: a fence longer than any in it (CommonMark 6.1)."""
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split()) or "-"
    fence = "`" * (max((len(run) for run in _TICKS.findall(line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def _item(finding: Finding) -> Iterator[str]:
    severity = code_span(finding.severity or "unknown")
    yield f"- {code_span(finding.code)} ({severity}): {code_span(finding.title)}"
    if finding.msg:
        yield f"  - seen: {code_span(finding.msg)}"
    for place in finding.locations:
        yield f"  - at: {code_span(str(place))}"
    for line in waived_lines(finding):
        yield f"  - waived by: {code_span(line)}"
    if finding.solution and finding.status is not Status.WAIVED:
        yield f"  - cure: {code_span(finding.solution)}"
