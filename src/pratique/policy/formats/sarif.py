"""A decision as SARIF 2.1.0: what denies, warns or is waived; what is waived has suppressions (§3.35)."""

from __future__ import annotations

from typing import Any

from pratique import __version__
from pratique.model.finding import Finding as Observation
from pratique.model.finding import Result, Severity
from pratique.model.sarif import Rule, sarif_log
from pratique.model.strict_json import canonical_json
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.explain.words import waived_lines
from pratique.policy.formats.sarif_places import Artifacts

_SHOWN = (Status.VIOLATION, Status.ERROR, Status.WAIVED, Status.WARNING)


def write_sarif(decision: Decision) -> bytes:
    """Write one run; results are about the artifact, or what of it their places say."""
    shown = decision.with_status(*_SHOWN)
    rules = {finding.code: _rule(finding) for finding in reversed(shown)}
    log = sarif_log(
        [_observation(finding, decision) for finding in shown],
        list(rules.values()),
        tool="pratique gate",
        version=__version__,
    )
    (run,) = log["runs"]
    artifacts = Artifacts(decision)
    run["results"] = [
        result | {"locations": artifacts.locations(finding.locations)} | _particulars(finding)
        for result, finding in zip(run["results"], shown, strict=True)
    ]
    run["artifacts"] = artifacts.listed
    run["invocations"] = [{"executionSuccessful": not decision.with_status(Status.ERROR)}]
    run["properties"] = {
        "decision": decision.decision,
        "artifact": str(decision.subject),
        "policy": str(decision.policy),
        "effectiveTime": decision.effective_time,
    }
    return canonical_json(log) + b"\n"


def _rule(finding: Finding) -> Rule:
    return Rule(
        id=finding.code,
        title=finding.title or finding.code,
        help=finding.solution or finding.title or finding.code,
        severity=_severity(finding),
    )


def _observation(finding: Finding, decision: Decision) -> Observation:
    return Observation(
        id=finding.code,
        result=Result.FAIL,
        severity=_severity(finding),
        title=finding.title,
        detail=finding.msg,
        location=" ".join((decision.name, *finding.term)).lstrip("/"),
        fix=finding.solution,
    )


def _particulars(finding: Finding) -> dict[str, Any]:
    """Give what sets a warning and a waived violation apart from a failure."""
    if finding.status is Status.WARNING:
        return {"level": "warning"}
    if finding.status is not Status.WAIVED:
        return {}
    return {
        "suppressions": [
            {"kind": "external", "status": "accepted", "justification": line}
            for line in waived_lines(finding)
        ]
    }


def _severity(finding: Finding) -> Severity:
    known = {severity.value: severity for severity in Severity}
    return known.get(finding.severity, Severity.UNKNOWN)
