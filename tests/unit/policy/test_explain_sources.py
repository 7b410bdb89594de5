"""Conditions behind findings of further sources: in Conftest's ways, in Conforma's, and of old Rego."""

from __future__ import annotations

from typing import Any

import pytest
from patience import PATIENT
from policy_scenario import complete, gate_input

from pratique.policy.engine.port import EngineError
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.explain.deep import deepen
from pratique.policy.explain.words import explain, render
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source

ENGINE = RegorusEngine(PATIENT)

CONFTEST = """package main

import rego.v1

deny_name contains msg if {
	input.subject.name == "harbour-1.0.tar"
	not trusted
	msg := sprintf("%v is %v", [
		input.subject.name,
		"not trusted",
	])
}

deny_name contains "never" if {
	input.subject.name == "other"
	true
}

trusted if {
	input.build_level == 1
	input.subject.name == "trusted"
}
"""

OLD = """package main

deny[msg] {
	input.build_level == 7
	msg := "seven"
}

deny[msg] {
	input.build_level == 1
	startswith(input.subject.name, "harbour")
	msg := "one"
}
"""

CONFORMA = """package acme.builder

import rego.v1

# METADATA
# title: Somebody else builds
# custom:
#   short_name: known
#   failure_msg: "%s built it"
deny contains result if {
	some attestation in input.attestations
	builder := attestation.statement.predicate.runDetails.builder.id
	builder == "spiffe://pratique.local/builder"
	chain := rego.metadata.chain()
	result := {
		"code": concat(".", ["acme.builder", chain[0].annotations.custom.short_name]),
		"msg": sprintf(chain[0].annotations.custom.failure_msg, [builder]),
	}
}
"""


def because(text: str, *, engine: Any = ENGINE, code: str = "", **changes: Any) -> tuple[str, ...]:
    """Give what is said of the one code of the source that denies."""
    source = parse_source({"name": "acme", "modules": {"a.rego": text}} | changes, what="test")
    bundle = shipped_bundle(sources=[source])
    given = gate_input(complete())
    decision = evaluate(given, bundle, ENGINE).decision
    explanation = deepen(explain(decision), decision, given, bundle, engine)
    (found,) = (item for item in explanation.obstacles if item.code.startswith(code))
    assert all(f"  because:   {line}\n" in render(explanation) for line in found.because)
    return found.because


def line(text: str, wanted: str, word: str = "held") -> str:
    lines = [item.strip() for item in text.split("\n")]
    assert lines.count(wanted) == 1, wanted
    return f"acme/a.rego:{lines.index(wanted) + 1}: {wanted} ({word})"


def test_a_helper_of_a_conftest_rule_names_where_the_good_case_stopped() -> None:
    assert because(CONFTEST) == (line(CONFTEST, 'input.subject.name == "trusted"', "not met"),)


def test_old_rego_shows_the_conditions_of_the_body_that_fired() -> None:
    assert because(OLD, rego="v0") == (
        line(OLD, "input.build_level == 1"),
        line(OLD, 'startswith(input.subject.name, "harbour")'),
    )


def test_conformas_input_and_metadata() -> None:
    wanted = 'builder == "spiffe://pratique.local/builder"'
    assert because(CONFORMA, input="attestations") == (line(CONFORMA, wanted),)


ONE = 'package main\n\nimport rego.v1\n\ndeny contains "one" if input.build_level == 1\n'
TWO = ONE + '\ndeny contains "two" if input.build_level == 2\n'
COMPUTED = TWO.replace('"one"', 'upper("one")')


def test_a_rule_on_one_line_is_shown_whole() -> None:
    shown = line(ONE, 'deny contains "one" if input.build_level == 1')
    assert because(ONE) == because(TWO) == (shown,)


def test_rules_on_one_line_each_that_nothing_tells_apart() -> None:
    (why,) = because(COMPUTED)
    assert why == (
        "no condition is shown: a.rego of source acme has 2 rules for it, and the lines that were reached do"
        " not tell which it was"
    )


def test_a_rule_without_any_condition() -> None:
    text = 'package main\n\nimport rego.v1\n\ndeny contains msg if {\n\tmsg := "always"\n}\n'
    assert because(text) == (
        "no condition is shown: the rule in a.rego of source acme has no line that is a condition by itself",
    )


CODED = """package acme

import rego.v1

deny contains finding if {
	input.build_level == 1
	finding := {"code": "%s", "msg": "m"}
}
"""


def test_a_code_that_no_metadata_declares_is_found_by_its_text() -> None:
    text = CODED % "other.code"
    assert because(text, code="other") == (line(text, "input.build_level == 1"),)


def test_a_code_that_is_put_together() -> None:
    text = CODED.replace('"%s"', 'concat(".", ["other", "code"])')
    (why,) = because(text, code="other")
    assert why.startswith("no condition is shown: no METADATA declares other.code")


class Unwilling:
    """Decides as the default engine does, and runs no tests: as for rules that only another engine takes."""

    name, version = "unwilling", "1"
    evaluate = staticmethod(ENGINE.evaluate)

    def test(self, *_: Any) -> Any:
        raise EngineError("compile", "a.rego:3: what")


def test_rules_that_the_engine_which_tells_lines_does_not_take() -> None:
    assert because(OLD, rego="v0", engine=Unwilling()) == (
        "no condition is shown: unwilling, which tells lines, does not take the rules: a.rego:3: what",
    )


@pytest.mark.parametrize("broken", ["x := to_number(input.subject.name)", "x := input.subject.name + 1"])
def test_an_engine_error_has_no_condition(broken: str) -> None:
    text = f"package main\n\nimport rego.v1\n\ndeny contains x if {{\n\t{broken}\n}}\n"
    assert because(text, code="engine") == ()
