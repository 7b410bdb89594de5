from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import msgspec
import policy_scenario as s
import pytest
import waiver_scenario as w

from pratique.errors import ConfigError, MalformedError
from pratique.model.clock import format_time
from pratique.model.predicate import WAIVER
from pratique.policy.bundle import PolicyBundle, make_bundle
from pratique.policy.decision import Decision, Finding, Status, parse_decision
from pratique.policy.evidence import Rejected
from pratique.policy.explain.words import explain, render
from pratique.policy.gate import evaluate, replay
from pratique.policy.shipped import shipped_bundle
from pratique.policy.trust_file import requirements_table
from pratique.policy.vsa import Verifier, vsa_predicate
from pratique.policy.waivers.person import Grant
from pratique.policy.waivers.waiver import parse_waiver

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence
    from pratique.policy.waivers.person import Person

SPEC = Path(__file__).parents[3] / "docs" / "spec"


VERIFIER = Verifier(identity="v", resource_uri="r", policy_uri="p")


def decide(
    *waivers: Evidence,
    found: tuple[dict[str, Any], ...] = (w.violation(),),
    people: tuple[Person, ...] | None = None,
    bundle: PolicyBundle = w.BUNDLE,
    **changes: Any,
) -> Decision:
    known = tuple(w.person(name) for name in w.PEOPLE) if people is None else people
    gate_input = s.gate_input((*s.complete(), *waivers), people=known, **changes)
    engine = s.FixedEngine(*found, package="pratique.vulns")
    gated = evaluate(gate_input, bundle, engine)
    assert parse_decision(gated.decision.encode()) == gated.decision
    assert replay(gated.input_bytes, gated.policy_bytes, engine) == gated.decision
    return gated.decision


def codes(decision: Decision, status: Status) -> list[str]:
    return [result.code for result in decision.with_status(status)]


def test_a_waived_violation_stays_with_who_why_and_until_when() -> None:
    evidence = w.waiver("Ada", w.predicate("Ada", ticket="SHOP-1"))
    decision = decide(evidence)
    assert decision.allowed
    (waived,) = decision.with_status(Status.WAIVED)
    assert (waived.code, waived.term, waived.severity) == ("vulns.threshold", w.TERM, "high")
    assert [msgspec.to_builtins(item) for item in waived.waivers] == [
        {
            "evidence": str(evidence.digest),
            "person": "Ada",
            "reason": "not reachable",
            "not_after": "2026-12-23T12:00:00Z",
            "ticket": "SHOP-1",
        }
    ]
    assert evidence.digest in [s.Digest(item.digest[7:]) for item in decision.inputs]
    assert json.loads(decision.encode())["summary"]["waived"] == 1
    said = render(explain(decision))
    assert "with 0 cautions, and 1 violations waived" in said
    assert "waived: vulns.threshold (high)" in said
    assert "Ada until 2026-12-23T12:00:00Z: not reachable (SHOP-1)" in said


def test_the_vsa_keeps_its_shape_and_names_the_waiver() -> None:
    evidence = w.waiver("Ada")
    body = vsa_predicate(decide(evidence), VERIFIER)
    assert body["verificationResult"] == "PASSED"
    assert {"digest": {"sha256": evidence.digest.hex}} in body["inputAttestations"]
    assert body.keys() == vsa_predicate(decide(), VERIFIER).keys()


def test_a_waived_provenance_rule_earns_no_level() -> None:
    found = w.violation("provenance.source-clean", (), "medium")
    evidence = w.waiver("Ada", w.predicate("Ada", w.scope("provenance.source-clean", None)))
    decision = decide(evidence, found=(found,))
    assert decision.allowed
    body = vsa_predicate(decision, VERIFIER)
    assert body["verifiedLevels"] == ["SLSA_BUILD_LEVEL_UNEVALUATED"]


def test_without_waivers_the_input_names_nobody() -> None:
    gated = evaluate(s.gate_input(), w.BUNDLE, s.FixedEngine())
    assert json.loads(gated.input_bytes)["people"] == []


@pytest.mark.parametrize(
    ("severity", "people", "waived"),
    [
        ("low", ["Ada"], True),
        ("medium", ["Ada"], True),
        ("high", ["Ada"], True),
        ("critical", ["Ada"], False),
        ("critical", ["Ada", "Grace"], True),
        ("high", [], False),
    ],
)
def test_a_severity_takes_its_people(severity: str, people: list[str], *, waived: bool) -> None:
    decision = decide(*(w.waiver(name) for name in people), found=(w.violation(severity=severity),))
    assert decision.allowed is waived
    assert codes(decision, Status.WAIVED) == ["vulns.threshold"] * waived


def test_the_policy_says_how_many_people_it_takes() -> None:
    strict = shipped_bundle(data={"waivers": {"high": 3}})
    two = [w.waiver("Ada"), w.waiver("Grace")]
    decision = decide(*two, bundle=strict)
    assert not decision.allowed
    notices = decision.with_status(Status.WARNING)
    assert all(item.msg.endswith(", counts once 1 more person waives the same") for item in notices)
    assert codes(decision, Status.WARNING) == ["waivers.incomplete"] * 2
    assert decide(*two, w.waiver("Barbara"), bundle=strict).allowed


def test_one_person_with_two_keys_is_one_person() -> None:
    second = w.person("Ada", key=w.key("ada again"))
    shouting = w.person("\uff21\uff24\uff21 ", key=w.key("shouting"))
    waivers = (
        w.waiver("Ada"),
        w.waiver("Ada", signer=second.key),
        w.waiver("\uff21\uff24\uff21 ", w.predicate("\uff21\uff24\uff21 "), signer=shouting.key),
    )
    people = (w.person("Ada"), second, shouting)
    decision = decide(*waivers, people=people, found=(w.violation(severity="critical"),))
    assert not decision.allowed
    assert sum("superseded" in item.reason for item in decision.set_aside) == 2


def test_one_person_with_two_scopes_is_one_person() -> None:
    waivers = (w.waiver("Ada"), w.waiver("Ada", w.predicate("Ada", w.scope(term=None, purl=s.LOCKED))))
    decision = decide(*waivers, found=(w.violation(severity="critical"),))
    assert not decision.allowed
    assert decision.set_aside == ()
    assert decide(*waivers, w.waiver("Grace"), found=(w.violation(severity="critical"),)).allowed


NEVER = {
    "unenrolled": (w.waiver("Eve"), "no enrolled person's key"),
    "certificate": (w.waiver("Ada", signer_kind="certificate"), "no enrolled person's key"),
    "other name": (w.waiver("Ada", w.predicate("Grace")), "in the name of Grace"),
    "no role": (w.waiver("Norole"), "did not hold the role waiver-approver"),
    "role granted later": (w.waiver("Later"), "did not hold the role waiver-approver"),
    "role taken away": (w.waiver("Former"), "did not hold the role waiver-approver"),
    "key not yet": (w.waiver("Early"), "did not count at that time"),
    "key no more": (w.waiver("Gone"), "did not count at that time"),
    "author": (w.waiver("Author"), "wrote it"),
    "another artifact": (
        w.waiver("Ada", w.predicate("Ada", w.scope() | {"artifact": f"sha256:{'0' * 64}"})),
        "is not about what its scope says",
    ),
    "about and for another artifact": (
        w.waiver(
            "Ada",
            w.predicate("Ada", w.scope() | {"artifact": f"sha256:{'0' * 64}"}),
            subjects=(s.Digest("0" * 64),),
        ),
        "not for this one",
    ),
    "another subject": (w.waiver("Ada", subjects=(s.digest("x"),)), "is not about what its scope says"),
    "a second subject": (w.waiver("Ada", subjects=(s.SUBJECT, s.digest("x"))), "alone"),
    "any, about the artifact": (
        w.waiver("Ada", w.predicate("Ada", w.scope() | {"artifact": "any"})),
        "is not about this policy",
    ),
    "in the future": (
        w.waiver(
            "Ada",
            w.predicate("Ada", waivedAt=format_time(s.NOW + timedelta(seconds=1))),
            signed_at=s.NOW + timedelta(seconds=1),
        ),
        "after the effective time",
    ),
    "backdated": (
        w.waiver("Ada", signed_at=w.SIGNED + timedelta(minutes=5, seconds=1)),
        "is not when it says",
    ),
    "too long": (
        w.waiver("Ada", w.predicate("Ada", notAfter=format_time(w.SIGNED + timedelta(days=90, seconds=1)))),
        "more than 90 days",
    ),
    "unknown condition": (
        w.waiver("Ada", w.predicate("Ada", onlyIf="the moon is full")),
        "onlyIf",
    ),
    "no reason": (w.waiver("Ada", w.predicate("Ada", reason=" ")), "reason is blank"),
    "trust layer": (w.waiver("Ada", w.predicate("Ada", w.scope("evidence.rebuild", None))), "by anybody"),
}


@pytest.mark.parametrize("name", NEVER)
def test_what_never_counts_is_set_aside_and_says_why(name: str) -> None:
    evidence, reason = NEVER[name]
    later, former = s.NOW - timedelta(hours=1), w.SIGNED - timedelta(hours=1)
    held = Grant(since=w.LONG_AGO, roles=("waiver-approver",))
    people = (
        w.person("Ada"),
        w.person("Grace"),
        w.person("Norole", roles=("approver",)),
        w.person("Later", grants=(Grant(since=later, roles=("waiver-approver",)),)),
        w.person("Former", grants=(held, Grant(since=former, roles=()))),
        w.person("Early", not_before=later),
        w.person("Gone", not_after=former),
        w.person("Author", involved="Author wrote it"),
    )
    decision = decide(evidence, people=people)
    assert not decision.allowed
    assert codes(decision, Status.VIOLATION) == ["vulns.threshold"]
    (aside,) = decision.set_aside
    assert reason in aside.reason
    assert aside.predicate_type == WAIVER
    assert decision.results == decide(people=people).results


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"not_before": w.SIGNED}, True),
        ({"not_before": w.SIGNED + timedelta(seconds=1)}, False),
        ({"not_after": w.SIGNED + timedelta(seconds=1)}, True),
        ({"not_after": w.SIGNED}, False),
        ({"grants": (Grant(since=w.SIGNED, roles=("waiver-approver",)),)}, True),
        ({"grants": (Grant(since=w.SIGNED + timedelta(seconds=1), roles=("waiver-approver",)),)}, False),
    ],
)
def test_a_key_and_a_role_count_from_their_first_moment_on_and_a_key_until_before_its_last(
    changes: dict[str, Any], *, counts: bool
) -> None:
    assert decide(w.waiver("Ada"), people=(w.person("Ada", **changes),)).allowed is counts


def test_the_input_says_who_is_involved_and_of_others_nothing() -> None:
    people = (w.person("Ada"), w.person("Eve", involved="Eve wrote it"))
    written = json.loads(s.gate_input(people=people).encode())["people"]
    assert {item["name"]: item.get("involved") for item in written} == {"Ada": None, "Eve": "Eve wrote it"}


def test_the_first_and_the_last_moment() -> None:
    ends = w.SIGNED + timedelta(days=90)
    longest = w.waiver("Ada", w.predicate("Ada", notAfter=format_time(ends)))
    assert decide(longest, effective_time=w.SIGNED + timedelta(hours=24)).allowed
    now = w.waiver("Ada", w.predicate("Ada", waivedAt=format_time(s.NOW)), signed_at=s.NOW)
    assert decide(now).allowed
    soon = w.waiver("Ada", w.predicate("Ada", notAfter=format_time(s.NOW)))
    assert decide(soon).allowed
    decision = decide(soon, effective_time=s.NOW + timedelta(seconds=1))
    assert not decision.allowed
    assert codes(decision, Status.WARNING) == ["waivers.expired"]


def test_a_waiver_for_any_artifact_is_about_the_policy() -> None:
    body = w.predicate("Ada", w.scope() | {"artifact": "any"})
    evidence = w.waiver("Ada", body, subjects=(w.BUNDLE.digest,))
    assert decide(evidence).allowed
    changed = shipped_bundle(data={"rebuild": {"min_varied": 2}})
    decision = decide(evidence, bundle=changed)
    assert not decision.allowed
    assert "is not about this policy" in decision.set_aside[0].reason


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        (w.scope(), True),
        (w.scope(term=("CVE-2026-1",)), False),
        (w.scope(term=(*w.TERM, "more")), False),
        (w.scope(term=tuple(reversed(w.TERM))), False),
        (w.scope(term=None), False),
        (w.scope(term=None, purl=s.LOCKED), True),
        (w.scope(term=None, purl=f"{s.LOCKED}0"), False),
        (w.scope(purl=s.LOCKED), True),
        (w.scope(term=("CVE-2026-2", s.LOCKED), purl=s.LOCKED), False),
        (w.scope(purl="pkg:pypi/other@1"), False),
        (w.scope("vulns.exploited"), False),
        (w.scope("vulns.threshold-x"), False),
        (w.scope("vulns.thresh"), False),
        (w.scope(term=None, purl=s.LOCKED[:-1]), False),
    ],
)
def test_a_scope_is_exact(scope: dict[str, Any], *, covered: bool) -> None:
    decision = decide(w.waiver("Ada", w.predicate("Ada", scope)))
    assert decision.allowed is covered
    assert codes(decision, Status.WARNING) == ([] if covered else ["waivers.unused"])


@pytest.mark.parametrize(
    ("limit", "covered"),
    [
        ("low", {"low"}),
        ("medium", {"low", "medium"}),
        ("high", {"low", "medium", "high"}),
        ("critical", {"low", "medium", "high", "critical", "", "7.5"}),
        (None, {"low", "medium", "high", "critical", "", "7.5"}),
    ],
)
def test_a_severity_that_is_not_stated_is_graver_than_high(limit: str | None, covered: set[str]) -> None:
    waiver = parse_waiver(w.predicate("Ada", **({"severityLimit": limit} if limit else {})))
    for severity in ("low", "medium", "high", "critical", "", "7.5"):
        finding = Finding(
            code="vulns.threshold", status=Status.VIOLATION, title="", severity=severity, term=w.TERM
        )
        assert waiver.covers(finding) is (severity in covered), severity


@pytest.mark.parametrize("status", Status)
def test_what_is_no_violation_needs_no_waiver(status: Status) -> None:
    finding = Finding(code="vulns.threshold", status=status, title="", severity="high", term=w.TERM)
    waives = parse_waiver(w.predicate("Ada")).covers(finding)
    assert waives is (status in {Status.VIOLATION, Status.WAIVED})


def test_no_waiver_speaks_of_the_trust_layer_however_it_was_made() -> None:
    waiver = parse_waiver(w.predicate("Ada"))
    for code in ("evidence.rebuild", "waivers.unused", "engine.error"):
        finding = Finding(code=code, status=Status.VIOLATION, title="", severity="low", term=w.TERM)
        forced = msgspec.structs.replace(waiver, scope=msgspec.structs.replace(waiver.scope, code=code))
        assert not forced.covers(finding)


def test_what_has_become_graver_is_not_covered() -> None:
    limited = w.waiver("Ada", w.predicate("Ada", severityLimit="medium"))
    assert decide(limited, found=(w.violation(severity="medium"),)).allowed
    assert not decide(limited, found=(w.violation(severity="high"),)).allowed


def test_only_the_newest_of_a_person_for_a_scope_counts_so_that_one_can_be_taken_back() -> None:
    back = w.predicate(
        "Ada",
        waivedAt=format_time(s.NOW - timedelta(hours=2)),
        notAfter=format_time(s.NOW - timedelta(hours=1)),
    )
    decision = decide(w.waiver("Ada"), w.waiver("Ada", back, signed_at=s.NOW - timedelta(hours=2)))
    assert not decision.allowed
    assert codes(decision, Status.WARNING) == ["waivers.expired"]
    assert "superseded" in decision.set_aside[0].reason


def test_errors_and_verdicts_of_the_trust_layer_stay() -> None:
    for code in ("evidence.rebuild", "engine.error", "waivers.unused"):
        with pytest.raises(MalformedError, match="cannot be waived"):
            parse_waiver(w.predicate("Ada", w.scope(code, None)))
    missing = evaluate(
        s.gate_input((*s.complete()[:2], w.waiver("Ada")), people=(w.person("Ada"),)),
        w.BUNDLE,
        s.FixedEngine(w.violation(), package="pratique.vulns"),
    ).decision
    assert not missing.allowed
    assert codes(missing, Status.WAIVED) == ["vulns.threshold"]


def test_an_unused_waiver_is_no_input_of_the_decision() -> None:
    unused = w.waiver("Ada", w.predicate("Ada", w.scope("vulns.exploited", None)))
    decision = decide(w.waiver("Grace"), unused)
    inputs = {item.digest for item in decision.inputs}
    assert str(w.waiver("Grace").digest) in inputs
    assert str(unused.digest) not in inputs
    (waived,) = decision.with_status(Status.WAIVED)
    assert [item.person for item in waived.waivers] == ["Grace"]


def test_a_waiver_that_speaks_of_several_violations_tells_how_many_people_the_gravest_takes() -> None:
    strict = shipped_bundle(data={"waivers": {"medium": 3}})
    found = (w.violation(severity="critical"), w.violation(term=("CVE-2026-2", s.LOCKED), severity="medium"))
    by_purl = w.waiver("Ada", w.predicate("Ada", w.scope(term=None, purl=s.LOCKED)))
    (notice,) = decide(by_purl, found=found, bundle=strict).with_status(Status.WARNING)
    assert notice.msg.endswith(", counts once 2 more people waive the same")


def test_an_expired_waiver_is_told_apart_from_one_that_nobody_needs() -> None:
    after = s.NOW + timedelta(days=31)
    other = w.violation("vulns.exploited", ())
    old = w.waiver("Ada")
    assert codes(decide(old, effective_time=after), Status.WARNING) == ["waivers.expired"]
    both = decide(old, found=(w.violation(), other), effective_time=after)
    assert codes(both, Status.WARNING) == ["waivers.expired"]
    assert codes(decide(old, found=(other,), effective_time=after), Status.WARNING) == ["waivers.unused"]


def test_notices_are_bounded() -> None:
    many = [w.waiver("Ada", w.predicate("Ada", w.scope(term=(f"CVE-{i}",)))) for i in range(25)]
    notices = decide(*many).with_status(Status.WARNING)
    assert len(notices) == 11
    assert min(item.msg for item in notices) == "15 more waivers like these"
    assert len(decide(*many[:10]).with_status(Status.WARNING)) == 10


def test_a_policy_that_does_not_speak_of_waivers_admits_none() -> None:
    data = msgspec.to_builtins(w.BUNDLE.data)
    del data["waivers"]
    silent = make_bundle(w.BUNDLE.modules, data, requirements_table(w.BUNDLE.requirements))
    assert "waivers" not in json.loads(silent.encode())["data"]
    decision = decide(w.waiver("Ada"), bundle=silent)
    assert not decision.allowed
    assert "admits no waivers" in decision.set_aside[0].reason


def test_no_role_may_sign_waivers_and_none_can_be_owed() -> None:
    roles = {"runner": {"signers": ["spiffe://{trust_domain}/x"], "may_sign": ["waiver"]}}
    with pytest.raises(ConfigError, match="said by enrolments"):
        shipped_bundle(requirements={"roles": roles})


def test_rules_do_not_see_waivers() -> None:
    engine = s.FixedEngine()
    evaluate(s.gate_input((*s.complete(), w.waiver("Ada")), people=(w.person("Ada"),)), w.BUNDLE, engine)
    assert set(engine.documents[0]["evidence"]) == set(s.TYPES)
    assert "people" not in engine.documents[0]


def test_one_key_for_two_people_is_refused() -> None:
    with pytest.raises(MalformedError, match="two different people"):
        s.gate_input(people=(w.person("Ada"), w.person("Grace", key=w.key("Ada")))).encode()


def test_a_waiver_that_does_not_verify_waives_nothing() -> None:
    bad = Rejected(digest=s.digest("w"), predicate_type=WAIVER, reason="signature: does not hold")
    assert not decide(rejected=(bad,)).allowed


def test_the_schema_and_the_parser_agree() -> None:
    schema = json.loads((SPEC / "waiver.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    page = (SPEC / "waiver.md").read_text().split("```json\n")[1].split("```")[0]
    example = json.loads(page)
    assert example["predicateType"] == WAIVER
    waiver = parse_waiver(example["predicate"])
    check.validate(example["predicate"])
    assert waiver.to_predicate() == example["predicate"]
    bad = [
        example["predicate"] | {"more": 1},
        example["predicate"] | {"reason": ""},
        example["predicate"] | {"severityLimit": "none"},
        example["predicate"] | {"notAfter": "2026-12-24T23:59:59"},
        *(
            example["predicate"] | {"scope": example["predicate"]["scope"] | change}
            for change in (
                {"code": "vulns"},
                {"code": "evidence.vulns"},
                {"artifact": "every"},
                {"artifact": "sha256:1"},
                {"term": []},
                {"term": "CVE"},
                {"purl": "requests"},
                {"glob": "*"},
            )
        ),
        *({k: v for k, v in example["predicate"].items() if k != name} for name in schema["required"]),
    ]
    for text in (
        {"ticket": "x" * 1024},
        {"reason": "x" * 4096},
        {"scope": example["predicate"]["scope"] | {"term": ["x"] * 64}},
    ):
        check.validate(example["predicate"] | text)
        parse_waiver(example["predicate"] | text)
    bad += [
        example["predicate"] | {"ticket": "x" * 1025},
        example["predicate"] | {"reason": "x" * 4097},
        example["predicate"] | {"scope": example["predicate"]["scope"] | {"term": ["x"] * 65}},
    ]
    for document in bad:
        assert not check.is_valid(document), document
        with pytest.raises(MalformedError):
            parse_waiver(document)


@pytest.mark.parametrize("end", ["2026-11-23T08:00:00Z", "2026-11-22T08:00:00Z"])
def test_a_waiver_ends_after_it_begins(end: str) -> None:
    body = w.predicate("Ada", waivedAt="2026-11-23T08:00:00Z")
    parse_waiver(body | {"notAfter": "2026-11-23T08:00:01Z"})
    with pytest.raises(MalformedError, match="ends before it begins"):
        parse_waiver(body | {"notAfter": end})


def test_a_clock_may_be_off_by_just_so_much() -> None:
    late = w.waiver("Ada", signed_at=w.SIGNED + timedelta(minutes=5))
    assert codes(decide(late), Status.WAIVED) == ["vulns.threshold"]
