"""SARIF: the structure that the standard's schema asks for, checked by hand, and what we promise about it."""

from __future__ import annotations

import json

import pytest

from pratique.model.finding import Finding, Result, Severity
from pratique.model.sarif import Rule, sarif_log

RULES = (
    Rule(id="A-01", title="First", help="**Looks at** `/x`.\n\n**Fix:** do.", severity=Severity.HIGH),
    Rule(id="A-02", title="Second", help="Look.", severity=Severity.LOW),
)


def finding(result: Result, severity: Severity = Severity.HIGH, **other: str) -> Finding:
    return Finding(**({"id": "A-01", "title": "First"} | other), result=result, severity=severity)


def results(*findings: Finding) -> list[dict[str, object]]:
    found: list[dict[str, object]] = sarif_log(findings, RULES, tool="t", version="1")["runs"][0]["results"]
    return found


def test_a_whole_log() -> None:
    failed = finding(Result.FAIL, detail="it is so", location="/etc/a b", fix="do")
    assert sarif_log([failed], RULES, tool="pratique runner", version="0.1.0") == {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "pratique runner",
                        "version": "0.1.0",
                        "rules": [
                            {
                                "id": "A-01",
                                "shortDescription": {"text": "First"},
                                "help": {
                                    "text": "Looks at /x.\n\nFix: do.",
                                    "markdown": "**Looks at** `/x`.\n\n**Fix:** do.",
                                },
                                "defaultConfiguration": {"level": "error"},
                                "properties": {"tags": ["security"], "security-severity": "8.0"},
                            },
                            {
                                "id": "A-02",
                                "shortDescription": {"text": "Second"},
                                "help": {"text": "Look.", "markdown": "Look."},
                                "defaultConfiguration": {"level": "note"},
                                "properties": {"tags": ["security"], "security-severity": "2.0"},
                            },
                        ],
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "results": [
                    {
                        "ruleId": "A-01",
                        "ruleIndex": 0,
                        "kind": "fail",
                        "level": "error",
                        "message": {"text": "First. it is so. Fix: do"},
                        # printf 'A-01\0/etc/a b' | sha256sum
                        "partialFingerprints": {
                            "about/v1": "197ce6d698f3fa027c6cd9dadedc8cf408d34580bdfc3e9ae05b3cd07d2212d1"
                        },
                        "properties": {"severity": "high"},
                        "locations": [
                            {"physicalLocation": {"artifactLocation": {"uri": "file:///etc/a%20b"}}}
                        ],
                    }
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("severity", "level"),
    [
        ("critical", "error"),
        ("high", "error"),
        ("medium", "warning"),
        ("unknown", "warning"),
        ("low", "note"),
    ],
)
def test_levels_go_by_severity(severity: str, level: str) -> None:
    assert results(finding(Result.FAIL, Severity(severity)))[0]["level"] == level


def test_what_is_unknown_is_open_and_of_no_level() -> None:
    (only,) = results(finding(Result.UNKNOWN, Severity.CRITICAL))
    assert (only["kind"], only["level"]) == ("open", "none")
    assert only["properties"] == {"severity": "critical"}


def test_what_passed_or_does_not_apply_is_left_out() -> None:
    assert results(finding(Result.PASS), finding(Result.NOT_APPLICABLE)) == []


def test_what_is_no_path_is_a_name_and_what_is_nowhere_has_no_location() -> None:
    named, nowhere = results(finding(Result.FAIL, location="pkg:pypi/x@1"), finding(Result.FAIL))
    assert named["locations"] == [{"logicalLocations": [{"fullyQualifiedName": "pkg:pypi/x@1"}]}]
    assert "locations" not in nowhere


def test_results_point_to_their_rule() -> None:
    (second,) = results(finding(Result.FAIL, id="A-02"))
    assert (second["ruleId"], second["ruleIndex"]) == ("A-02", 1)
    with pytest.raises(LookupError):
        results(finding(Result.FAIL, id="A-03"))


def test_the_fingerprint_survives_other_details() -> None:
    one, other, elsewhere = results(
        finding(Result.FAIL, detail="pid 1"),
        finding(Result.FAIL, detail="pid 2"),
        finding(Result.FAIL, location="x"),
    )
    assert one["partialFingerprints"] == other["partialFingerprints"] != elsewhere["partialFingerprints"]


def test_it_is_json() -> None:
    log = sarif_log([finding(Result.FAIL, location="/ü")], RULES, tool="t", version="1")
    assert json.loads(json.dumps(log)) == log
