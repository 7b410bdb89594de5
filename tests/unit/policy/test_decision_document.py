"""Decisions against the published schema; VSA and SVR against the definitions of SLSA and in-toto."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import policy_scenario as s
import pytest
import waiver_scenario as w

from pratique.policy.decision import Decision, Finding, Location, Status, parse_decision
from pratique.policy.evidence import Rejected
from pratique.policy.formats.table import FORMATS, PREDICATES, write_decision
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle
from pratique.policy.vsa import Verifier

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
SCHEMA = json.loads((SPEC / "policy-result.schema.json").read_text(encoding="utf-8"))
VERIFIER = Verifier(identity="spiffe://pratique.local/verifier", resource_uri="r", policy_uri="https://p")
URI = r"^[a-z][a-z0-9+.-]*:"
TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"
SVR = {  # in-toto attestation, spec/predicates/svr.md, v0.1: the fields and their types
    "type": "object",
    "required": ["verifier", "timeCreated", "properties"],
    "properties": {
        "verifier": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "pattern": URI}},
        },
        "timeCreated": {"type": "string", "pattern": TIME},
        "properties": {"type": "array", "items": {"type": "string"}},
    },
}
VSA = {  # slsa.dev/spec/v1.2/verification_summary
    "type": "object",
    "required": ["verifier", "timeVerified", "resourceUri", "policy", "verificationResult", "verifiedLevels"],
    "properties": {
        "verifier": SVR["properties"]["verifier"],  # type: ignore[index]
        "timeVerified": {"type": "string", "pattern": TIME},
        "resourceUri": {"type": "string"},
        "policy": {"type": "object", "required": ["uri", "digest"]},
        "inputAttestations": {"type": "array", "items": {"type": "object", "required": ["digest"]}},
        "verificationResult": {"enum": ["PASSED", "FAILED"]},
        "verifiedLevels": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "slsaVersion": {"const": "1.2"},
    },
}
FINDING = {"code": "provenance.isolated", "msg": "seen", "term": [], "evidence": []}


def decide(*members: Any, items: Any = None, **requirements: Any) -> Decision:
    bundle = shipped_bundle(requirements=requirements)
    return evaluate(s.gate_input(items), bundle, s.FixedEngine(*members)).decision


def predicate(form: str, decision: Decision) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(write_decision(form, decision, VERIFIER))
    jsonschema.validate(written, {"svr": SVR, "vsa": VSA}[form])
    return written


def validate(decision: Decision) -> None:
    jsonschema.validate(json.loads(decision.encode()), SCHEMA, cls=jsonschema.Draft202012Validator)


def rejected() -> Decision:
    bad = Rejected(digest=s.digest("bad"), predicate_type="https://x", reason="signature does not verify")
    return evaluate(s.gate_input(rejected=(bad,)), shipped_bundle(), s.FixedEngine()).decision


def waived() -> Decision:
    items = (*s.complete(), w.waiver("Ada"))
    given = s.gate_input(items, people=(w.person("Ada"),))
    return evaluate(given, w.BUNDLE, s.FixedEngine(w.violation())).decision


@pytest.mark.parametrize(
    "decision",
    [
        decide(),
        decide(FINDING),
        decide(items=()),
        decide({"code": 7}),
        decide(FINDING, mode="audit"),
        rejected(),
        waived(),
    ],
    ids=["allow", "deny", "nothing", "engine error", "audit", "rejected", "waived"],
)
def test_every_decision_is_valid_under_the_published_schema(decision: Decision) -> None:
    validate(decision)
    assert parse_decision(decision.encode()) == decision


def test_the_example_of_the_page_is_valid_and_reads_as_a_decision() -> None:
    found = re.search(
        r"```json\n(.*?)```", (SPEC / "policy-result.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    example = json.loads(found[1])
    jsonschema.validate(example, SCHEMA, cls=jsonschema.Draft202012Validator)
    decision = parse_decision(s.rfc8785.dumps(example))
    assert (decision.stops, decision.organisations[0].name) == (True, "acme")
    assert decision.results[0].rule == Location(file="vulns.rego", line=41)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("mode", "off"),
        ("decision", "allow"),
        ("build_level", 4),
        ("policy/organisations", None),
        ("results/0/status", "ignored"),
        ("results/0/extra", 1),
        ("summary/waived", None),
    ],
)
def test_the_schema_refuses_what_is_no_decision(path: str, value: Any) -> None:
    document = s.changed(json.loads(decide(FINDING).encode()), path, value)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_the_schema_knows_every_member_of_a_result() -> None:
    assert set(SCHEMA["$defs"]["result"]["properties"]) >= set(Finding.__struct_fields__)


@pytest.mark.parametrize(("mode", "stops"), [("enforce", True), ("warn", False), ("audit", False)])
def test_only_a_policy_in_force_stops(mode: str, *, stops: bool) -> None:
    assert decide(FINDING, mode=mode).stops is stops
    assert not decide(mode=mode).stops
    assert predicate("vsa", decide(FINDING, mode=mode))["verificationResult"] == "FAILED"


def test_an_svr_lists_the_policy_the_level_and_each_code_that_succeeded() -> None:
    decision = decide()
    written = predicate("svr", decision)
    assert written["properties"][:2] == ["PRATIQUE_POLICY_PASSED", "SLSA_BUILD_LEVEL_1"]
    assert "PRATIQUE_VULNS_THRESHOLD" in written["properties"]
    assert written["timeCreated"] == "2026-11-23T12:00:00Z"
    assert written["verifier"]["policy"]["digest"] == decision.policy.digest_set


def test_an_svr_of_a_refused_artifact_lists_nothing() -> None:
    assert predicate("svr", decide(FINDING))["properties"] == []
    assert predicate("svr", decide(FINDING, mode="audit"))["properties"] == []


def test_an_svr_names_no_code_that_warns() -> None:
    levels = {"levels": {"provenance.isolated": "warn"}}
    warned = evaluate(s.gate_input(), shipped_bundle(data=levels), s.FixedEngine(FINDING)).decision
    assert warned.allowed
    assert warned.with_status(Status.WARNING)
    assert "PRATIQUE_PROVENANCE_ISOLATED" not in predicate("svr", warned)["properties"]


VOUCH = {
    "builder": "spiffe://{trust_domain}/builder",
    "signers": ["spiffe://{trust_domain}/builder"],
    "level": 3,
    "reason": "a test",
}


def test_a_vouched_builder_shows_in_the_vsa() -> None:
    assert predicate("vsa", decide(vouch=[VOUCH]))["verifiedLevels"] == ["SLSA_BUILD_LEVEL_3"]
    assert predicate("vsa", decide())["verifiedLevels"] == ["SLSA_BUILD_LEVEL_1"]
    assert predicate("vsa", decide(FINDING, vouch=[VOUCH]))["verifiedLevels"] == ["FAILED"]


LOOKED_AT = [
    "provenance.builder",
    "provenance.hermetic",
    "provenance.inputs-pinned",
    "provenance.isolated",
    "provenance.source",
    "provenance.source-clean",
]


def levels(decision: Decision) -> list[str]:
    assert decision.allowed
    stated: list[str] = predicate("vsa", decision)["verifiedLevels"]
    listed = predicate("svr", decision)["properties"]
    in_svr = [name for name in listed if name.startswith("SLSA_BUILD_LEVEL_")]
    assert in_svr == [level for level in stated if level != "SLSA_BUILD_LEVEL_UNEVALUATED"]
    return stated


@pytest.mark.parametrize("code", LOOKED_AT)
@pytest.mark.parametrize("vouch", [[], [VOUCH]], ids=["own builder", "vouched"])
def test_no_level_is_stated_where_a_rule_about_the_build_is_off(code: str, vouch: list[Any]) -> None:
    bundle = shipped_bundle(data={"levels": {code: "off"}}, requirements={"vouch": vouch})
    found = evaluate(s.gate_input(), bundle, s.FixedEngine()).decision
    assert levels(found) == ["SLSA_BUILD_LEVEL_UNEVALUATED"]


@pytest.mark.parametrize("code", LOOKED_AT)
def test_no_level_is_stated_where_a_rule_about_the_build_has_no_result(code: str) -> None:
    whole = decide(vouch=[VOUCH])
    without = tuple(result for result in whole.results if result.code != code)
    assert levels(msgspec.structs.replace(whole, results=without)) == ["SLSA_BUILD_LEVEL_UNEVALUATED"]


def test_no_level_is_stated_where_the_policy_has_no_rules_about_the_build() -> None:
    whole = decide(vouch=[VOUCH])
    other = tuple(result for result in whole.results if not result.code.startswith("provenance."))
    assert levels(msgspec.structs.replace(whole, results=other)) == ["SLSA_BUILD_LEVEL_UNEVALUATED"]


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("provenance.builder", "UNEVALUATED"),
        ("provenance.hermetic", "3"),
        ("provenance.inputs-pinned", "UNEVALUATED"),
        ("provenance.isolated", "3"),
        ("provenance.source", "UNEVALUATED"),
        ("provenance.source-clean", "3"),
        ("slsa.level", "2"),
    ],
)
def test_a_warning_lowers_the_level_that_rests_on_the_rule(code: str, level: str) -> None:
    bundle = shipped_bundle(data={"levels": {code: "warn"}}, requirements={"vouch": [VOUCH]})
    engine = s.FixedEngine({"code": code, "msg": "not so", "term": [], "evidence": []})
    found = evaluate(s.gate_input(), bundle, engine).decision
    assert found.with_status(Status.WARNING)
    assert levels(found) == [f"SLSA_BUILD_LEVEL_{level}"]


def test_level_3_is_not_stated_where_nobody_looked_at_the_isolation() -> None:
    bundle = shipped_bundle(data={"levels": {"slsa.level": "off"}}, requirements={"vouch": [VOUCH]})
    assert levels(evaluate(s.gate_input(), bundle, s.FixedEngine()).decision) == ["SLSA_BUILD_LEVEL_2"]


def test_every_format_writes_every_decision() -> None:
    for form in (*FORMATS, *PREDICATES):
        for decision in (decide(), decide(FINDING), rejected(), waived()):
            assert write_decision(form, decision, VERIFIER)


def test_a_violation_names_the_rule_by_file_and_line() -> None:
    (violation,) = decide(FINDING).with_status(Status.VIOLATION)
    assert violation.rule is not None
    lines = shipped_bundle().modules[violation.rule.file].splitlines()
    assert lines[violation.rule.line - 1] == "# METADATA"
    block = lines[violation.rule.line : violation.rule.line + 8]
    assert any("short_name: isolated" in line for line in block)
