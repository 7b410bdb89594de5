"""The in-toto vulnerabilities predicate v0.2 (in-toto/attestation, spec/predicates/vulns_02.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pratique
from pratique.model.clock import format_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pratique.scan.match import MatchReport, Vulnerability

COVERAGE: Final = "https://pratique.dev/coverage"
"""Our extension member: readers that do not know it ignore it, as the framework's parsing rules say."""


def vulns_predicate(
    report: MatchReport, *, started: datetime, finished: datetime, statements: Sequence[str] = ()
) -> dict[str, Any]:
    """Write a match report as the predicate of a vulns v0.2 statement.

    `statements` are the digests of the VEX evidence that was taken into account.

    There is one result for each pair of vulnerability and component. An empty result list means "none found"
    only where the coverage extension's `unknown` is empty too, which the published format cannot say itself.
    """
    info = report.coverage.database
    return {
        "scanner": {
            "uri": "https://pratique.dev/scan",
            "version": pratique.__version__,
            "db": {
                "uri": "https://pratique.dev/advisories",
                "version": str(info.digest),
                "lastUpdate": format_time(info.oldest),
                "digest": info.digest.digest_set,
            },
            "result": [_result(finding) for finding in report.findings],
        },
        "metadata": {"scanStartedOn": format_time(started), "scanFinishedOn": format_time(finished)},
        COVERAGE: coverage(report) | ({"statements": list(statements)} if statements else {}),
    }


def coverage(report: MatchReport) -> dict[str, Any]:
    """Say what the result rests on: components seen and judged, what stayed unknown, whose data."""
    info = report.coverage.database
    return {
        "components": report.coverage.components,
        "checked": report.coverage.checked,
        "ecosystems": report.coverage.ecosystems,
        "unknown": [{"subject": item.subject, "reason": item.reason} for item in report.unknown],
        **({"unusedStatements": list(report.unused)} if report.unused else {}),
        "database": {
            "digest": info.digest.digest_set,
            "records": info.records,
            "oldestSourceDate": format_time(info.oldest),
            "sources": [
                {
                    "name": source.name,
                    "date": format_time(source.date),
                    "licence": source.licence,
                    "attribution": source.attribution,
                    "records": source.records,
                    "unattributed": source.unattributed,
                }
                for source in (*info.sources, *info.signals)
            ],
        },
    }


def _result(finding: Vulnerability) -> dict[str, Any]:
    severity = [{"method": "qualitative", "score": finding.severity.value}]
    if finding.score is not None:
        severity.append({"method": "cvss_v3", "score": f"{finding.score:.1f}"})
    return {
        "id": finding.id,
        "severity": severity,
        "annotations": [
            {
                "purl": finding.purl,
                "aliases": list(finding.aliases),
                "summary": finding.summary,
                "ranges": list(finding.ranges),
                "fixedVersions": list(finding.fixed_versions),
                "knownExploitedSince": finding.exploited_since,
                "vector": finding.vector,
                "sources": list(finding.sources),
            }
            | ({"epss": finding.epss} if finding.epss is not None else {})
            | ({"published": finding.published} if finding.published else {})
            | ({"suppressedBy": finding.suppressed} if finding.suppressed else {})
        ],
    }
