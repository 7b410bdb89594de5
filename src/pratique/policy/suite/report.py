"""What the tests came to, for people and for CI (pure)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pratique.policy.formats.junit import xml_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pratique.policy.engine.port import TestResult
    from pratique.policy.suite.run import TestReport

_MARKS = {"pass": "✓", "fail": "✗", "error": "!", "skipped": "-"}
_TAGS = {"fail": "failure", "error": "error", "skipped": "skipped"}
_COUNTS = (("fail", "failures"), ("error", "errors"), ("skipped", "skipped"))


def text_lines(report: TestReport, *, verbose: bool) -> Iterator[str]:
    """Give what a person reads: what failed and where, what passed if asked for, and what was not reached."""
    for file, results in itertools.groupby(report.results, key=lambda result: result.file):
        shown = [result for result in results if verbose or result.outcome != "pass"]
        if shown:
            yield file
        for result in shown:
            line = (
                f"  {_MARKS[result.outcome]} {result.name}"
                if result.name != file
                else f"  {_MARKS[result.outcome]}"
            )
            place = f"  line {result.line}" if result.line and result.outcome != "pass" else ""
            yield f"{line}{place}{f': {result.message}' if result.message else ''}"
    if report.coverage:
        width = max(len(file.file) for file in report.coverage)
        for file in report.coverage:
            missed = f"  not reached: {ranges(file.missed)}" if file.missed else ""
            yield f"{file.file:<{width}}  {file.percent:5.1f} %{missed}"


def summary(report: TestReport) -> str:
    """Put the counts into one line."""
    parts = [f"{report.count('pass')} passed", f"{report.count('fail')} failed"]
    parts += [f"{report.count('error')} in error"] if report.count("error") else []
    parts += [f"{report.count('skipped')} skipped"] if report.count("skipped") else []
    covered = f"; {report.percent:.1f} % of lines reached" if report.coverage else ""
    return ", ".join(parts) + covered


def report_document(report: TestReport) -> dict[str, Any]:
    """Give the report as JSON values."""
    return {
        "results": [
            {
                "package": item.package,
                "name": item.name,
                "file": item.file,
                "line": item.line,
                "outcome": item.outcome,
                "message": item.message,
            }
            for item in report.results
        ],
        "coverage": {
            file.file: {"lines": file.lines, "missed": list(file.missed), "percent": round(file.percent, 1)}
            for file in report.coverage
        },
        "percent": round(report.percent, 1) if report.coverage else None,
    }


def write_junit(report: TestReport, *, seconds: float) -> bytes:
    """Write one suite; the time is that of all tests together, which is how they run."""
    numbers = {"tests": str(len(report.results))} | {
        name: str(report.count(outcome))  # type: ignore[arg-type] # the table's keys are outcomes
        for outcome, name in _COUNTS
    }
    root = ET.Element("testsuites", {"name": "pratique policy test", "time": f"{seconds:.3f}", **numbers})
    suite = ET.SubElement(root, "testsuite", {"name": "policy", "time": f"{seconds:.3f}", **numbers})
    for result in report.results:
        _case(suite, result)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _case(suite: ET.Element, result: TestResult) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        {"classname": xml_text(result.package), "name": xml_text(result.name), "file": xml_text(result.file)},
    )
    if result.line:
        case.set("line", str(result.line))
    if tag := _TAGS.get(result.outcome):
        ET.SubElement(case, tag, {"message": xml_text(result.message)})


def ranges(lines: Iterable[int]) -> str:
    """Write sorted line numbers as `3, 7-9`."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][-1] + 1:
            parts[-1][1:] = [line]
        else:
            parts.append([line])
    return ", ".join("-".join(str(number) for number in part) for part in parts)
