"""Policies and inputs that some engine, somewhere, lets pass or hangs on: all must deny, and say why.

The cases are those of the project's engine study: what OPA refuses to compile and regorus accepts until the
line is reached, and what costs an engine without limits its time or memory.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import policy_scenario as s
import pytest
from patience import PATIENT

from pratique.policy.bundle import PolicyBundle, make_bundle
from pratique.policy.decision import Decision, Status
from pratique.policy.engine.builtins import ARITY
from pratique.policy.engine.port import EngineError, Limits, Module
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source
from pratique.policy.trust_file import requirements_table

HEAD = """package mine
# METADATA
# title: Mine
# custom:
#   short_name: one
"""
ENGINE = RegorusEngine(msgspec.structs.replace(PATIENT, output_bytes=100_000))
HURRIED = RegorusEngine(Limits(wall_seconds=2, start_seconds=120, output_bytes=100_000))


def bundle(source: str) -> PolicyBundle:
    shipped = shipped_bundle()
    mine = parse_source({"name": "mine", "modules": {"mine.rego": HEAD + source}}, what="test")
    return make_bundle(shipped.modules, {}, requirements_table(shipped.requirements), [mine])


def decide(source: str, **changes: Any) -> Decision:
    return evaluate(s.gate_input(**changes), bundle(source), ENGINE).decision


def alone(source: str, document: dict[str, Any] | None = None) -> Any:
    return ENGINE.evaluate({"mine.rego": Module(source="package mine\n" + source)}, {}, document or {})


NEVER = "deny contains 1 if { false; %s }\n"
CORPUS = {
    "undefined function": (NEVER % "nosuch(1)", "nosuch is no function"),
    "undefined function of a package": (NEVER % "data.mine.nosuch(1)", "neither a rule|no function"),
    "wrong arity of a built-in": (NEVER % "count(1, 2)", "count takes 1 arguments, not 2"),
    "wrong arity of a function": (NEVER % "f(1, 2)" + "f(x) := x", "f takes 1 arguments, not 2"),
    "output argument": (NEVER % "count([1], n); n == 1", "count takes 1 arguments, not 2"),
    "misspelt variable": ("deny contains 1 if { inptu.x == 1 }", "inptu"),
    "misspelt variable, unreached": (NEVER % "x == y", "unsafe"),
    "reference to no rule": (NEVER % "data.mine.deney[_]", "data.mine.deney is neither a rule nor rule data"),
    "reference to no package": (NEVER % "data.nowhere.x", "data.nowhere.x is neither"),
    "import of no rule": ("import data.lib.ok\n" + NEVER % "ok", "data.lib.ok is neither"),
    "recursion": ("deny contains x if { some x in data.mine.deny }", "recursion: mine.deny → mine.deny"),
    "recursion of functions": (NEVER % "f(1)" + "f(x) := g(x)\ng(x) := f(x)", "mine.f → mine.g → mine.f"),
    "recursion through all data": (NEVER % "data[input.x]", "recursion"),
    "recursion through an import": ("import data.mine as me\n" + NEVER % "me.deny[_]", "recursion"),
    "syntax error": ("deny contains 1 if {", "mine.rego:"),
    "allow := true": ("allow := true", "no rule named deny or warn"),
    "default allow := true": ("default allow := true", "no rule named deny or warn"),
    "deny as boolean": ("deny := false", "deny is not a set of findings"),
    "deny as array": ("deny := []", "deny is not a set of findings"),
    "deny as object": ("deny[k] := 1 if { k := input.never }", "deny is not a set of findings"),
    "deny as set value": ("deny := {1}", "deny is not a set of findings"),
    "deny as function": ("deny(x) := x", "deny is not a set of findings"),
    "deny undefined": ("deny := true if input.never", "deny is not a set of findings"),
    "default deny": ("default deny := false", "deny is not a set of findings"),
    "warn as boolean": ("warn := false", "warn is not a set of findings"),
    "misspelt deny": ("denied contains 1", "no rule named deny or warn"),
    "list that is always undefined": ("deny := [1]", "deny is not a set of findings"),
    "list that is no finding": ("deny := [1] if true", "holds what is no finding"),
    "member without a message": ('deny contains {"title": "no"}', "holds what is no finding"),
    "member of a shipped code": (
        'deny contains {"code": "rebuild.identical", "msg": "no"}',
        "not this source's to report",
    ),
    "member of a code of the program's own": (
        'deny contains {"code": "evidence.sbom", "msg": "no"}',
        "not this source's to report",
    ),
    "exception of another shape": (
        'deny contains "no"\nexception contains 1',
        "an exception is a list of rule names",
    ),
    "exception alone": ('exception contains [""]', "no rule named deny or warn"),
    "function of Conforma": (
        NEVER % 'ec.oci.blob("x")',
        "ec.oci.blob is a function of Conforma's own engine",
    ),
    "data that is not there": (NEVER % "data.conftest.file.name", "data.conftest.file.name is neither"),
    "type confusion": ('deny contains 1 if { to_number("abc") }', "could not parse string as number"),
    "type confusion of arguments": ("deny contains 1 if { count(5) }", "count"),
    "division by zero": ("deny contains 1 if { x := 1 / 0; x == 0 }", "divi"),
    "exponential nesting": (NEVER % f"x := {'[' * 24}{']' * 24}", "brackets nest 25 deep"),
    "exponential nesting in parentheses": (NEVER % f"x := {'(' * 24}1{')' * 24}", "brackets nest 25 deep"),
    "huge output": (
        'deny contains {"code": "mine.one", "msg": format_int(i, 10)} if some i in numbers.range(1, 9000)',
        "larger than 100000 bytes",
    ),
    "very long expression": (NEVER % ("x := 1" + "\n+ 1" * 5000), "crash|eval|longer than"),
    "assignment to input": (NEVER % "input := 1", "input"),
    "variable assigned twice": (NEVER % "x := 1; x := 2", "x"),
    "unbound variable in a negation": (NEVER % "not input.list[x] == y", "unsafe|y"),
    "any value in a negation": (NEVER % "not input.list[_] == 1", "unsafe: _"),
    "variable of a negation's own": (NEVER % "not input.list[x] == 1", "unsafe"),
    "variable of two negations": (NEVER % "not input.a[x]; not input.b[x]", "unsafe"),
    "glob with alternatives": (NEVER % 'glob.match("{a,}", null, "a")', "engines disagree on glob.match"),
    "glob with a class": (NEVER % 'glob.match(`[^a]`, null, "a")', "engines disagree on glob.match"),
    "glob with delimiters": (NEVER % 'glob.match("a*", ["/"], "a")', "engines disagree on glob.match"),
    "minus before what is no number": (NEVER % "x := 1; -x == 1", "engines disagree on `-`"),
    "unbound variable in the head": ("deny contains x if { input.subject }", "unsafe|x"),
    "function with two results": (
        "deny contains x if { x := f(1) }\nf(_) := 1\nf(_) := 2",
        "multiple|conflict|must not produce|complete rules",
    ),
    "rule with two values": (
        "deny contains x if { x := v }\nv := 1\nv := 2",
        "multiple|conflict|must not produce|complete rules",
    ),
    "arithmetic on text": ('deny contains x if { x := "a" + 1 }', "number|mine.rego"),
    "broken regular expression": ('deny contains 1 if { regex.match("(", "x") }', "regex|regular|parse"),
    "broken time": ('deny contains 1 if { time.parse_rfc3339_ns("yesterday") > 0 }', "time|pars|input"),
    "broken JSON": ('deny contains 1 if { json.unmarshal("{") }', "json|JSON|EOF|unexpected"),
    "broken base64": ('deny contains base64.decode("%")', "base64|symbol|nvalid|decode failed"),
    "call of a rule": (NEVER % "g(1)" + "g := 1", "g"),
    "membership of a key and a value": (NEVER % '"a", "a" in {"a"}', "engines disagree"),
    "unclosed text": ('deny contains "x', "mine.rego"),
    "byte order mark": ("\ufeffdeny contains 1", "invalid character|byte-order mark"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_denies_with_a_message(name: str) -> None:
    source, expected = CORPUS[name]
    decision = decide(source)
    (error,) = decision.with_status(Status.ERROR)
    assert not decision.allowed
    assert error.code == "engine.error"
    assert any(part in error.msg for part in expected.split("|")), error.msg
    assert "/root/" not in error.msg
    assert len(error.msg) < 1200


ENDLESS = {
    "loop": (
        "deny contains 1 if { r := numbers.range(1, 20000); some i in r; some j in r; i + j < 0 }",
        "longer than 2 seconds",
    ),
    "memory": (
        "deny contains x if { some x in numbers.range(1, 9000000) }",
        "memory|eval|killed|longer than 2 seconds",
    ),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_take_all_time_or_memory_is_ended(name: str) -> None:
    """By itself: the shipped rules beside it would need their own time within the same limit."""
    source, expected = ENDLESS[name]
    with pytest.raises(EngineError, match=expected) as caught:
        HURRIED.evaluate({"mine.rego": Module(source=HEAD + source)}, {}, {})
    assert caught.value.phase in {"timeout", "limit", "eval", "crash"}


def test_what_has_no_end_denies() -> None:
    """A decision needs no more than an engine that gives none."""
    source, _ = ENDLESS["loop"]
    decision = evaluate(s.gate_input(), bundle(source), HURRIED).decision
    assert not decision.allowed
    assert "timeout" in {result.term[0] for result in decision.with_status(Status.ERROR)}


IMPURE = [
    'http.send({"method": "get", "url": "http://127.0.0.1"})',
    'http["send"]({})',
    'net.lookup_ip_addr("localhost")',
    "opa.runtime()",
    'rand.intn("a", 10)',
    'uuid.rfc4122("a")',
    "time.now_ns()",
    'io.jwt.decode("x")',
    'crypto.sha256("x")',
    "rego.metadata.chain()",
    'print("x")',
    'trace("x")',
]


@pytest.mark.parametrize("call", IMPURE)
@pytest.mark.parametrize(
    "place",
    [
        NEVER % "x := %s",
        "deny contains %s",
        "deny contains 1 if f(1) with input.x as %s\nf(x) := x",
        NEVER % "x := [y | y := %s]",
        NEVER % "every y in [%s] { y }",
    ],
)
def test_what_is_not_a_pure_function_is_refused_wherever_it_hides(call: str, place: str) -> None:
    with pytest.raises(EngineError, match="is no function that rules may call") as caught:
        alone(place % call)
    assert caught.value.phase == "capability"


def test_a_function_cannot_be_swapped_by_with() -> None:
    with pytest.raises(EngineError, match="input and data only"):
        alone(NEVER % "count([]) with http.send as count")
    with pytest.raises(EngineError, match="input and data only"):
        alone("deny contains 1 if f(1) with data.mine.f as false\nf(x) := true")


def test_comments_and_strings_do_not_count_as_calls() -> None:
    answer = alone('deny contains "http.send(1)" if { input.x == 1 } # http.send(1)', {"x": 1})
    assert answer.sets[0].members == ("http.send(1)",)


@pytest.mark.parametrize(
    "text", ['"}]}', "\\u0022", "\n}\n", "package x\ndeny := false", "\u2028", "\x00", "é😀"]
)
def test_strings_of_the_input_stay_strings(text: str) -> None:
    answer = alone("deny contains input.name", {"name": text})
    assert answer.sets[0].members == (text,)


def test_text_that_is_not_unicode_is_refused_before_the_engine_sees_it() -> None:
    with pytest.raises(EngineError, match="not JSON"):
        alone("deny contains input.name", {"name": "\ud800"})


def test_input_that_is_too_deep_or_too_large_is_refused() -> None:
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    with pytest.raises(EngineError, match="deeper than 64"):
        alone("deny contains 1", {"x": deep})
    small = RegorusEngine(Limits(input_bytes=100))
    with pytest.raises(EngineError, match="more than 100 allowed"):
        small.evaluate({"a.rego": Module(source="package a\ndeny contains 1")}, {}, {"x": "y" * 100})


def test_no_modules_is_an_error() -> None:
    with pytest.raises(EngineError, match="without rules"):
        ENGINE.evaluate({}, {}, {})


def test_every_function_on_the_list_is_known_to_the_engine_with_that_arity() -> None:
    calls = [f"{name}({', '.join('1' for _ in range(arity))})" for name, arity in ARITY.items()]
    errors = [_error_of(f"deny contains x if {{ x := {call} }}") for call in calls]
    assert [
        text for text in errors if "could not find" in text or re.search(r"expects \d argument", text)
    ] == []


def _error_of(source: str) -> str:
    try:
        alone(source)
    except EngineError as error:
        return error.message
    return ""
