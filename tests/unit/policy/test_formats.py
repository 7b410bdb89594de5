from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import policy_scenario as s
import pytest
import waiver_scenario as w

from pratique.cli.commands.gate import FORMATS as OFFERED
from pratique.policy.decision import Decision, Finding, Status, WaiverUsed
from pratique.policy.formats.markdown import code_span
from pratique.policy.formats.table import FORMATS, PREDICATES
from pratique.policy.gate import evaluate

HOSTILE = [
    "<script>alert(1)</script>",
    "]]>&amp;\"'",
    "a\x00b\x1b[31mred\x0b\ufffe\uffff",
    "`` ` ```",
    "`",
    "line\n# heading\r\n- item",
    "[x](javascript:alert(1)) ![x](http://e/x.png) @everyone #1 http://e www.e.example",
    "| a | b |\n|---|---|",
    "\u202egnp.exe",
    "é 日本 🜲",
    " ",
]

WAIVED = Finding(
    code="vulns.threshold",
    status=Status.WAIVED,
    msg="CVE-2026-1 in x",
    title="No vulnerability",
    severity="high",
    term=w.TERM,
    solution="Upgrade",
    waivers=(
        WaiverUsed(
            evidence=f"sha256:{'1' * 64}",
            person="Ada",
            reason="not reachable",
            not_after="2026-12-23T12:00:00Z",
            ticket="SHOP-1",
        ),
    ),
)


def decision(*results: Finding, **changes: Any) -> Decision:
    """Give a decision with one result of each status, or with those given."""
    base = evaluate(s.gate_input(), w.BUNDLE, s.FixedEngine()).decision
    results = results or (
        Finding(code="sbom.locked", status=Status.VIOLATION, msg="evil", title="Locked", severity="high"),
        Finding(code="engine.error", status=Status.ERROR, msg="timeout", title="Ran", severity="critical"),
        WAIVED,
        Finding(code="rebuild.varied", status=Status.WARNING, msg="little", title="Varied", severity="high"),
        Finding(code="sbom.components", status=Status.SUCCESS, title="Components"),
        Finding(code="posture.high", status=Status.SKIPPED, msg="no evidence", title="Posture"),
    )
    return msgspec.structs.replace(base, results=results, decision="deny", **changes)


def hostile(text: str) -> Decision:
    waiver = msgspec.structs.replace(WAIVED.waivers[0], person=text, reason=text)
    results = [
        Finding(code="x.y", status=status, msg=text, title=text, term=(text,), solution=text, severity="low")
        for status in Status
        if status is not Status.WAIVED
    ]
    return decision(
        *results, msgspec.structs.replace(WAIVED, msg=text, term=(text,), waivers=(waiver,)), name=text
    )


def test_the_command_offers_every_format() -> None:
    assert (*FORMATS, *PREDICATES) == OFFERED


def test_sarif() -> None:
    log = json.loads(FORMATS["sarif"](decision()))
    assert (log["version"], len(log["runs"])) == ("2.1.0", 1)
    run = log["runs"][0]
    assert run["tool"]["driver"]["name"] == "pratique gate"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert sorted(rules) == ["engine.error", "rebuild.varied", "sbom.locked", "vulns.threshold"]
    found = {item["ruleId"]: item for item in run["results"]}
    assert {name: item["level"] for name, item in found.items()} == {
        "sbom.locked": "error",
        "engine.error": "error",
        "vulns.threshold": "error",
        "rebuild.varied": "warning",
    }
    assert all(rules[item["ruleIndex"]] == name for name, item in found.items())
    assert [name for name, item in found.items() if "suppressions" in item] == ["vulns.threshold"]
    assert found["vulns.threshold"]["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "Ada until 2026-12-23T12:00:00Z: not reachable (SHOP-1)",
        }
    ]
    assert run["invocations"] == [{"executionSuccessful": False}]
    assert run["properties"]["decision"] == "deny"


def test_two_findings_of_one_code_have_two_fingerprints() -> None:
    other = msgspec.structs.replace(WAIVED, term=("CVE-2026-2", s.LOCKED), status=Status.VIOLATION)
    run = json.loads(FORMATS["sarif"](decision(WAIVED, other)))["runs"][0]
    assert len({item["partialFingerprints"]["about/v1"] for item in run["results"]}) == 2
    assert len(run["tool"]["driver"]["rules"]) == 1


def test_junit() -> None:
    root = ET.fromstring(FORMATS["junit"](decision()))  # noqa: S314 - written just now, by us
    (suite,) = root
    counts = {"tests": "6", "failures": "1", "errors": "1", "skipped": "2"}
    assert suite.attrib.items() >= counts.items()
    assert root.attrib.items() >= counts.items()
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    shape = {name: [child.tag for child in case] for name, case in cases.items()}
    assert shape == {
        "sbom.locked": ["failure"],
        "engine.error": ["error"],
        f"vulns.threshold CVE-2026-1 {s.LOCKED}": ["skipped"],
        "rebuild.varied": ["system-out"],
        "sbom.components": [],
        "posture.high": ["skipped"],
    }
    skipped = cases[f"vulns.threshold CVE-2026-1 {s.LOCKED}"][0]
    assert skipped.get("message") == "waived by Ada until 2026-12-23T12:00:00Z: not reachable (SHOP-1)"
    assert cases["sbom.locked"][0].get("message") == "evil"


def test_markdown() -> None:
    text = FORMATS["markdown"](decision()).decode()
    headings = re.findall(r"^#+ .*$", text, re.MULTILINE)
    assert headings == ["# Refused: `harbour-1.0.tar`", "## Refused", "## Waived", "## Warnings"]
    assert "- `sbom.locked` (`high`): `Locked`\n  - seen: `evil`\n" in text
    assert "  - waived by: `Ada until 2026-12-23T12:00:00Z: not reachable (SHOP-1)`\n" in text
    assert "1 passed, 1 skipped.\n" in text


def test_conftest() -> None:
    checks = {item["namespace"]: item for item in json.loads(FORMATS["conftest"](decision()))}
    assert {name: sorted(item.keys() - {"filename", "namespace"}) for name, item in checks.items()} == {
        "sbom": ["failures", "successes"],
        "engine": ["failures", "successes"],
        "vulns": ["exceptions", "successes"],
        "rebuild": ["successes", "warnings"],
        "posture": ["skipped", "successes"],
    }
    assert checks["sbom"]["successes"] == 1
    assert checks["sbom"]["failures"][0]["msg"] == "evil"
    assert checks["vulns"]["exceptions"][0]["metadata"]["term"] == list(w.TERM)
    assert all(item["filename"] == "harbour-1.0.tar" for item in checks.values())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    written = {name: write(hostile(text)) for name, write in FORMATS.items()}
    run = json.loads(written["sarif"])["runs"][0]
    assert len(run["results"]) == 4
    assert len(json.loads(written["conftest"])) == 2

    root = ET.fromstring(written["junit"])  # noqa: S314 - written just now, by us
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped",
        "system-out",
    }  # fmt: skip
    legal = re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", text)
    assert next(case.get("name") for case in root.iter("testcase")) == f"x.y {legal}"

    for line in written["markdown"].decode().splitlines():
        outside = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", line)
        assert re.fullmatch(r"[#\- a-zA-Z0-9:,.()]*", outside), line


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("plain", "`plain`"),
        ("a`b", "`` a`b ``"),
        ("``", "``` `` ```"),
        ("`x``y`", "``` `x``y` ```"),
        ("a\nb\x00c", "`a b c`"),
        ("", "`-`"),
    ],
)
def test_a_code_span_that_nothing_leaves(text: str, span: str) -> None:
    assert code_span(text) == span


def test_an_allowed_decision_has_nothing_to_show_in_sarif() -> None:
    passed = evaluate(s.gate_input(), w.BUNDLE, s.FixedEngine()).decision
    run = json.loads(FORMATS["sarif"](passed))["runs"][0]
    assert (run["results"], run["invocations"]) == ([], [{"executionSuccessful": True}])
    assert FORMATS["markdown"](passed).startswith(b"# Passed: ")
