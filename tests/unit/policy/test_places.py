"""Where a finding's subject is, from the rule's answer to every format."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree as ET

import policy_scenario as s
import pytest
from test_findings import answer, decide, only

from pratique.policy.decision import Decision, Finding, parse_decision
from pratique.policy.explain.words import explain, render
from pratique.policy.formats.table import FORMATS
from pratique.policy.gate import evaluate
from pratique.policy.places import MOST, Place
from pratique.policy.shipped import shipped_bundle

CODE = "provenance.isolated"
METADATA = "lib/markupsafe/METADATA"


def found(*items: Any, **member: Any) -> Finding:
    """Give the finding of a shipped rule's answer, over the scenario's evidence or other."""
    given = s.gate_input(items) if items else s.gate_input()
    engine = s.FixedEngine({"code": CODE, "msg": "m", "term": [], "evidence": []} | member)
    decision = evaluate(given, shipped_bundle(), engine).decision
    assert parse_decision(decision.encode()) == decision
    return next(result for result in decision.results if result.code == CODE)


def bill(*occurrences: Any, evidence: Any = None) -> Any:
    seen = {"occurrences": list(occurrences)} if evidence is None else evidence
    component = s.component("MarkupSafe", s.LOCKED, evidence=seen)
    components = [component, "no object", {"purl": 7, "evidence": seen}]
    return s.evidence("sbom", s.sbom() | {"components": components})


def test_a_rule_without_places_is_about_the_artifact() -> None:
    assert found().locations == ()


def test_a_package_url_in_the_term_is_a_component() -> None:
    assert found(term=["CVE-2026-1", "pkg:npm/a@1"]).locations == (Place(component="pkg:npm/a@1"),)


def test_a_component_is_found_again_where_the_bill_of_materials_saw_it() -> None:
    sbom = bill({"location": METADATA}, {"location": "uv.lock", "line": 7}, {"location": METADATA})
    assert found(sbom, term=[s.LOCKED]).locations == (
        Place(component=s.LOCKED, member=METADATA),
        Place(component=s.LOCKED, member="uv.lock", line=7),
    )
    # Also under qualifiers that only the build's input has.
    locked = f"{s.LOCKED}?file_name=a.whl"
    assert [(place.component, place.member) for place in found(sbom, term=[locked]).locations] == [
        (locked, METADATA),
        (locked, "uv.lock"),
    ]
    # Also where the rule says the component itself, and not where it says a file.
    assert len(found(sbom, locations=[{"component": s.LOCKED}]).locations) == 2
    said = [{"component": s.LOCKED, "file": "setup.py", "line": 3}]
    assert found(sbom, locations=said).locations == (Place(component=s.LOCKED, file="setup.py", line=3),)


@pytest.mark.parametrize(
    "occurrence",
    [
        {},
        {"location": None},
        {"location": ["x"]},
        {"location": "", "line": 3},
        "text",
        {"line": 3},
    ],
)
def test_an_occurrence_that_names_no_place_leaves_the_component(occurrence: Any) -> None:
    assert found(bill(occurrence), term=[s.LOCKED]).locations == (Place(component=s.LOCKED),)


@pytest.mark.parametrize("line", [0, -1, True, "7", 1.5, None, [7]])
def test_an_occurrence_whose_line_is_none(line: Any) -> None:
    found_places = found(bill({"location": "a", "line": line}), term=[s.LOCKED]).locations
    assert found_places == (Place(component=s.LOCKED, member="a"),)


@pytest.mark.parametrize("evidence", ["x", [], {"occurrences": "x"}, {"occurrences": {"location": "a"}}, 7])
def test_evidence_of_another_shape_leaves_the_component(evidence: Any) -> None:
    assert found(bill(evidence=evidence), term=[s.LOCKED]).locations == (Place(component=s.LOCKED),)


def test_no_more_places_than_the_format_admits() -> None:
    sbom = bill(*({"location": f"f{number:02}"} for number in range(40)))
    places = found(sbom, term=[s.LOCKED]).locations
    assert [place.member for place in places] == [f"f{number:02}" for number in range(MOST)]


def test_places_are_sorted_without_repetition_and_without_empty_ones() -> None:
    said = [{"member": "b"}, {}, {"member": "a", "line": 2}, {"member": "b"}, {"check": ""}, {"line": 3}]
    assert found(locations=said).locations == (Place(member="a", line=2), Place(member="b"))


@pytest.mark.parametrize(
    "said", ["here", [7], [{"fiel": "a"}], [{"file": 7}], [{"line": "3"}], [{"line": -1}], {"file": "a"}]
)
def test_places_of_another_shape_are_an_error_and_deny(said: Any) -> None:
    engine = s.FixedEngine({"code": CODE, "msg": "m", "term": [], "evidence": [], "locations": said})
    decision = evaluate(s.gate_input(), shipped_bundle(), engine).decision
    assert not decision.allowed
    assert "locations" in only(decision, "engine.error").msg


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        ({"file": "Dockerfile", "line": 12}, (Place(file="Dockerfile", line=12),)),
        ({"file": "Dockerfile"}, (Place(file="Dockerfile"),)),
        ({"file": "Dockerfile", "line": "12"}, (Place(file="Dockerfile"),)),
        ({"line": 12}, ()),
        ("Dockerfile", ()),
        ({"file": 7}, ()),
    ],
)
def test_conftests_own_place(loc: Any, expected: Any) -> None:
    result = only(decide(answer({"msg": "m", "_loc": loc, "kept": 1})), "acme.deny")
    assert (result.locations, result.metadata) == (expected, {"kept": 1})


def test_a_source_that_says_codes_says_places_too() -> None:
    member = {"code": "acme.x", "msg": "m", "locations": [{"file": "a.yaml", "line": 2}]}
    result = only(decide(answer(member)), "acme.x")
    assert (result.locations, result.metadata) == ((Place(file="a.yaml", line=2),), {})


def test_a_place_in_words() -> None:
    assert str(Place(component="pkg:a/b@1", member="x", line=3)) == "pkg:a/b@1 in x:3"
    assert str(Place(check="CI-37")) == "CI-37"
    assert str(Place(check="IMG-CFG-01", part="config.User")) == "IMG-CFG-01 config.User"
    assert str(Place(file="/etc/passwd")) == "/etc/passwd"


PLACES = [
    {"component": s.LOCKED, "member": METADATA, "line": 3},
    {"check": "IMG-FIL-01", "member": "/etc/pass wd"},
    {"file": "src/a:b.py", "line": 9},
    {"file": "/proc/sys"},
    {"input": "git+https://example.org/x"},
]


def decided() -> Decision:
    engine = s.FixedEngine({"code": CODE, "msg": "m", "term": [], "evidence": [], "locations": PLACES})
    return evaluate(s.gate_input(), shipped_bundle(), engine).decision


def test_sarif_nests_members_in_the_artifact() -> None:
    run = json.loads(FORMATS["sarif"](decided()))["runs"][0]
    assert run["artifacts"] == [
        {"location": {"uri": "harbour-1.0.tar", "index": 0}, "hashes": {"sha-256": s.SUBJECT.hex}},
        {"location": {"uri": "etc/pass%20wd", "index": 1}, "parentIndex": 0},
        {"location": {"uri": "lib/markupsafe/METADATA", "index": 2}, "parentIndex": 0},
    ]
    (result,) = (item for item in run["results"] if item["ruleId"] == CODE)
    assert result["locations"] == [
        {"physicalLocation": {"artifactLocation": {"uri": "file:///proc/sys"}}},
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "src/a%3Ab.py"},
                "region": {"startLine": 9},
            }
        },
        {
            "physicalLocation": {"artifactLocation": {"uri": "etc/pass%20wd", "index": 1}},
            "logicalLocations": [{"fullyQualifiedName": "IMG-FIL-01", "kind": "check"}],
        },
        {
            "physicalLocation": {"artifactLocation": {"uri": "harbour-1.0.tar", "index": 0}},
            "logicalLocations": [{"fullyQualifiedName": "git+https://example.org/x", "kind": "input"}],
        },
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "lib/markupsafe/METADATA", "index": 2},
                "region": {"startLine": 3},
            },
            "logicalLocations": [{"fullyQualifiedName": s.LOCKED, "kind": "component"}],
        },
    ]


def test_sarif_of_the_artifact_as_a_whole() -> None:
    engine = s.FixedEngine({"code": CODE, "msg": "m", "term": [], "evidence": []})
    for name, uri in (("a b/c:d", "a%20b/c%3Ad"), ("", str(s.SUBJECT)), ("//host/x", "host/x")):
        gated = evaluate(s.gate_input(name=name), shipped_bundle(), engine)
        run = json.loads(FORMATS["sarif"](gated.decision))["runs"][0]
        whole = [{"physicalLocation": {"artifactLocation": {"uri": uri, "index": 0}}}]
        assert run["results"]
        assert all(item["locations"] == whole for item in run["results"])


def test_the_other_formats_say_where() -> None:
    decision = decided()
    (failure,) = ET.fromstring(FORMATS["junit"](decision)).iter("failure")  # noqa: S314 - ours
    assert f"at {s.LOCKED} in {METADATA}:3" in (failure.text or "")
    assert f"  - at: `{s.LOCKED} in {METADATA}:3`\n" in FORMATS["markdown"](decision).decode()
    assert "  at:        IMG-FIL-01 in /etc/pass wd\n" in render(explain(decision))
    checks = json.loads(FORMATS["conftest"](decision))
    (result,) = next(item["failures"] for item in checks if item["namespace"] == "provenance")
    assert result["loc"] == {"file": "/proc/sys"}
    listed = result["metadata"]["locations"]
    assert len(listed) == len(PLACES)
    assert all(place in listed for place in PLACES)
