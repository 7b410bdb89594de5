"""Where a rule weighs more than one member: VEX statements, licence expressions, profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import policy_scenario as s
import pytest
import rule_scenario as r

from pratique.image.check.result import check_predicate
from pratique.model.finding import Finding, Result, Severity
from pratique.policy.decision import Status
from pratique.policy.gate import evaluate
from pratique.policy.shipped import PROFILES, shipped_bundle

RESULTS = "vulns/scanner/result"
HIGH = s.vulnerability("high", exploited="2026-01-01")
LATER = "2026-11-23T00:00:00Z"
ARTIFACT = {"@id": "pkg:generic/harbour", "hashes": {"sha-256": s.SUBJECT.hex}}


def said(*statements: dict[str, Any]) -> dict[str, Any]:
    document = r.vex()
    document["statements"] = [document["statements"][0] | one for one in statements]
    return document


APPLIES = {
    "as published": [{}],
    "component without version": [{"products": [{"@id": "pkg:pypi/markupsafe"}]}],
    "component as text": [{"products": [s.LOCKED]}],
    "component by its identifiers": [{"products": [{"@id": "x", "identifiers": {"purl": s.LOCKED}}]}],
    "artifact, by its digest": [{"products": [ARTIFACT]}],
    "artifact by digest alone": [{"products": [{"@id": f"sha256:{s.SUBJECT.hex}"}]}],
    "component of the artifact": [{"products": [ARTIFACT | {"subcomponents": [{"@id": s.LOCKED}]}]}],
    "an alias": [{"vulnerability": {"name": "GHSA-1", "aliases": ["CVE-2026-1"]}}],
    "vulnerability as text": [{"vulnerability": "CVE-2026-1"}],
    "an impact statement": [{"justification": None, "impact_statement": "never called"}],
    "fixed": [{"status": "fixed", "justification": None}],
    "time of the document": [{"timestamp": None}],
    "no harm, said last": [{"status": "affected"}, {"timestamp": LATER}],
}
DOES_NOT = {
    "another vulnerability": [{"vulnerability": {"name": "CVE-2026-2"}}],
    "another component": [{"products": [{"@id": "pkg:pypi/jinja2@3.0.2"}]}],
    "another version": [{"products": [{"@id": "pkg:pypi/markupsafe@3.0.1"}]}],
    "another part of the artifact": [
        {"products": [ARTIFACT | {"subcomponents": [{"@id": "pkg:pypi/jinja2"}]}]}
    ],
    "another artifact": [{"products": [ARTIFACT | {"hashes": {"sha-256": "0" * 64}}]}],
    "no product": [{"products": []}],
    "no reason": [{"justification": None}],
    "an empty reason": [{"justification": "", "impact_statement": ""}],
    "a reason that is none": [{"justification": "we looked"}],
    "affected": [{"status": "affected"}],
    "under investigation": [{"status": "under_investigation"}],
    "a status that is none": [{"status": "harmless"}],
    "from the future": [{"timestamp": "2026-11-23T12:00:01Z"}],
    "a time that is none": [{"timestamp": "last week"}],
    "harm, said last": [{}, {"status": "affected", "timestamp": LATER}],
    "harm, said at the same time": [{}, {"status": "under_investigation"}],
    "harm, nobody knows when": [{}, {"status": "affected", "timestamp": "some day"}],
}


def clean(document: dict[str, Any]) -> dict[str, Any]:
    document["statements"] = [
        {key: value for key, value in one.items() if value is not None} for one in document["statements"]
    ]
    return document


@pytest.mark.parametrize("name", [*APPLIES, *DOES_NOT])
def test_a_vex_statement_answers_only_for_what_it_is_about(name: str) -> None:
    statements = APPLIES.get(name) or DOES_NOT[name]
    found = r.findings(r.decide({RESULTS: [HIGH], "vex": clean(said(*statements))}))
    assert "engine.error" not in found
    assert ("vex.applied" in found) is (name in APPLIES)
    assert ("vulns.threshold" in found) is (name in DOES_NOT)
    assert ("vulns.exploited" in found) is (name in DOES_NOT)


def test_a_finding_about_nothing_named_is_judged_as_others_are() -> None:
    bare = {"severity": [{"method": "CVSS_V3", "score": "9.1"}]}
    found = r.findings(r.decide({RESULTS: [bare]}))
    (finding,) = found["vulns.threshold"]
    assert finding.msg.startswith("(unnamed) in an unnamed component is at or above the threshold")
    assert not fired(found, "vulns.coverage")


@pytest.mark.parametrize("before", [{}, {"severity": [{"score": {}}]}, {"annotations": [7]}])
def test_a_vex_statement_excuses_the_finding_it_names_and_not_its_neighbour(before: dict[str, Any]) -> None:
    other = s.vulnerability("high") | {"id": "CVE-2026-9"}
    found = r.findings(r.decide({RESULTS: [before, other, HIGH], "vex": clean(said({}))}))
    assert [item.term[0] for item in found["vex.applied"]] == ["CVE-2026-1"]
    assert {item.term[0] for item in found["vulns.threshold"]} == {"(unnamed)", "CVE-2026-9"}


def fired(found: dict[str, list[Any]], code: str) -> bool:
    return any(item.status in {Status.VIOLATION, Status.WARNING} for item in found.get(code, []))


def test_a_vex_statement_of_a_stranger_is_set_aside() -> None:
    decision = r.decide({RESULTS: [HIGH], "vex": r.vex()}, signers={"vex": f"{s.DOMAIN}/builder/x"})
    assert "vulns.threshold" in r.findings(decision)
    assert "vex.applied" not in r.findings(decision)
    assert any("may not sign vex evidence" in item.reason for item in decision.set_aside)


@pytest.mark.parametrize(
    ("expression", "refused", "allowed"),
    [
        ("MIT", False, True),
        ("mit", False, True),
        ("AGPL-3.0-only", True, False),
        ("agpl-3.0-ONLY", True, False),
        ("AGPL-3.0-only+", True, False),
        ("Zlib", False, False),
        ("MIT OR AGPL-3.0-only", False, True),
        ("AGPL-3.0-only OR AGPL-3.0-only", True, False),
        ("MIT AND AGPL-3.0-only", True, False),
        ("MIT AND BSD-3-Clause", False, True),
        ("MIT OR Zlib AND Zlib", False, True),  # AND binds tighter
        ("Zlib AND Zlib OR MIT", False, True),
        ("Zlib AND (Zlib OR MIT)", False, False),
        ("(MIT OR AGPL-3.0-only) AND BSD-3-Clause", False, True),
        ("(MIT OR AGPL-3.0-only) AND AGPL-3.0-only", True, False),
        ("((MIT))", False, True),
        ("(MIT AND (BSD-3-Clause OR (AGPL-3.0-only AND Zlib)))", False, True),
        ("MIT AND MIT AND MIT AND MIT AND AGPL-3.0-only", True, False),
        ("AGPL-3.0-only WITH Autoconf-exception-3.0", True, False),
        ("MIT WITH Autoconf-exception-3.0", False, False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False, True),
        ("MIT OR", True, False),
        ("(MIT", True, False),
        ("OR", True, False),
        ("", True, False),
        ("MIT MIT", True, False),
    ],
)
def test_spdx_expressions_are_evaluated(expression: str, *, refused: bool, allowed: bool) -> None:
    lists = {"allowed": ["MIT", "BSD-3-Clause", "GPL-2.0-only WITH Classpath-exception-2.0"]}
    found = r.findings(
        r.decide({"sbom/components/0/licenses": [{"expression": expression}]}, data={"licences": lists})
    )
    assert ("licences.refused" in found) is refused
    assert ("licences.allowed" in found) is not allowed


def test_several_licences_of_a_component_hold_together() -> None:
    both = [{"license": {"id": "MIT"}}, {"license": {"id": "AGPL-3.0-only"}}]
    assert "licences.refused" in r.findings(r.decide({"sbom/components/0/licenses": both}))
    assert "licences.refused" not in r.findings(r.decide({"sbom/components/0/licenses": both[:1]}))


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 11, 23, 9, 0, tzinfo=UTC), False),  # all evidence is of 11:00
        (datetime(2026, 11, 23, 12, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 16, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 23, 17, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 24, 12, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 12, 0, tzinfo=UTC), True),
        (datetime(2027, 3, 1, 12, 0, tzinfo=UTC), True),
        (datetime(2028, 2, 29, 12, 0, tzinfo=UTC), False),  # a Tuesday, in a leap year
    ],
)
def test_a_window_is_a_day_of_the_week_and_a_time(at: datetime, *, is_open: bool) -> None:
    assert (at.strftime("%a") == "Mon") or not is_open  # the calendar of the standard library
    decision = r.decide(at=at)
    if at >= s.NOW:
        assert ("windows.open" in r.findings(decision)) is not is_open


def seen(name: str, result: Result, severity: Severity) -> Finding:
    return Finding(id=name, result=result, severity=severity, title=f"about {name}")


@pytest.mark.parametrize(
    ("findings", "result", "codes"),
    [
        ([("IMG-CFG-01", Result.PASS, Severity.HIGH)], "PASSED", set()),
        ([("IMG-CFG-01", Result.NOT_APPLICABLE, Severity.HIGH)], "PASSED", set()),
        ([("IMG-CFG-01", Result.FAIL, Severity.HIGH)], "FAILED", {"image.hardened"}),
        ([("IMG-CFG-02", Result.FAIL, Severity.LOW)], "WARNED", {"checks.warned"}),
        ([("IMG-CFG-02", Result.UNKNOWN, Severity.HIGH)], "WARNED", {"image.known", "checks.warned"}),
        ([("IMG-SEC-01", Result.FAIL, Severity.CRITICAL)], "FAILED", {"secrets.none"}),
        ([("IMG-ORI-04", Result.FAIL, Severity.MEDIUM)], "WARNED", {"image.base", "checks.warned"}),
    ],
)
def test_what_an_image_check_says_is_what_the_rules_read(
    findings: list[tuple[str, Result, Severity]], result: str, codes: set[str]
) -> None:
    keys = "org.opencontainers.image.base."
    names = {f"{keys}name": "registry.example/base:12", f"{keys}digest": f"sha256:{'a' * 64}"}
    predicate = check_predicate([seen(*one) for one in findings], names)
    assert predicate["result"] == result
    assert set(r.findings(r.decide({"image": predicate}))) == codes


def test_starter_passes_with_three_kinds_of_evidence_and_says_what_else_is_wrong() -> None:
    items = tuple(s.evidence(short) for short in ("provenance", "sbom", "vulns"))
    allowed = {
        profile: evaluate(s.gate_input(items), shipped_bundle(profile), r.ENGINE).decision
        for profile in PROFILES
    }
    assert [allowed[profile].allowed for profile in PROFILES] == [True, False, False]
    dirty = s.changed(s.provenance(), "buildDefinition/internalParameters/isolation/network", "host")
    items = (s.evidence("provenance", dirty), *items[1:])
    decision = evaluate(s.gate_input(items), shipped_bundle("starter"), r.ENGINE).decision
    assert decision.allowed
    assert "provenance.isolated" in {one.code for one in decision.with_status(Status.WARNING)}


def test_whatever_a_profile_lets_pass_the_one_before_lets_pass() -> None:
    verdicts = [
        evaluate(s.gate_input(), shipped_bundle(name), r.ENGINE).decision.allowed for name in PROFILES
    ]
    assert verdicts == [True, True, False]


@pytest.mark.parametrize(
    ("described", "status"), [(s.LOCKED, Status.SUCCESS), ("pkg:pypi/other@1", Status.VIOLATION)]
)
def test_the_project_itself_is_no_new_component(described: str, status: Status) -> None:
    body = s.changed(s.sbom(), "metadata/component/purl", described)
    data = {"dependencies": {"known": ["pkg:pypi/x"], "min_age_days": 7}}
    given = s.gate_input(s.complete(sbom=body))
    decision = evaluate(given, shipped_bundle("high", data=data), r.ENGINE).decision
    (found,) = [item for item in decision.results if item.code == "dependencies.age-unknown"]
    assert found.status is status
