"""Sources through the real engine: both versions of Rego, Conforma's way of making results, its input."""

from __future__ import annotations

from typing import Any

import policy_scenario as s
from patience import PATIENT

from pratique.model.predicate import PROVENANCE
from pratique.policy.decision import Decision, Status
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate, replay
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source

ENGINE = RegorusEngine(PATIENT)

# Written here, in the manner of Conforma's library and rules.
RESULTS = """package lib.results

import rego.v1

result(chain, params) := {
	"code": sprintf("%s.%s", [concat(".", package_of(chain)), chain[0].annotations.custom.short_name]),
	"msg": sprintf(chain[0].annotations.custom.failure_msg, params),
	"collections": object.get(chain[0].annotations.custom, "collections", []),
}

package_of(chain) := array.slice(chain[0].path, 0, count(chain[0].path) - 1)
"""
TYPES = """#
# METADATA
# title: Predicate types
# description: >-
#   Which attestations there are: all of this package.
package predicate_types

import rego.v1

import data.lib.results

# METADATA
# title: Only known types
# description: >-
#   A type that nobody knows says nothing.
# custom:
#   short_name: known
#   failure_msg: Type %q is none of %s
#   solution: >-
#     Add it to `allowed_types`, or
#     leave it out.
#   collections:
#   - minimal
#   depends_on:
#   - predicate_types.given
#   effective_on: 2022-01-01T00:00:00Z
#
deny contains result if {
	some att in input.attestations
	not att.statement.predicateType in allowed
	result := results.result(rego.metadata.chain(), [att.statement.predicateType, concat(", ", allowed)])
}

# METADATA
# title: Some types are allowed
# custom:
#   short_name: given
#   failure_msg: "no allowed_types"
deny contains result if {
	count(allowed) == 0
	result := results.result(rego.metadata.chain(), [])
}

# METADATA
# title: Not long ago
# custom:
#   short_name: now
#   failure_msg: "%d %d %s"
warn contains result if {
	data.config.policy.when_ns == time.now_ns()
	said := [time.now_ns(), count(rego.metadata.chain()), rego.metadata.rule().title]
	result := results.result(rego.metadata.chain(), said)
}

allowed := data.rule_data__configuration__.allowed_types
"""


def decide(modules: dict[str, str], **source: Any) -> Decision:
    table = {"name": "theirs", "modules": modules} | source
    bundle = shipped_bundle(sources=[parse_source(table, what="test")])
    gated = evaluate(s.gate_input(), bundle, ENGINE)
    assert replay(gated.input_bytes, gated.policy_bytes, ENGINE) == gated.decision
    return gated.decision


def conforma(**configured: Any) -> Decision:
    return decide(
        {"lib/results.rego": RESULTS, "release/types.rego": TYPES},
        input="attestations",
        data={"rule_data__configuration__": configured},
    )


def test_rules_made_as_conformas_are_run_unchanged() -> None:
    known = sorted(uri for uri, _, _ in s.TYPES.values())
    decision = conforma(allowed_types=known)
    assert decision.allowed
    now = next(result for result in decision.results if result.code == "predicate_types.now")
    assert (now.status, now.msg) == (Status.WARNING, "1795435200000000000 2 Not long ago")
    decision = conforma(allowed_types=known[:1])
    against = decision.with_status(Status.VIOLATION)
    assert {result.code for result in against} == {"predicate_types.known"}
    assert f'Type "{PROVENANCE}" is none of {known[0]}' in {result.msg for result in against}
    assert {result.solution for result in against} == {"Add it to `allowed_types`, or leave it out."}


def test_what_depends_on_a_failed_rule_is_skipped() -> None:
    decision = conforma(allowed_types=[])
    statuses = {result.code: result.status for result in decision.results}
    assert statuses["predicate_types.given"] is Status.VIOLATION
    assert statuses["predicate_types.known"] is Status.SKIPPED


OLD = """package main

is_ours { input.subject.name == "harbour-1.0.tar" }

deny_ours[msg] {
	is_ours
	msg = sprintf("%s is ours", [input.subject.name])
}

violation[{"msg": msg, "details": {"n": 1}}] { msg := "always" }

warn[msg] { data.services.ports[_] == 22; msg = "ssh" }

exception[rules] { is_ours; rules = ["ours"] }
"""


def test_rules_of_version_0_run_beside_those_of_version_1() -> None:
    decision = decide({"old.rego": OLD}, rego="v0", data={"services": {"ports": [22]}})
    found = {result.code: result for result in decision.results if result.code.startswith("main.")}
    assert {code: result.status for code, result in found.items()} == {
        "main.deny_ours": Status.WAIVED,
        "main.violation": Status.VIOLATION,
        "main.warn": Status.WARNING,
    }
    assert found["main.violation"].metadata == {"details": {"n": 1}}
    assert decision.engine.rego == "v0,v1"
    assert len(decision.with_status(Status.VIOLATION)) == 1


def test_a_source_of_the_wrong_version_is_an_error() -> None:
    (error,) = decide({"old.rego": OLD}).with_status(Status.ERROR)
    assert error.term == ("compile", "theirs")
    assert "old.rego:3" in error.msg


def test_no_source_sees_anothers_rules_nor_the_shipped_ones() -> None:
    mine = "package mine\nimport rego.v1\ndeny contains x if some x in data.pratique.vulns.deny\n"
    (error,) = decide({"mine.rego": mine}).with_status(Status.ERROR)
    assert "data.pratique.vulns.deny is neither a rule nor rule data" in error.msg


def test_a_source_in_the_name_of_a_shipped_package_redefines_nothing() -> None:
    mine = "package pratique.rebuild\nimport rego.v1\nidentical(_) := true\n"
    mine += "deny contains 1 if not identical(1)\n"
    bundle = shipped_bundle(sources=[parse_source({"name": "x", "modules": {"x.rego": mine}}, what="test")])
    different = s.complete(rebuild=s.rebuild() | {"verdict": "different"})
    decision = evaluate(s.gate_input(different), bundle, ENGINE).decision
    assert "rebuild.identical" in {result.code for result in decision.with_status(Status.VIOLATION)}


HELPER = 'package {}\nimport rego.v1\nours if input.subject.name == "harbour-1.0.tar"\n'


def test_a_module_without_a_rule_that_refuses_has_to_be_used() -> None:
    deny = 'package main\nimport rego.v1\ndeny contains "ours" if {}\n'
    used = {"deny.rego": deny.format("data.lib.ours"), "lib.rego": HELPER.format("lib")}
    assert "main.deny" in {result.code for result in decide(used).with_status(Status.VIOLATION)}
    beside = {"deny.rego": deny.format("ours"), "helper.rego": HELPER.format("main")}
    assert "main.deny" in {result.code for result in decide(beside).with_status(Status.VIOLATION)}
    forgotten = {"deny.rego": deny.format("true"), "misspelt.rego": "package other\ndenied := 1\n"}
    (error,) = decide(forgotten).with_status(Status.ERROR)
    assert "misspelt.rego: no rule named deny or warn, and no other module uses it" in error.msg
    empty = {"deny.rego": deny.format("true"), "about.rego": "# What there is.\npackage about\n"}
    assert "main.deny" in {result.code for result in decide(empty).with_status(Status.VIOLATION)}


def test_a_list_under_a_condition_is_taken_as_conftest_takes_it() -> None:
    text = 'package main\nimport rego.v1\nviolation := [{"msg": msg}] if {\n\tmsg := input.CONDITION\n}\n'
    found = decide({"a.rego": text.replace("CONDITION", "subject.name")})
    assert [result.msg for result in found.with_status(Status.VIOLATION)] == ["harbour-1.0.tar"]
    assert decide({"a.rego": text.replace("CONDITION", "nothing")}).allowed
