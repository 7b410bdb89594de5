"""Whole runs in which OPA decides, alone or beside the default engine, and what an auditor makes of them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Project

PROGRAM = os.environ.get("PRATIQUE_OPA", "")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM, reason="PRATIQUE_OPA names no OPA program"),
]

# A rule as Conftest has them, one of old Rego, and one in Conforma's conventions, over its input.
CONFTEST = """package main

import rego.v1

deny_name contains {"msg": msg, "_loc": {"file": "pyproject.toml", "line": 6}} if {
	input.subject.name == data.refused
	msg := sprintf("%s is refused", [input.subject.name])
}
"""
OLD = """package old

deny[msg] {
	input.subject.name == data.refused
	msg := "old, too"
}
"""
CONFORMA = """package acme.builder

import rego.v1

# METADATA
# title: Who builds is known
# custom:
#   short_name: known
#   failure_msg: "%s is not known"
deny contains result if {
	some attestation in input.attestations
	builder := attestation.statement.predicate.runDetails.builder.id
	not startswith(builder, "spiffe://")
	chain := rego.metadata.chain()
	result := {
		"code": "acme.builder.known",
		"msg": sprintf(chain[0].annotations.custom.failure_msg, [builder]),
	}
}
"""
# The text of a number, which the engines write otherwise (docs/policy.md).
OTHERWISE = """package other

import rego.v1

warn contains sprintf("level %s", [input.build_level]) if input.build_level == 1
"""
CODES = ("main.deny_name", "old.deny", "acme.builder.known")
SOURCES = """
[[policy.source]]
path = "rules/new"
data = ["rules/data"]

[[policy.source]]
path = "rules/old"
rego = "v0"
data = ["rules/data"]

[[policy.source]]
path = "rules/acme"
input = "attestations"
"""
OTHER = """
[[policy.source]]
path = "rules/other"
"""


class Run:
    """A project whose policy has further sources, decided on by an engine of choice."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._text = project.read("pratique.toml")
        for name, text in (("new", CONFTEST), ("old", OLD), ("acme", CONFORMA)):
            (project.folder / "rules" / name).mkdir(parents=True)
            project.write(f"rules/{name}/a.rego", text)
        (project.folder / "rules" / "data").mkdir()
        self.refuse("nothing")
        self.decide_by("both")

    def refuse(self, artifact: str) -> None:
        """Set the name that the sources' rules refuse."""
        self.project.write("rules/data/data.json", json.dumps({"refused": artifact}))

    def decide_by(self, engine: str, more: str = "") -> None:
        """Write the project's file."""
        policy = f'[policy]\nengine = "{engine}"\nopa = "{PROGRAM}"\n'
        text = self._text.replace("[policy.data]\n", f"{policy}{SOURCES}{more}\n[policy.data]\n")
        self.project.write("pratique.toml", text)

    def gate(self, *, expect: int = 0) -> tuple[str, dict[str, Any]]:
        """Decide; gives the engine that did, and the results by code."""
        decision = self.project.ask("gate", expect=expect)
        return decision["engine"]["name"], {item["code"]: item for item in decision["results"]}

    def audit(self, *options: str, expect: int = 0) -> str:
        """Verify an audit package of everything."""
        fingerprint = self.project.ask("trust", "show")["fingerprint"]
        self.project.run("audit", "export", "--output", "a.audit")
        return self.project.run(
            "audit", "verify", "a.audit", "--fingerprint", fingerprint, *options, expect=expect
        )


def test_a_whole_run_and_what_an_auditor_makes_of_it(project: Project) -> None:
    run = Run(project)
    project.release("1.0.0")
    assert "LIVE" in project.run("ship", *project.approving())
    name, results = run.gate()
    assert name == "regorus+opa"
    assert [results[code]["status"] for code in CODES] == ["success"] * 3

    # The auditor has no OPA, is told so, or has it.
    told = run.audit()
    assert "made by regorus+opa" in told
    assert "made again by regorus 0" in told
    assert "made again by" not in run.audit("--engine", "both", "--opa", PROGRAM)
    assert "made again by opa 1" in run.audit("--engine", "opa", "--opa", PROGRAM)

    # What a source refuses is refused under every engine.
    run.refuse("buoy-1.0.0-py2.py3-none-any.whl")
    for engine, named in (("both", "regorus+opa"), ("opa", "opa"), ("regorus", "regorus")):
        run.decide_by(engine)
        name, results = run.gate(expect=1)
        assert name == named
        assert results["main.deny_name"]["status"] == results["old.deny"]["status"] == "violation"
        assert results["main.deny_name"]["locations"] == [{"file": "pyproject.toml", "line": 6}]

    # A rule that the engines read otherwise: OPA alone decides, an auditor without it does not know.
    run.refuse("nothing")
    (project.folder / "rules" / "other").mkdir()
    project.write("rules/other/a.rego", OTHERWISE)
    run.decide_by("opa", OTHER)
    name, results = run.gate()
    assert (name, results["other.warn"]["message"]) == ("opa", "level %!s(int64=1)")
    unknown = run.audit(expect=3)
    assert "comes out otherwise when made again by regorus" in unknown
    assert "is unknown" in unknown
    assert "--engine opa" in unknown
    assert "HOLDS" in run.audit("--engine", "opa", "--opa", PROGRAM)
    run.decide_by("both", OTHER)
    name, results = run.gate(expect=1)
    assert name == "regorus+opa"
    assert "the engines disagree on other.warn" in results["engine.error"]["message"]
