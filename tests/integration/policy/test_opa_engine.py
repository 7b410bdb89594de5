"""OPA's own program as the engine, and both engines at once: the same denials, and no disagreement."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec
import policy_scenario as s
import pytest
import test_negative_corpus as corpus
from patience import PATIENT

from pratique.errors import ConfigError
from pratique.policy.decision import Status
from pratique.policy.engine.both import BothEngines
from pratique.policy.engine.choose import engine_named
from pratique.policy.engine.opa import OpaEngine
from pratique.policy.engine.port import Answer, EngineError, Limits, Module, RuleSet
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = os.environ.get("PRATIQUE_OPA", "")
needs_opa = pytest.mark.skipif(not PROGRAM, reason="PRATIQUE_OPA names no OPA program")


@pytest.fixture(scope="module")
def opa() -> OpaEngine:
    return OpaEngine(PROGRAM, msgspec.structs.replace(PATIENT, output_bytes=100_000))


# Where OPA says it in its own words.
IN_ITS_WORDS = {
    "type confusion": "to_number",
    "huge output": "wrote more than 100000 bytes",
}


@pytest.mark.interop
@needs_opa
@pytest.mark.parametrize("name", corpus.CORPUS)
def test_opa_denies_what_the_default_engine_denies(name: str, opa: OpaEngine) -> None:
    source, expected = corpus.CORPUS[name]
    decision = evaluate(s.gate_input(), corpus.bundle(source), opa).decision
    (error,) = decision.with_status(Status.ERROR)
    assert not decision.allowed
    expected = IN_ITS_WORDS.get(name, expected)
    assert any(part in error.msg for part in expected.split("|")), error.msg
    assert "pratique-opa-" not in error.msg


@pytest.mark.interop
@needs_opa
@pytest.mark.parametrize("call", corpus.IMPURE)
def test_opa_is_told_not_to_know_what_is_not_pure(call: str, opa: OpaEngine) -> None:
    module = Module(source="package mine\n" + corpus.NEVER % f"x := {call}")
    with pytest.raises(EngineError) as caught:
        opa.evaluate({"mine.rego": module}, {}, {})
    assert caught.value.phase in {"capability", "compile"}


@pytest.mark.interop
@needs_opa
def test_what_does_not_end_is_ended() -> None:
    hurried = OpaEngine(PROGRAM, Limits(wall_seconds=2, start_seconds=120))
    source, _ = corpus.ENDLESS["loop"]
    with pytest.raises(EngineError, match="longer than 2 seconds"):
        hurried.evaluate({"mine.rego": Module(source=corpus.HEAD + source)}, {}, {})


HELPERS = """package mine
f(x) := x
g(x) := x if x == 2
absent := 1 if input.never
table := {1: {"z": 2}}
"""


@pytest.mark.interop
@needs_opa
@pytest.mark.parametrize(
    ("negation", "holds"),
    [
        ("not input.absent", True),
        ("not input.absent == 1", True),
        ("not input.absent != 1", True),
        ("not input.absent > 1", True),
        ("not input.absent in [1]", True),
        ("not 1 in input.absent", True),
        ('not startswith(input.absent, "a")', True),
        ("not object.get(input.o, input.k, input.absent)", True),
        ('not object.get(input.o, "a", false)', False),
        ("not f(absent)", True),
        ("not f(g(1))", True),
        ("not f(g(2))", False),
        ("not input.o[input.absent]", True),
        ('not input.k == "a"', False),
        ('not "b" == `b`', False),
        ('not input.k == ("b")', True),
        ('not {x | x := "a"; not x == "a"} == {"a"}', True),
        ("not table[absent]", True),
        ("not {input.absent}", True),
        ("not {x | x := input.absent}", False),
        ("x := absent; not f(x)", False),
        ("some x in [1]; not f(x) == input.absent", True),
        ("not f(1) == 2 with input.absent as absent", False),
        ("every x in [1, 2] { not x > input.absent }", True),
        ("count([x | some x in [1, 2]; not {y | y := x; not y == 2} == {1}]) == 1", True),
        ("not f(\n  input.absent) # not\n", True),
        ('x := "not f(1)"; not x == "not é"; not f(input.absent)', True),
    ],
)
def test_a_negation_holds_when_what_it_negates_has_no_solution(
    negation: str, holds: object, opa: OpaEngine
) -> None:
    modules = {"mine.rego": Module(source=f"{HELPERS}deny contains 1 if {{ {negation} }}\n")}
    document = {"o": {"a": True}, "k": "a"}
    for engine in (RegorusEngine(), opa):
        (found,) = engine.evaluate(modules, {}, document).sets
        assert found.members == ((1,) if holds else ()), engine.name


@pytest.mark.interop
@needs_opa
@pytest.mark.parametrize("value", ["text", 7, True, None])
@pytest.mark.parametrize(
    "body",
    ["some x in input.v", "x := [y | some y in input.v]", "x := 1; not {y | some y in input.v} == {2}"],
)
def test_iterating_over_no_collection_is_an_error_in_both(value: Any, body: str, opa: OpaEngine) -> None:
    modules = {"mine.rego": Module(source=f"package mine\ndeny contains x if {{ {body} }}\n")}
    for engine in (RegorusEngine(), opa):
        for given in ([1], {"a": 1}, []):
            assert len(engine.evaluate(modules, {}, {"v": given}).sets) == 1
        assert engine.evaluate(modules, {}, {}).sets[0].members in ((), ([],), (1,))  # absent is undefined
        with pytest.raises(EngineError, match=r"some \.\. in|some … in"):
            engine.evaluate(modules, {}, {"v": value})


OLD = {
    'deny["x"] { input.a == 1; not input.b }': ("x",),
    "import future.keywords\ndeny[x] { some x in input.c }": (7,),
    'violation_x[{"msg": m}] { m := "a"; input.c[_] == 7 }': ({"msg": "a"},),
}


@pytest.mark.interop
@needs_opa
@pytest.mark.parametrize("text", OLD)
def test_old_rego(text: str, opa: OpaEngine) -> None:
    modules = {"mine.rego": Module(source=f"package mine\n{text}\n", rego="v0")}
    for engine in (RegorusEngine(), opa):
        (found,) = engine.evaluate(modules, {}, {"a": 1, "c": [7]}).sets
        assert found.members == OLD[text], engine.name


@pytest.mark.interop
@needs_opa
def test_both_agree_on_the_shipped_policy() -> None:
    decision = evaluate(
        s.gate_input(s.complete()), shipped_bundle(), engine_named("both", opa=PROGRAM)
    ).decision
    assert decision.with_status(Status.ERROR) == ()
    assert decision.allowed
    assert decision.engine.name == "regorus+opa"
    assert decision.engine.isolation == (
        "own-process",
        "rlimits",
        "cleared-environment",
        "no-new-privileges",
    )


class Fixed:
    def __init__(self, name: str, *members: Any, rule: str = "deny") -> None:
        self.name = self.version = name
        self._sets = (RuleSet(package="a", name=rule, members=members),)

    def evaluate(self, *_: Any) -> Answer:
        return Answer(sets=self._sets, isolation=("x", self.name))

    def test(self, *_: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (Fixed("one", 1, 2), Fixed("two", 2), "disagree on a.deny: only one has 1"),
        (Fixed("one"), Fixed("two", {"b": 1}), 'disagree on a.deny: only two has {"b":1}'),
        (Fixed("one", 1), Fixed("two", "1"), "disagree on a.deny"),
        (Fixed("one"), Fixed("two", rule="warn"), "disagree on a.deny"),
    ],
)
def test_a_disagreement_is_an_error_that_names_the_rule(first: Fixed, second: Fixed, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        BothEngines(first, second).evaluate({}, {}, {})


def test_what_cannot_be_compared_is_an_error() -> None:
    with pytest.raises(EngineError, match="cannot be compared"):
        BothEngines(Fixed("one", 2**60), Fixed("two", 2**60)).evaluate({}, {}, {})


def test_order_and_repetition_are_no_disagreement() -> None:
    answer = BothEngines(Fixed("one", 1, 2), Fixed("two", 2, 1, 1.0)).evaluate({}, {}, {})
    assert answer.sets[0].members == (1, 2)
    assert answer.isolation == ("x",)


def test_an_opa_that_is_not_there_or_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there"):
        engine_named("opa", opa=str(tmp_path / "opa"))
    other = tmp_path / "opa"
    other.write_text("#!/bin/sh\necho hello\n")
    other.chmod(0o755)
    with pytest.raises(ConfigError, match="opa"):
        engine_named("both", opa=str(other))
    assert isinstance(engine_named("regorus"), RegorusEngine)
