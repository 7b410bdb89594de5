"""What becomes of a source's answer: the conventions, without an engine."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import policy_scenario as s
import pytest
import waiver_scenario as w

from pratique.policy.decision import Decision, Finding, Status, parse_decision
from pratique.policy.engine.port import Answer, EngineError, Module, RuleSet, TestAnswer
from pratique.policy.explain.words import explain, render
from pratique.policy.formats.table import FORMATS
from pratique.policy.gate import evaluate, replay
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import Source, parse_source

if TYPE_CHECKING:
    from collections.abc import Mapping


class AnsweringEngine:
    """Answers each source by the name of its first module; the policy itself has nothing to say."""

    name = "answering"
    version = "1"

    def __init__(self, **answers: list[RuleSet] | EngineError) -> None:
        self.answers = answers
        self.asked: dict[str, tuple[Mapping[str, Module], dict[str, Any], dict[str, Any]]] = {}

    def test(self, *_: Any) -> TestAnswer:
        raise EngineError("eval", "this engine runs no tests")

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: bytes) -> Answer:
        first = "shipped" if "rebuild.rego" in modules else min(modules).partition(".")[0]
        self.asked[first] = (modules, data, json.loads(document))
        answer = self.answers.get(first, [RuleSet(package="pratique.vulns", name="deny", members=())])
        if isinstance(answer, EngineError):
            raise answer
        return Answer(sets=tuple(answer), isolation=("none",))


def answer(*members: Any, rule: str = "deny", package: str = "acme") -> RuleSet:
    return RuleSet(package=package, name=rule, members=members)


def module(*blocks: str, package: str = "acme") -> str:
    return f"package {package}\n" + "".join(
        f"# METADATA\n# title: T\n# custom:\n{block}\ndeny contains 1 if input.x\n" for block in blocks
    )


PLAIN = "package acme\ndeny contains 1 if input.x\n"


def source(text: str = PLAIN, *, name: str = "acme", **changes: Any) -> Source:
    return parse_source({"name": name, "modules": {f"{name}.rego": text}} | changes, what="test")


def decide(*sets: RuleSet, of: Source | None = None, **changes: Any) -> Decision:
    bundle = shipped_bundle(sources=[of or source()])
    gated = evaluate(s.gate_input(**changes), bundle, AnsweringEngine(acme=list(sets)))
    assert parse_decision(gated.decision.encode()) == gated.decision
    again = replay(gated.input_bytes, gated.policy_bytes, AnsweringEngine(acme=list(sets)))
    assert again.encode() == gated.decision.encode()
    return gated.decision


def of_source(decision: Decision, prefix: str = "acme.") -> list[tuple[str, Status]]:
    return [(result.code, result.status) for result in decision.results if result.code.startswith(prefix)]


def only(decision: Decision, code: str) -> Finding:
    (found,) = (result for result in decision.results if result.code == code)
    return found


def test_text_is_a_violation_whose_term_is_what_it_says() -> None:
    decision = decide(answer("no root", "no host"), answer("careful", rule="warn_x"))
    assert [(result.code, result.msg, result.term) for result in decision.with_status(Status.VIOLATION)] == [
        ("acme.deny", "no host", ("no host",)),
        ("acme.deny", "no root", ("no root",)),
    ]
    assert [result.code for result in decision.with_status(Status.WARNING)] == ["acme.warn_x"]
    assert not decision.allowed


def test_other_keys_of_a_conftest_object_are_metadata() -> None:
    member = {"msg": "no", "details": {"a": [1, None]}, "severity": "HIGH", "term": 5}
    found = only(decide(answer(member)), "acme.deny")
    assert found.metadata == {"details": {"a": [1, None]}, "severity": "HIGH", "term": 5}
    assert found.severity == "high"


def test_a_rule_without_metadata_that_is_silent_is_a_success() -> None:
    decision = decide(answer(), answer(rule="violation_x"))
    assert of_source(decision) == [("acme.deny", Status.SUCCESS), ("acme.violation_x", Status.SUCCESS)]
    assert decision.allowed


def test_a_finding_without_a_code_takes_that_of_the_only_block_above_its_rule() -> None:
    one, two = "#   short_name: one", "#   short_name: two"
    assert of_source(decide(answer("no"), of=source(module(one)))) == [("acme.one", Status.VIOLATION)]
    decision = decide(answer("no"), of=source(module(one, two)))
    assert of_source(decision) == [
        ("acme.deny", Status.VIOLATION),
        ("acme.one", Status.SUCCESS),
        ("acme.two", Status.SUCCESS),
    ]


def test_a_conforma_result_is_taken_whole() -> None:
    member = {
        "code": "acme.one",
        "msg": "found it",
        "term": "left-pad",
        "effective_on": "2022-01-01T00:00:00Z",
        "collections": ["minimal"],
    }
    text = module("#   short_name: one\n#   severity: low\n#   solution: Remove it.\n#   controls: [A, B]")
    found = only(decide(answer(member), of=source(text)), "acme.one")
    assert (found.status, found.term, found.severity) == (Status.VIOLATION, ("left-pad",), "low")
    assert (found.solution, found.controls, found.metadata) == ("Remove it.", ("A", "B"), {})
    assert found.rule is not None
    assert (found.rule.file, found.rule.line) == ("acme/acme.rego", 2)


@pytest.mark.parametrize(
    ("rule", "block", "member", "status"),
    [
        ("deny", "", "warning", Status.WARNING),
        ("warn", "", "failure", Status.VIOLATION),
        ("deny", "warning", "", Status.WARNING),
        ("warn", "failure", "", Status.VIOLATION),
        ("deny", "warning", "failure", Status.VIOLATION),
        ("deny", "critical", "low", Status.VIOLATION),
    ],
)
def test_severity_decides_as_in_conforma(rule: str, block: str, member: str, status: Status) -> None:
    text = module(f"#   short_name: one\n#   severity: '{block}'")
    value = {"code": "acme.one", "msg": "x", "severity": member}
    assert only(decide(answer(value, rule=rule), of=source(text)), "acme.one").status is status


@pytest.mark.parametrize(
    "member",
    [
        None,
        5,
        [],
        {},
        {"msg": 5},
        {"code": "acme.one"},
        {"code": 5, "msg": "x"},
        {"code": "one", "msg": "x"},
        {"code": "acme.one two", "msg": "x"},
        {"code": "acme.one", "msg": "x", "term": [1]},
        {"code": "acme.one", "msg": "x", "severity": "dire"},
        {"code": "acme.one", "msg": "x", "effective_on": "soon"},
        {"code": "acme.one", "msg": "x", "evidence": ["sha256:short"]},
        {"code": "vulns.threshold", "msg": "x"},
        {"code": "evidence.sbom", "msg": "x"},
        {"code": "policy.volatile", "msg": "x"},
        {"code": "engine.error", "msg": "x"},
    ],
)
def test_what_is_no_finding_of_the_source_denies(member: Any) -> None:
    for rule in ("deny", "warn"):
        decision = decide(answer(member, rule=rule))
        assert only(decision, "engine.error").term == ("eval", "acme")
        assert not decision.allowed


def test_one_source_that_fails_does_not_hide_what_another_finds() -> None:
    sources = [source(), source(PLAIN.replace("acme", "other"), name="other")]
    engine = AnsweringEngine(
        acme=EngineError("compile", "acme.rego:1: no"), other=[answer("yes", package="other")]
    )
    decision = evaluate(s.gate_input(), shipped_bundle(sources=sources), engine).decision
    assert only(decision, "engine.error").msg == "compile: acme.rego:1: no (source acme)"
    assert only(decision, "other.deny").msg == "yes"
    assert "pratique.vulns" not in {result.code for result in decision.results}
    assert len(decision.with_status(Status.SUCCESS)) > 10


def test_a_code_that_two_sources_report_is_an_error() -> None:
    sources = [source(), source(name="other")]
    engine = AnsweringEngine(acme=[answer("a")], other=[answer("b")])
    decision = evaluate(s.gate_input(), shipped_bundle(sources=sources), engine).decision
    assert "reported by source acme too" in only(decision, "engine.error").msg


EXCEPTION = RuleSet(package="acme", name="exception", members=(["root", "host"], [""]))


def test_an_exception_shows_the_violations_it_exempts() -> None:
    decision = decide(
        answer("a"),
        answer("b", rule="deny_root"),
        answer("c", rule="violation_host"),
        answer("d", rule="warn_root"),
        EXCEPTION,
    )
    assert decision.allowed
    waived = decision.with_status(Status.WAIVED)
    assert [result.msg for result in waived] == ["a", "b", "c"]
    assert {result.excepted for result in waived} == {"data.acme.exception of source acme"}
    assert only(decision, "acme.warn_root").status is Status.WARNING
    assert "data.acme.exception of source acme" in render(explain(decision))
    for write in FORMATS.values():
        assert b"data.acme.exception" in write(decision)


def test_an_exception_reaches_neither_other_rules_nor_packages_nor_sources() -> None:
    decision = decide(
        answer("b", rule="deny_other"), answer("c", rule="deny_root", package="acme.sub"), EXCEPTION
    )
    assert len(decision.with_status(Status.VIOLATION)) == 2
    everything = RuleSet(package="pratique.vulns", name="exception", members=([""],))
    shipped = AnsweringEngine(
        shipped=[
            RuleSet(
                package="pratique.rebuild", name="deny", members=({"code": "rebuild.identical", "msg": "no"},)
            )
        ],
        acme=[everything, RuleSet(package="pratique.rebuild", name="exception", members=([""],)), answer()],
    )
    decision = evaluate(s.gate_input(), shipped_bundle(sources=[source()]), shipped).decision
    assert only(decision, "rebuild.identical").status is Status.VIOLATION


def test_effective_on_makes_a_violation_a_warning_until_then() -> None:
    since = "#   short_name: one\n#   effective_on: {}"
    value = {"code": "acme.one", "msg": "Too old."}
    later = (s.NOW + timedelta(seconds=1)).isoformat()
    found = only(decide(answer(value), of=source(module(since.format(later)))), "acme.one")
    assert found.status is Status.WARNING
    assert found.msg == "Too old. From 2026-11-23T12:00:01Z on this is a violation"
    for when in (s.NOW.isoformat(), "2026-11-23", "2022-01-01T00:00:00Z"):
        decision = decide(answer(value), of=source(module(since.format(when))))
        assert only(decision, "acme.one").status is Status.VIOLATION
    member = {"msg": "x", "effective_on": "2099-01-01T00:00:00Z"}
    assert only(decide(answer(member)), "acme.deny").status is Status.WARNING
    unreadable = {"msg": "x", "effective_on": "2099-13-01"}
    assert only(decide(answer(unreadable)), "acme.deny").status is Status.VIOLATION


def chain(*names: str) -> Source:
    blocks = [
        f"#   short_name: {name}" + (f"\n#   depends_on: [acme.{before}]" if before else "")
        for before, name in zip(("", *names), names, strict=False)
    ]
    return source(module(*blocks))


def member(name: str, **more: Any) -> dict[str, Any]:
    return {"code": f"acme.{name}", "msg": name} | more


def test_what_depends_on_a_violation_is_skipped_all_the_way() -> None:
    decision = decide(answer(member("a"), member("b"), member("b", term="t")), of=chain("a", "b", "c"))
    assert of_source(decision) == [
        ("acme.a", Status.VIOLATION),
        ("acme.b", Status.SKIPPED),
        ("acme.c", Status.SKIPPED),
    ]
    assert only(decision, "acme.c").msg == "depends on acme.b, which does not hold"


def test_what_only_warns_or_is_excepted_skips_nothing() -> None:
    decision = decide(answer(member("a", severity="warning"), member("b")), of=chain("a", "b"))
    assert only(decision, "acme.b").status is Status.VIOLATION
    decision = decide(answer(member("a")), answer(member("b"), rule="deny_b"), EXCEPTION, of=chain("a", "b"))
    assert only(decision, "acme.a").status is Status.WAIVED
    assert only(decision, "acme.b").status is Status.VIOLATION


def test_rules_that_depend_on_each_other_end_somewhere() -> None:
    text = module(
        "#   short_name: a\n#   depends_on: acme.b", "#   short_name: b\n#   depends_on: [acme.a, acme.b]"
    )
    assert not decide(answer(member("a"), member("b")), of=source(text)).allowed


def test_what_is_excluded_is_skipped_and_says_why() -> None:
    text = module("#   short_name: one\n#   collections: [minimal]", "#   short_name: two")
    values = [member("one", term="x"), member("one", term="y"), member("two")]
    decision = decide(answer(*values), of=source(text, exclude=["acme.one:x"]))
    skipped = [result for result in decision.with_status(Status.SKIPPED) if result.code.startswith("acme.")]
    assert [(result.code, result.term) for result in skipped] == [("acme.one", ("x",))]
    assert skipped[0].msg == "excluded by acme.one:x (source acme): one"
    decision = decide(answer(*values), of=source(text, include=["@minimal"], exclude=["acme.one:y"]))
    assert only(decision, "acme.two").msg == "no include criterion selects it (source acme): two"
    assert [result.term for result in decision.with_status(Status.VIOLATION)] == [("x",)]


def test_a_source_of_which_nothing_is_left_denies() -> None:
    decision = decide(answer("no"), of=source(exclude=["*"]))
    assert only(decision, "policy.source").status is Status.ERROR
    assert not decision.allowed


def test_criteria_that_select_nothing_are_reported() -> None:
    decision = decide(answer("no"), of=source(exclude=["acmee"], include=["*", "@minmal"]))
    assert [result.term for result in decision.results if result.code == "policy.selection"] == [
        ("acme", "exclude", "acmee"),
        ("acme", "include", "@minmal"),
    ]


def test_shipped_rules_cannot_be_excluded_by_a_source() -> None:
    engine = AnsweringEngine(
        shipped=[
            RuleSet(
                package="pratique.rebuild", name="deny", members=({"code": "rebuild.identical", "msg": "no"},)
            )
        ],
        acme=[answer()],
    )
    bundle = shipped_bundle(
        sources=[source(include=["acme"], exclude=["rebuild", "*:x", "rebuild.identical"])]
    )
    decision = evaluate(s.gate_input(), bundle, engine).decision
    assert only(decision, "rebuild.identical").status is Status.VIOLATION


VOLATILE = {"value": "acme.deny", "reason": "OPS-12"}


@pytest.mark.parametrize(
    ("entry", "excluded", "notice"),
    [
        ({}, True, "is in force without an end: OPS-12"),
        ({"effective_until": "2026-11-23T12:00:00Z"}, True, "until 2026-11-23T12:00:00Z"),
        ({"effective_until": "2026-11-23T11:59:59Z"}, False, "ended at 2026-11-23T11:59:59Z: OPS-12"),
        ({"effective_on": "2026-11-23T12:00:00Z"}, True, "is in force"),
        ({"effective_on": "2026-11-24"}, False, "does not hold before 2026-11-24T00:00:00Z"),
        ({"image_digest": str(s.SUBJECT)}, True, "for sha256:abababababab is in force"),
        ({"image_ref": str(s.SUBJECT)}, True, "for sha256:abababababab is in force"),
        ({"image_digest": f"sha256:{'0' * 64}"}, False, ""),
    ],
)
def test_volatile_criteria_hold_for_their_time_and_artifact(
    entry: dict[str, str], *, excluded: bool, notice: str
) -> None:
    decision = decide(
        answer("no"), answer("x", rule="warn_x"), of=source(volatile_exclude=[VOLATILE | entry])
    )
    assert decision.allowed is excluded
    told = [result.msg for result in decision.results if result.code == "policy.volatile"]
    assert len(told) == bool(notice)
    assert all(notice in text for text in told)


def test_people_can_waive_a_message_and_nothing_else() -> None:
    of = source()
    bundle = shipped_bundle(sources=[of])
    engine = AnsweringEngine(acme=[answer("no root", "no host")])
    given = w.waiver("Ada", w.predicate("Ada", w.scope("acme.deny", ("no root",))))
    asked = s.gate_input((*s.complete(), given), people=(w.person("Ada"),))
    decision = evaluate(asked, bundle, engine).decision
    assert [result.msg for result in decision.with_status(Status.WAIVED)] == ["no root"]
    assert [result.msg for result in decision.with_status(Status.VIOLATION)] == ["no host"]


def test_a_source_sees_its_own_data_over_the_policys_and_the_shape_it_asks_for() -> None:
    data = {"rule_data": {"vulns": {"threshold": "low"}}, "services": {"ports": [22]}}
    engine = AnsweringEngine(acme=[answer()])
    bundle = shipped_bundle(sources=[source(data=data, input="attestations", rego="v0")])
    decision = evaluate(s.gate_input(), bundle, engine).decision
    modules, seen, document = engine.asked["acme"]
    assert {text.rego for text in modules.values()} == {"v0"}
    assert seen["rule_data"]["vulns"]["threshold"] == "low"
    assert seen["rule_data"]["vulns"]["max_database_age_days"] == 90
    assert (seen["services"], seen["rule_data_custom"]) == ({"ports": [22]}, {})
    assert seen["config"] == {"policy": {"when_ns": int(s.NOW.timestamp()) * 10**9}}
    assert document["image"] == {"ref": f"harbour-1.0.tar@{s.SUBJECT}"}
    statements = [item["statement"] for item in document["attestations"]]
    assert {statement["predicateType"] for statement in statements} == {uri for uri, _, _ in s.TYPES.values()}
    assert {"digest": {"sha256": s.SUBJECT.hex}} in statements[0]["subject"]
    assert decision.engine.rego == "v0,v1"
    _, shipped_data, shipped_document = engine.asked["shipped"]
    assert shipped_data["rule_data"]["vulns"]["threshold"] == "high"
    assert set(shipped_data) == {"rule_data"}
    assert "evidence" in shipped_document


def test_the_present_is_the_effective_time() -> None:
    then = datetime(2020, 1, 1, tzinfo=UTC)
    text = module("#   short_name: one\n#   effective_on: 2021-01-01")
    decision = decide(answer(member("one")), of=source(text), effective_time=then)
    assert re.search("From 2021-01-01T00:00:00Z", only(decision, "acme.one").msg)
