from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import policy_scenario as s
import pytest

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.policy.decision import Decision, Status, parse_decision
from pratique.policy.engine.port import EngineError
from pratique.policy.evidence import Rejected, parse_input
from pratique.policy.explain.words import explain, render
from pratique.policy.gate import differences, evaluate, replay
from pratique.policy.shipped import shipped_bundle
from pratique.policy.vsa import Verifier, vsa_predicate

BUNDLE = shipped_bundle()
FINDING = {
    "code": "provenance.isolated",
    "msg": "it had a network",
    "term": [],
    "evidence": [str(s.digest("provenance"))],
}


class FailingEngine(s.FixedEngine):
    def evaluate(self, *_: Any) -> Any:
        raise EngineError("timeout", "the rules took longer than 10 seconds")


def decide(*members: Any, items: Any = None, rule: str = "deny", **changes: Any) -> Decision:
    return evaluate(s.gate_input(items, **changes), BUNDLE, s.FixedEngine(*members, rule=rule)).decision


def codes(decision: Decision, status: Status) -> list[str]:
    return [result.code for result in decision.with_status(status)]


def test_complete_evidence_and_silent_rules_allow() -> None:
    decision = decide()
    assert decision.allowed
    looked_at = [code for code, info in BUNDLE.rules.items() if not info.needs or info.needs in s.TYPES]
    judged = [code for code in looked_at if BUNDLE.data.levels[code] != "off"]
    assert codes(decision, Status.SUCCESS) == sorted([*judged, *(f"evidence.{short}" for short in s.TYPES)])


def test_a_rule_can_only_add_a_denial() -> None:
    assert not decide(FINDING).allowed
    assert not decide(items=()).allowed


def test_a_violation_carries_what_its_metadata_says() -> None:
    (result,) = decide(FINDING).with_status(Status.VIOLATION)
    assert result.msg == "it had a network"
    assert result.title == "The build ran without a network"
    assert result.severity == "critical"
    assert result.solution == "Build with: pratique build"
    assert result.controls == ("SSDF:PO.5.1", "SSDF:PW.6.2")


@pytest.mark.parametrize(("rule", "allowed"), [("warn", True), ("warn_x", True), ("violation", False)])
def test_without_levels_only_warn_rules_let_pass(rule: str, *, allowed: bool) -> None:
    bare = msgspec.structs.replace(BUNDLE, data=msgspec.structs.replace(BUNDLE.data, levels={}))
    assert evaluate(s.gate_input(), bare, s.FixedEngine(FINDING, rule=rule)).decision.allowed is allowed


@pytest.mark.parametrize(
    "member",
    [
        True,
        "text",
        None,
        [],
        {},
        {"code": "provenance.isolated"},
        {**FINDING, "code": "no.such"},
        {**FINDING, "msg": 1},
        {**FINDING, "status": "success"},
        {**FINDING, "evidence": ["sha256:short"]},
        {**FINDING, "severity": "none"},
        {**FINDING, "term": [1]},
    ],
)
def test_a_member_that_is_no_finding_denies_as_an_engine_error(member: Any) -> None:
    for rule in ("deny", "warn"):
        decision = decide(member, rule=rule)
        assert not decision.allowed
        assert codes(decision, Status.ERROR) == ["engine.error"]


def test_an_engine_without_an_answer_denies_and_passes_no_rule() -> None:
    decision = evaluate(s.gate_input(), BUNDLE, FailingEngine()).decision
    assert not decision.allowed
    (error,) = decision.with_status(Status.ERROR)
    assert (error.code, error.term) == ("engine.error", ("timeout",))
    assert set(codes(decision, Status.SKIPPED)) == set(BUNDLE.rules)


def test_rules_without_their_evidence_are_skipped_not_passed() -> None:
    decision = decide(items=(s.evidence("provenance"), s.evidence("runner-posture")))
    skipped = codes(decision, Status.SKIPPED)
    there = {"", "provenance", "runner-posture"}
    assert {"rebuild.identical", "sbom.components", "vulns.threshold"} <= set(skipped)
    assert skipped == [
        code
        for code, info in sorted(BUNDLE.rules.items())
        if info.needs not in there or BUNDLE.data.levels[code] == "off"
    ]
    assert codes(decision, Status.VIOLATION) == ["evidence.rebuild", "evidence.sbom", "evidence.vulns"]


def test_rejected_evidence_is_reported_and_counts_for_nothing() -> None:
    broken = Rejected(
        digest=s.digest("bad"), predicate_type=s.TYPES["rebuild"][0], reason="signature: does not hold"
    )
    decision = decide(rejected=(broken,))
    assert decision.allowed
    (warning,) = decision.with_status(Status.WARNING)
    assert warning.code == "evidence.rejected"
    assert "signature: does not hold" in warning.msg
    (refused,) = decision.rejected
    assert (refused.predicate_type, refused.digest, refused.reason) == (
        s.TYPES["rebuild"][0],
        str(broken.digest),
        "signature: does not hold",
    )
    assert not decide(rejected=(broken,), items=s.complete()[:2]).allowed


def test_what_is_set_aside_is_named_with_the_reason() -> None:
    forged = s.evidence("sbom", digest=s.digest("forged"), signer=f"{s.DOMAIN}/builder")
    decision = decide(items=(*s.complete(), forged))
    (aside,) = decision.set_aside
    assert (aside.predicate_type, aside.digest) == (s.TYPES["sbom"][0], str(forged.digest))
    assert "who may not sign sbom evidence" in aside.reason


def test_rules_see_only_what_stands() -> None:
    engine = s.FixedEngine()
    foreign = s.evidence("sbom", digest=s.digest("x"), signer="spiffe://evil/scanner")
    evaluate(s.gate_input((*s.complete(), foreign)), BUNDLE, engine)
    (document,) = engine.documents
    assert [item["digest"] for item in document["evidence"]["sbom"]] == [str(s.digest("sbom"))]
    assert document["effective_time"] == "2026-11-23T12:00:00Z"
    assert document["subject"] == {"name": "harbour-1.0.tar", "digest": {"sha256": s.SUBJECT.hex}}


def test_the_same_input_gives_the_same_bytes_in_any_order() -> None:
    items = s.complete()
    there = evaluate(s.gate_input(items), BUNDLE, s.FixedEngine(FINDING))
    back = evaluate(s.gate_input(tuple(reversed(items)) + items), BUNDLE, s.FixedEngine(FINDING))
    assert there == back
    assert there.decision.encode() == back.decision.encode()


def test_a_decision_replays_from_its_stored_bytes() -> None:
    gated = evaluate(s.gate_input(), BUNDLE, s.FixedEngine(FINDING))
    stored = parse_decision(gated.decision.encode())
    replayed = replay(gated.input_bytes, gated.policy_bytes, s.FixedEngine(FINDING))
    assert stored == replayed == gated.decision
    assert differences(stored, replayed) == ()
    assert differences(stored, replay(gated.input_bytes, gated.policy_bytes, s.FixedEngine())) == (
        "decision",
        "results",
    )


def test_the_header_binds_policy_input_and_evidence() -> None:
    gated = evaluate(s.gate_input(), BUNDLE, s.FixedEngine())
    document = json.loads(gated.decision.encode())
    assert document["schema"] == "https://pratique.dev/policy-result/v3"
    assert document["policy"]["digest"]["sha256"] == s.hashlib.sha256(gated.policy_bytes).hexdigest()
    assert document["input_digest"]["sha256"] == s.hashlib.sha256(gated.input_bytes).hexdigest()
    assert {item["digest"] for item in document["inputs"]} == {str(item.digest) for item in s.complete()}
    assert document["engine"] == {"name": "fixed", "version": "1", "rego": "v1", "isolation": ["none"]}
    silent = {status: document["summary"].pop(status) for status in (Status.SUCCESS, Status.SKIPPED)}
    assert set(document["summary"].values()) == {0}
    assert sum(silent.values()) == len(BUNDLE.rules) + len(s.TYPES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"allow"', b'"maybe"'),
        (b'"summary":{"error":0', b'"summary":{"error":1'),
        (b"policy-result/v3", b"policy-result/v9"),
        (b'"build_level":1', b'"build_level": 1'),
    ],
)
def test_an_altered_decision_is_refused(old: bytes, new: bytes) -> None:
    data = decide().encode()
    assert old in data
    with pytest.raises(MalformedError):
        parse_decision(data.replace(old, new))


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"\xff", b'{"schema":"https://pratique.dev/policy-input/v1"}']
)
def test_bytes_that_are_no_input_or_policy_are_refused(data: bytes) -> None:
    gated = evaluate(s.gate_input(), BUNDLE, s.FixedEngine())
    with pytest.raises(EvidenceInvalidError):
        replay(data, gated.policy_bytes, s.FixedEngine())
    with pytest.raises(EvidenceInvalidError):
        replay(gated.input_bytes, data, s.FixedEngine())
    with pytest.raises(MalformedError):
        parse_decision(data)


def test_an_input_document_in_another_spelling_is_refused() -> None:
    with pytest.raises(MalformedError, match="canonical"):
        parse_input(s.gate_input().encode() + b"\n")


@pytest.mark.parametrize("number", [1, 1e300], ids=["plain", "not plain"])
def test_rules_never_see_evidence_deeper_than_the_engine_takes(number: float) -> None:
    """A predicate stands three levels deep in the document, and four in what rules see, of 64."""
    value: object = number
    for _ in range(59):
        value = [value]
    engine = s.FixedEngine()
    evaluate(s.gate_input((s.evidence("sbom", {"deep": value}),)), BUNDLE, engine)
    seen = engine.documents[0]["evidence"]["sbom"][0]["predicate"]["deep"]
    assert seen == value
    with pytest.raises(MalformedError, match="deeper than 63"):
        s.gate_input((s.evidence("sbom", {"deep": [value]}),)).encode()


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_mode_changes_the_words_and_not_the_verdict(mode: str) -> None:
    policy = shipped_bundle(requirements={"mode": mode})
    decision = evaluate(s.gate_input(), policy, s.FixedEngine(FINDING)).decision
    assert (decision.decision, decision.mode.value) == ("deny", mode)
    assert f"not enforced (mode {mode})" in explain(decision).verdict
    assert parse_decision(decision.encode()).mode.value == mode


VERIFIER = Verifier(
    identity="spiffe://pratique.local/verifier", resource_uri="harbour-1.0.tar", policy_uri="pratique:default"
)
VSA_SCHEMA = {
    "type": "object",
    "required": ["verifier", "timeVerified", "resourceUri", "policy", "verificationResult", "verifiedLevels"],
    "properties": {
        "verifier": {"required": ["id"]},
        "policy": {"required": ["uri", "digest"]},
        "inputAttestations": {"items": {"required": ["digest"]}},
        "verificationResult": {"enum": ["PASSED", "FAILED"]},
        "verifiedLevels": {"type": "array", "items": {"type": "string"}},
    },
}


def vsa(decision: Decision) -> dict[str, Any]:
    predicate = vsa_predicate(decision, VERIFIER)
    jsonschema.validate(predicate, VSA_SCHEMA)
    return predicate


def test_a_vsa_claims_level_1_and_no_more() -> None:
    decision = decide()
    predicate = vsa(decision)
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["SLSA_BUILD_LEVEL_1"]
    assert len(predicate["inputAttestations"]) == 5
    assert (
        predicate["https://pratique.dev/decision"]["digest"]["sha256"]
        == s.hashlib.sha256(decision.encode()).hexdigest()
    )


def test_a_denial_is_a_vsa_without_a_level() -> None:
    predicate = vsa(decide(FINDING))
    assert predicate["verificationResult"] == "FAILED"
    assert predicate["verifiedLevels"] == ["FAILED"]


def test_explaining_names_what_was_seen_looked_at_and_the_smallest_cure() -> None:
    explanation = explain(decide(FINDING, items=(s.evidence("provenance"), s.evidence("runner-posture"))))
    first = next(item for item in explanation.obstacles if item.code == "provenance.isolated")
    assert first.seen == ("it had a network",)
    assert first.looked_at == (
        f"provenance {s.digest('provenance')}, signed by {s.DOMAIN}/builder at 2026-11-23T11:00:00Z",
    )
    assert first.cures == ("Build with: pratique build",)
    assert explanation.next_commands == ("pratique rebuild", "pratique scan")
    text = render(explanation)
    assert text.startswith("harbour-1.0.tar sha256:abababababab is refused by policy ")
    assert "refused: evidence.sbom (critical)" in text
    assert text.endswith("next: pratique rebuild && pratique scan\n")


def test_explaining_an_allowed_artifact_lists_what_passed() -> None:
    explanation = explain(decide())
    assert "passes policy" in explanation.verdict
    assert explanation.obstacles == ()
    assert "rebuild.identical" in explanation.passed


def test_one_digest_for_different_evidence_is_refused() -> None:
    one = s.evidence("sbom")
    other = s.evidence("sbom", signer="spiffe://evil/scanner")
    assert decide(items=(*s.complete(), one)).allowed
    with pytest.raises(MalformedError, match="two different pieces of evidence"):
        decide(items=(*s.complete(), other))
