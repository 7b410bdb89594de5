"""Findings as SARIF 2.1.0 (OASIS, errata 01), for code-scanning views and other tools (pure)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from pratique.model.finding import Finding, Result, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.UNKNOWN: "warning",
    Severity.LOW: "note",
}
# What code-scanning views sort by; the middle of each band of CVSS.
_SCORES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.UNKNOWN: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What findings of one id have in common.

    Attributes:
        id: the findings' id.
        title: what is looked at, in one line.
        help: how it is judged and what to do, as Markdown.
        severity: how much a failure matters, where a finding does not say otherwise.
    """

    id: str
    title: str
    help: str
    severity: Severity


def sarif_log(
    findings: Iterable[Finding], rules: Sequence[Rule], *, tool: str, version: str
) -> dict[str, Any]:
    """Write findings as one SARIF log with one run.

    What failed is a result whose level goes by severity. What is unknown is a result of the kind `open`,
    whose level has to be `none` (§3.27.9, §3.27.10). What passed or does not apply is left out.

    Args:
        findings: of whatever results.
        rules: at least one for each finding's id.
        tool: what looked, for example "pratique runner".
        version: its version.

    Raises:
        LookupError: a finding without a rule.
    """
    index = {rule.id: number for number, rule in enumerate(rules)}
    wanted = (item for item in findings if item.result in {Result.FAIL, Result.UNKNOWN})
    driver = {"name": tool, "version": version, "rules": [_rule(rule) for rule in rules]}
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(item, index[item.id]) for item in wanted],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "help": {"text": rule.help.replace("**", "").replace("`", ""), "markdown": rule.help},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["security"], "security-severity": _SCORES[rule.severity]},
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    failed = finding.result is Result.FAIL
    said = [finding.title, finding.detail, f"Fix: {finding.fix}" if finding.fix else ""]
    result = {
        "ruleId": finding.id,
        "ruleIndex": rule_index,
        "kind": "fail" if failed else "open",
        "level": _LEVELS[finding.severity] if failed else "none",
        "message": {"text": ". ".join(part for part in said if part)},
        # The detail changes from run to run; what it is about does not.
        "partialFingerprints": {"about/v1": _fingerprint(finding)},
        "properties": {"severity": finding.severity.value},
    }
    return result | ({"locations": [_location(finding.location)]} if finding.location else {})


def _fingerprint(finding: Finding) -> str:
    return hashlib.sha256(f"{finding.id}\0{finding.location}".encode()).hexdigest()


def _location(location: str) -> dict[str, Any]:
    """Write an absolute path as a file; a package URL, a variable or the like as a name."""
    if location.startswith("/"):
        return {"physicalLocation": {"artifactLocation": {"uri": f"file://{quote(location)}"}}}
    return {"logicalLocations": [{"fullyQualifiedName": location}]}
