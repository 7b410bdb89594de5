"""One artifact's report as one HTML file that needs nothing else: no script, no font, no request.

Every string shown may come from an attacker (an artifact's name, a finding's message). So autoescaping is on
for the whole template, nothing from the chain becomes a link or an attribute that a browser acts on,
characters that reorder or hide text are spelt out, and a Content-Security-Policy forbids all but the style.
The same chain and time give the same bytes.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import jinja2
import msgspec

from pratique.model.clock import format_time
from pratique.report.chain import Chain, DecisionView, RuleStatus, Step, StepKind, Verdict
from pratique.report.ssdf import Status, TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

# C0 and C1 controls, zero-width and bidirectional formatting characters: a reader must see they are there.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)

_TITLES: Final = {
    StepKind.RUNNER_CHECK: "Runner check",
    StepKind.BUILD: "Build",
    StepKind.REBUILD: "Rebuild",
    StepKind.SBOM: "Components",
    StepKind.SCAN: "Scan",
    StepKind.DECISION: "Decision",
    StepKind.APPROVAL: "Approval",
    StepKind.DEPLOYMENT: "Deployment",
    StepKind.ROLLBACK: "Rollback",
}
# One bad check spoils its station for good; a judgement or an act is what the latest one says.
_LATEST_SPEAKS: Final = {StepKind.DECISION, StepKind.APPROVAL, StepKind.DEPLOYMENT, StepKind.ROLLBACK}
_GRAVITY: Final = [Verdict.BAD, Verdict.UNCLEAR, Verdict.GOOD]

_GROUPS: Final = {
    "PO": "Prepare the organization",
    "PS": "Protect the software",
    "PW": "Produce well-secured software",
    "RV": "Respond to vulnerabilities",
}
_STATUS_WORDS: Final = {
    Status.EVIDENCED: "evidenced",
    Status.PARTLY: "partly evidenced",
    Status.DECLARATION_NEEDED: "declaration needed",
    Status.NO_EVIDENCE: "no evidence",
    Status.FAILED: "failed",
}


class _Station(msgspec.Struct, frozen=True, kw_only=True):
    """One node of the chain picture; `verdict` is `missing` where no evidence was left."""

    title: str
    verdict: str
    caption: str
    count: int


class _Headline(msgspec.Struct, frozen=True):
    verdict: str
    text: str
    detail: str


def render_html(
    chain: Chain,
    tasks: Sequence[TaskResult],
    *,
    generated_at: datetime,
    version: str,
    package: str = "audit.tar",
    draft_tasks: Sequence[TaskResult] = (),
) -> str:
    """Render the report of one artifact.

    Args:
        chain: the artifact's verified chain.
        tasks: SSDF 1.1 tasks as assessed; empty leaves the section out.
        generated_at: the time the report states as its own.
        version: the version of pratique that made it.
        package: file name of the audit package, for the instructions on verifying.
        draft_tasks: tasks of the 1.2 draft, shown in a table of their own.
    """
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            chain=chain,
            headline=_headline(chain),
            stations=_stations(chain),
            decisions=[_decision(view) for view in reversed(chain.decisions)],
            approvals=chain.steps_of(StepKind.APPROVAL),
            movements=[s for s in chain.steps if s.kind in {StepKind.DEPLOYMENT, StepKind.ROLLBACK}],
            task_groups=_task_groups(tasks),
            task_counts=_task_counts(tasks),
            draft_tasks=draft_tasks,
            generated_at=generated_at,
            version=version,
            package=shlex.quote(package),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pratique.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "time": format_time,
        "title_of": _TITLES.__getitem__,
        "status_words": _STATUS_WORDS.__getitem__,
        "size": _size,
    }
    return environment


def _visible(value: Any) -> Any:
    """Spell out characters that a browser would not show or would use to reorder what stands around them."""
    if isinstance(value, str) and _UNSEEN.search(value):
        return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", value)
    return value


def _headline(chain: Chain) -> _Headline:
    latest = chain.decisions[-1:]
    states = [f"{state.environment}: {state.phase}" for state in chain.environments]
    detail = "; ".join(states) if states else "Not deployed anywhere on record."
    if not latest:
        return _Headline("unclear", "No decision on record", detail)
    if latest[0].passed:
        return _Headline("good", "Passed policy", detail)
    return _Headline("bad", "Refused by policy", detail)


def _stations(chain: Chain) -> list[_Station]:
    stations = []
    for kind, title in _TITLES.items():
        steps = chain.steps_of(kind)
        if steps:
            shown = steps[-1] if kind in _LATEST_SPEAKS else min(steps[::-1], key=_gravity)
            stations.append(
                _Station(title=title, verdict=shown.verdict, caption=shown.summary, count=len(steps))
            )
        elif kind in chain.missing:
            stations.append(_Station(title=title, verdict="missing", caption="no evidence", count=0))
    return stations


def _gravity(step: Step) -> int:
    return _GRAVITY.index(step.verdict)


def _decision(view: DecisionView) -> dict[str, Any]:
    return {
        "view": view,
        "against": view.with_status(RuleStatus.ERROR, RuleStatus.VIOLATION),
        "warnings": view.with_status(RuleStatus.WARNING),
        "waived": view.with_status(RuleStatus.WAIVED, RuleStatus.SKIPPED),
        "successes": view.with_status(RuleStatus.SUCCESS),
    }


def _task_groups(tasks: Sequence[TaskResult]) -> list[tuple[str, list[TaskResult]]]:
    groups = [
        (f"{title} ({prefix})", [t for t in tasks if t.task.id.startswith(prefix)])
        for prefix, title in _GROUPS.items()
    ]
    return [(title, members) for title, members in groups if members]


def _task_counts(tasks: Sequence[TaskResult]) -> list[tuple[Status, int]]:
    counts = Counter(result.status for result in tasks)
    return [(status, counts[status]) for status in Status if counts[status]]


def _size(size: int) -> str:
    """Write a number of bytes for people: exact below a kibibyte, one decimal above."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":  # noqa: PLR2004 - the base of the units
            break
        value /= 1024
    return f"{size} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
