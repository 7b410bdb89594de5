"""Running test rules: outcomes, where they are, what they covered, and what even a test may not do."""

from __future__ import annotations

import pytest
from patience import PATIENT

from pratique.policy.engine.port import EngineError, Module, TestAnswer
from pratique.policy.engine.regorus import RegorusEngine

ENGINE = RegorusEngine(PATIENT)
RULES = """package mine

deny contains "too big" if {
	input.size > data.rule_data.limit
}

helper(x) := y if {
	y := x + 1
}
"""
TESTS = """package mine_test

import data.mine

test_big_is_refused if {
	count(mine.deny) == 1 with input as {"size": 11}
}

test_small_is_refused if {
	found := mine.deny with input as {"size": 9}
	count(found) == 1
	found == {"too big"}
}

todo_test_later if false

test_false := false

test_number := 7

test_stumbles if to_number("x") == 1
"""


def run(*sources: str, **data: int) -> TestAnswer:
    modules = {f"{number}.rego": Module(source=text) for number, text in enumerate(sources)}
    return ENGINE.test(modules, {"rule_data": data})


def test_outcomes_and_places() -> None:
    answer = run(RULES, TESTS, limit=10)
    assert [(test.name, test.line, test.outcome) for test in answer.results] == [
        ("test_big_is_refused", 5, "pass"),
        ("test_small_is_refused", 9, "fail"),
        ("todo_test_later", 15, "skipped"),
        ("test_false", 17, "fail"),
        ("test_number", 19, "fail"),
        ("test_stumbles", 21, "error"),
    ]
    assert {(test.package, test.file) for test in answer.results} == {("mine_test", "1.rego")}
    messages = {test.name: test.message for test in answer.results}
    assert messages["test_big_is_refused"] == messages["todo_test_later"] == ""
    assert messages["test_small_is_refused"] == "undefined; line 12 was not reached"
    assert messages["test_false"] == "false, not true"
    assert messages["test_number"] == "7, not true"
    assert "1.rego:21" in messages["test_stumbles"]
    assert "could not parse string as number" in messages["test_stumbles"]


def test_coverage_is_of_all_tests_together() -> None:
    rules = run(RULES, TESTS, limit=10).coverage["0.rego"]
    assert rules.covered == (3, 4)
    assert rules.not_covered == (7, 8)


def test_a_test_sees_nothing_of_the_one_before() -> None:
    answer = run(
        RULES,
        "package t\ntest_a if data.mine.deny with input as {'size': 3}".replace("'", '"')
        + "\ntest_b if not input.size",
        limit=1,
    )
    assert [test.outcome for test in answer.results] == ["pass", "pass"]


def test_modules_without_tests_come_to_nothing() -> None:
    assert run(RULES).results == ()


def test_with_may_replace_built_in_functions_in_tests() -> None:
    source = RULES + (
        "f(x) := count(x)\n"
        "test_function if f([1, 2]) == 4 with count as g\n"
        "g(x) := 4\n"
        "test_value if f([1, 2]) == 9 with count as 9\n"
    )
    assert [test.outcome for test in run(source).results] == ["pass"] * 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("test_a if f(1) with f as http.send\nf(x) := x", "built-in functions only"),
        ("test_a if f(1) with f as print\nf(x) := x", "built-in functions only"),
        ("test_a if f(1) with http.send as f\nf(x) := x", "built-in functions only"),
        ("test_a if f(1) with data.mine.f as 7\nf(x) := x", "built-in functions only"),
        ("test_a if f(1) with f as 7\nf(x) := x", "built-in functions only"),
        ('test_a if http.send({"url": "x"}) with http.send as f\nf(x) := x', "http.send"),
        ("test_a if time.now_ns() > 0", "time.now_ns is no function that rules may call"),
        ("test_a(x) if x", "test_a is no test"),
        ("test_a contains 1", "test_a is no test"),
        ("test_a if false\ntest_a if true", "test_a is there twice"),
        ("default test_a := true", "test_a is no test"),
        ("test_a if count(1, 2)", "count takes 1 arguments, not 2"),
        ("test_a if {", "0.rego:"),
    ],
)
def test_what_a_test_may_not_do(source: str, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        run("package mine\n" + source)


def test_rego_v0_where_a_module_says_so() -> None:
    old = Module(source='package old\ndeny[msg] { input.x == 1; msg := "one" }', rego="v0")
    new = Module(source="package new\ndeny contains 1 if count(data.old.deny) == 1")
    answer = ENGINE.evaluate({"new.rego": new, "old.rego": old}, {}, {"x": 1})
    assert {(found.package, found.members) for found in answer.sets} == {("new", (1,)), ("old", ("one",))}
    with pytest.raises(EngineError) as caught:
        ENGINE.evaluate({"old.rego": Module(source=old.source)}, {}, {})
    assert caught.value.phase == "compile"
