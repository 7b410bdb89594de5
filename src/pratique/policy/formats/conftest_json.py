"""A decision as Conftest's JSON output: one check result a namespace, the first part of a code."""

from __future__ import annotations

from typing import Any

import msgspec

from pratique.model.strict_json import canonical_json
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.explain.words import waived_lines

_LISTS = {
    "failures": (Status.VIOLATION, Status.ERROR),
    "warnings": (Status.WARNING,),
    "exceptions": (Status.WAIVED,),
    "skipped": (Status.SKIPPED,),
}


def write_conftest(decision: Decision) -> bytes:
    """Write what `conftest test --output json` would; what is waived is an exception, an error a failure."""
    by_namespace: dict[str, list[Finding]] = {}
    for finding in decision.results:
        by_namespace.setdefault(finding.code.split(".")[0], []).append(finding)
    checks = [
        _check(decision.name, namespace, findings) for namespace, findings in sorted(by_namespace.items())
    ]
    return canonical_json(checks) + b"\n"


def _check(filename: str, namespace: str, findings: list[Finding]) -> dict[str, Any]:
    check: dict[str, Any] = {
        "filename": filename,
        "namespace": namespace,
        "successes": sum(finding.status is Status.SUCCESS for finding in findings),
    }
    for name, statuses in _LISTS.items():
        listed = [_result(finding) for finding in findings if finding.status in statuses]
        if listed:
            check[name] = listed
    return check


def _result(finding: Finding) -> dict[str, Any]:
    ours: dict[str, Any] = {
        "code": finding.code,
        "status": finding.status.value,
        "severity": finding.severity,
        "term": list(finding.term),
        "solution": finding.solution,
        "locations": msgspec.to_builtins(finding.locations),
        "waivers": list(waived_lines(finding)),
    }
    kept = {name: value for name, value in ours.items() if value}
    result = {"msg": finding.msg or finding.title, "metadata": finding.metadata | kept}
    return result | ({"loc": loc} if (loc := _loc(finding)) else {})


def _loc(finding: Finding) -> dict[str, Any]:
    """Give the first place in a file as Conftest has it."""
    place = next((place for place in finding.locations if place.file or place.member), None)
    if place is None:
        return {}
    return {"file": place.file or place.member} | ({"line": place.line} if place.line else {})
