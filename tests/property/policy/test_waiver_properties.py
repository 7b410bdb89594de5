"""What must hold of waivers, whoever signs however many of them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import policy_scenario as s
import waiver_scenario as w
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.model.clock import format_time
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.gate import evaluate
from pratique.policy.waivers.person import Grant

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence

OTHER = ("CVE-2026-2", s.LOCKED)
TERMS = st.sampled_from([w.TERM, OTHER, ("CVE-2026-1",), ()])
CODES = st.sampled_from(["vulns.threshold", "vulns.exploited", "vulns.coverage", "provenance.isolated"])
SEVERITIES = st.sampled_from(["critical", "high", "medium", "low"])
QUORUM = {"critical": 2, "high": 1, "medium": 1, "low": 1}
RANK = ["low", "medium", "high", "critical"]
DAY = timedelta(days=1)
PEOPLE = (
    w.person("Ada"),
    w.person("Grace"),
    w.person("Ada", key=w.key("Ada's second")),
    w.person("Norole", roles=("approver",)),
    w.person("Later", grants=(Grant(since=s.NOW + timedelta(seconds=1), roles=("waiver-approver",)),)),
    w.person("Author", involved="Author wrote it"),
)
SIGNERS = {
    "Ada": [w.key("Ada"), w.key("Ada's second")],
    "Grace": [w.key("Grace")],
    "Norole": [w.key("Norole")],
    "Later": [w.key("Later")],
    "Author": [w.key("Author")],
    "Eve": [w.key("Eve")],
}
GOOD = {"Ada", "Grace"}


@st.composite
def findings(draw: st.DrawFn) -> tuple[dict[str, Any], ...]:
    keys = draw(st.lists(st.tuples(CODES, TERMS), unique=True, max_size=5))
    return tuple(w.violation(code, term, draw(SEVERITIES)) for code, term in keys)


@st.composite
def waivers(draw: st.DrawFn, names: tuple[str, ...] = tuple(SIGNERS)) -> Evidence:
    name = draw(st.sampled_from(names))
    term = draw(TERMS)
    scope = w.scope(draw(CODES), term or None)
    if draw(st.integers(0, 3)) == 0:
        scope = w.scope(draw(CODES), None, purl=s.LOCKED)
    signed = s.NOW - draw(st.integers(-2, 20)) * DAY
    changes: dict[str, Any] = {
        "waivedAt": format_time(signed),
        "notAfter": format_time(signed + draw(st.integers(1, 100)) * DAY),
    }
    if draw(st.booleans()):
        changes["severityLimit"] = draw(SEVERITIES)
    return w.waiver(
        name,
        w.predicate(name, scope, **changes),
        signed_at=signed,
        signer=draw(st.sampled_from(SIGNERS[name])),
        signer_kind=draw(st.sampled_from(["key", "key", "key", "certificate"])),
        subjects=draw(st.sampled_from([(s.SUBJECT,)] * 4 + [(s.digest("x"),)])),
    )


WAIVERS = st.lists(waivers(), max_size=12, unique_by=lambda item: item.digest)


def decide(found: tuple[dict[str, Any], ...], given_waivers: list[Evidence]) -> Decision:
    gate_input = s.gate_input((*s.complete(), *given_waivers), people=PEOPLE)
    return evaluate(gate_input, w.BUNDLE, s.FixedEngine(*found, package="pratique.vulns")).decision


def in_order(item: Evidence) -> bool:
    """Whether one waiver, on its own, is one that counts, worked out from its parts."""
    ends = item.predicate["notAfter"]
    began = item.signed_at
    return (
        item.predicate["person"] in GOOD
        and item.signer_kind == "key"
        and item.subjects == (s.SUBJECT,)
        and began <= s.NOW
        and ends >= format_time(s.NOW)
        and ends <= format_time(began + 90 * DAY)
    )


def speaks_of(item: Evidence, finding: dict[str, Any]) -> bool:
    scope, limit = item.predicate["scope"], item.predicate.get("severityLimit", "critical")
    meant = scope["purl"] in finding["term"] if "purl" in scope else scope.get("term", []) == finding["term"]
    return meant and scope["code"] == finding["code"] and RANK.index(finding["severity"]) <= RANK.index(limit)


def shown(result: Finding) -> tuple[str, tuple[str, ...]]:
    return result.code, result.term


@given(findings(), WAIVERS)
@settings(max_examples=150, deadline=None)
def test_only_what_enough_good_people_speak_of_is_waived(
    found: tuple[dict[str, Any], ...], items: list[Evidence]
) -> None:
    decision = decide(found, items)
    waived = {shown(result) for result in decision.with_status(Status.WAIVED)}
    for finding in found:
        if (finding["code"], tuple(finding["term"])) in waived:
            people = {
                item.predicate["person"] for item in items if in_order(item) and speaks_of(item, finding)
            }
            assert len(people) >= QUORUM[finding["severity"]]
    assert decision.allowed is (len(waived) == len(found))


@given(findings(), WAIVERS)
@settings(max_examples=150, deadline=None)
def test_nothing_is_hidden_nothing_is_added_and_all_else_stays(
    found: tuple[dict[str, Any], ...], items: list[Evidence]
) -> None:
    before, after = decide(found, []), decide(found, items)
    grave = (Status.VIOLATION, Status.WAIVED, Status.ERROR)
    assert sorted(map(shown, after.with_status(*grave))) == sorted(map(shown, before.with_status(*grave)))
    rest = (Status.SUCCESS, Status.SKIPPED)
    assert after.with_status(*rest) == before.with_status(*rest)
    assert {item.code for item in after.with_status(Status.WARNING)} <= {
        "waivers.unused",
        "waivers.expired",
        "waivers.incomplete",
    }
    violations = set(map(shown, after.with_status(Status.VIOLATION)))
    assert violations <= set(map(shown, before.with_status(Status.VIOLATION)))


@given(
    findings(),
    st.lists(waivers(("Norole", "Later", "Author", "Eve")), max_size=8, unique_by=lambda item: item.digest),
)
@settings(max_examples=80, deadline=None)
def test_who_may_not_waive_changes_no_result(
    found: tuple[dict[str, Any], ...], items: list[Evidence]
) -> None:
    assert decide(found, items).results == decide(found, []).results


@given(findings(), st.lists(waivers(("Ada",)), max_size=10, unique_by=lambda item: item.digest))
@settings(max_examples=80, deadline=None)
def test_one_person_however_often_is_never_two(
    found: tuple[dict[str, Any], ...], items: list[Evidence]
) -> None:
    decision = decide(found, items)
    assert all(result.severity != "critical" for result in decision.with_status(Status.WAIVED))
    assert all(len({by.person for by in item.waivers}) <= 1 for item in decision.results)


@given(findings(), WAIVERS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_waivers_leaves_no_trace(
    found: tuple[dict[str, Any], ...], items: list[Evidence], random: Any
) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert decide(found, shuffled).encode() == decide(found, items).encode()


@given(WAIVERS)
@settings(max_examples=60, deadline=None)
def test_without_their_evidence_and_without_an_engine_nothing_passes(items: list[Evidence]) -> None:
    missing = evaluate(
        s.gate_input((*s.complete()[1:], *items), people=PEOPLE), w.BUNDLE, s.FixedEngine()
    ).decision
    assert not missing.allowed
    failing = evaluate(
        s.gate_input((*s.complete(), *items), people=PEOPLE), w.BUNDLE, s.FixedEngine("no finding")
    ).decision
    assert [item.code for item in failing.with_status(Status.ERROR)] == ["engine.error"]
    assert not failing.allowed
