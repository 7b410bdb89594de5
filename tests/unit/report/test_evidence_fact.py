"""What a predicate says for or against a practice; anything not plainly there gives no support."""

from __future__ import annotations

from typing import Any

import pytest

from pratique.model import predicate as p
from pratique.model.digest import Digest
from pratique.report.evidence_fact import EvidenceFact, Outcome, read_fact

SHA = {"sha256": "ab" * 32}


def read(predicate_type: str, predicate: dict[str, Any]) -> EvidenceFact:
    return read_fact(Digest("cd" * 32), 7, predicate_type, predicate)


def _check(result: str, severity: str = "low") -> dict[str, str]:
    return {"id": "X-1", "result": result, "severity": severity, "title": "t"}


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([_check("pass"), _check("not-applicable")], Outcome.SUPPORTS),
        ([_check("pass"), _check("fail", "high")], Outcome.REFUTES),
        ([_check("pass"), _check("fail", "unknown")], Outcome.REFUTES),
        ([_check("pass"), _check("fail", "low")], Outcome.UNCLEAR),
        ([_check("pass"), _check("unknown")], Outcome.UNCLEAR),
        ([_check("not-applicable")], Outcome.UNCLEAR),
        ([], Outcome.UNCLEAR),
    ],
)
def test_posture(checks: list[dict[str, str]], outcome: Outcome) -> None:
    assert read(p.RUNNER_POSTURE, {"checks": checks, "summary": {"pass": 99}}).outcome is outcome


def test_provenance_traits() -> None:
    pinned = {"uri": "pkg:pypi/a@1", "digest": SHA}
    source = {"uri": "git+file:///x", "digest": {"gitCommit": "0" * 40}, "annotations": {"kind": "source"}}
    definition = {
        "internalParameters": {"toolchain": {"python": "3.11"}, "isolation": {"network": "none"}},
        "resolvedDependencies": [pinned, source],
    }
    fact = read(p.PROVENANCE, {"buildDefinition": definition})
    assert fact.traits == {"pinned-inputs", "source", "toolchain", "isolated"}
    assert (fact.kind, fact.log_index, fact.outcome) == ("provenance", 7, Outcome.SUPPORTS)


def test_provenance_with_one_unpinned_or_no_input_is_not_pinned() -> None:
    unpinned = {"buildDefinition": {"resolvedDependencies": [{"digest": SHA}, {"uri": "pkg:pypi/a@1"}]}}
    assert "pinned-inputs" not in read(p.PROVENANCE, unpinned).traits
    assert read(p.PROVENANCE, {"buildDefinition": {"resolvedDependencies": []}}).traits == frozenset()


@pytest.mark.parametrize(
    ("verdict", "differences", "outcome"),
    [
        ("bit-identical", [], Outcome.SUPPORTS),
        ("different", [{"member": "a"}], Outcome.REFUTES),
        ("different", [], Outcome.REFUTES),
        ("bit-identical", [{"member": "a"}], Outcome.REFUTES),
        ("", [], Outcome.REFUTES),
    ],
)
def test_rebuild(verdict: str, differences: list[dict[str, str]], outcome: Outcome) -> None:
    fact = read(p.REBUILD, {"verdict": verdict, "differences": differences, "varied": ["path", "cpus"]})
    assert (fact.outcome, fact.scope) == (outcome, "cpus,path")


@pytest.mark.parametrize(
    ("result", "outcome"),
    [("PASSED", Outcome.SUPPORTS), ("FAILED", Outcome.REFUTES), ("passed", Outcome.UNCLEAR)],
)
def test_vsa(result: str, outcome: Outcome) -> None:
    fact = read(p.VSA, {"verificationResult": result, "resourceUri": "r", "policy": {"digest": SHA}})
    assert (fact.outcome, fact.scope, fact.traits) == (outcome, "r", {"policy-digest"})


def test_vsa_with_its_inputs_and_decision() -> None:
    predicate = {
        "verificationResult": "PASSED",
        "inputAttestations": [{"digest": SHA}],
        "https://pratique.dev/decision": {"digest": SHA},
    }
    assert read(p.VSA, predicate).traits == {"inputs", "decision-record"}
    assert read(p.VSA, predicate | {"inputAttestations": [{"digest": SHA}, {}]}).traits == {"decision-record"}


def test_sbom_with_an_unidentified_component() -> None:
    application = {"component": {"purl": "pkg:pypi/app@1"}}
    assert read(p.SBOM, {"metadata": application}).traits == {"identified"}
    assert read(p.SBOM, {"metadata": application, "components": [{"name": "x"}]}).traits == frozenset()
    assert read(p.SBOM, {"components": [{"purl": "pkg:pypi/a@1"}]}).traits == frozenset()


def test_vulns_with_unknown_components_is_not_complete() -> None:
    scanner = {"db": {"lastUpdate": "2026-11-01T00:00:00Z"}, "result": []}
    full = {"scanner": scanner, "https://pratique.dev/coverage": {"unknown": []}}
    assert read(p.VULNS, full).traits == {"dated-advisories", "complete"}
    gap = {"scanner": scanner, "https://pratique.dev/coverage": {"unknown": ["pkg:deb/x"]}}
    assert read(p.VULNS, gap).traits == {"dated-advisories"}
    assert read(p.VULNS, {}).outcome is Outcome.UNCLEAR


def test_only_a_live_deployment_supports() -> None:
    live = {"phase": "live", "deploymentId": "d1", "action": "rollback", "approvals": [{"digest": SHA}]}
    fact = read(p.DEPLOYMENT, live | {"previous": {"digest": SHA}})
    assert (fact.outcome, fact.scope) == (Outcome.SUPPORTS, "d1")
    assert fact.traits == {"rollback", "approved", "replaces"}
    for phase in ["rolling-out", "failed", "rolled-back"]:
        assert read(p.DEPLOYMENT, live | {"phase": phase}).outcome is Outcome.UNCLEAR


def test_people_and_seals() -> None:
    approval = read(p.APPROVAL, {"person": "ada", "environment": "prod", "notAfter": "2027-01-01T00:00:00Z"})
    assert (approval.scope, approval.traits) == ("prod ada", {"expires"})
    assert read(p.ENROLMENT, {"person": "ada", "roles": ["approver"]}).traits == {"roles"}
    assert read(p.AUDIT_SEAL, {}).outcome is Outcome.SUPPORTS


def test_an_unknown_predicate_supports_nothing() -> None:
    fact = read("https://example.com/x/v1", {"verificationResult": "PASSED"})
    assert (fact.kind, fact.outcome) == ("https://example.com/x/v1", Outcome.UNCLEAR)


@pytest.mark.parametrize("predicate_type", sorted(p.SHORT_NAMES.values()))
@pytest.mark.parametrize("junk", [None, 3, "x", [], {}, [[]], [{"digest": []}], {"digest": {"sha256": 3}}])
def test_members_of_the_wrong_shape_are_no_error_and_no_trait(predicate_type: str, junk: Any) -> None:
    names = ["checks", "buildDefinition", "runDetails", "verdict", "varied", "components", "metadata"]
    names += ["scanner", "policy", "inputAttestations", "health", "phase", "plan", "resourceUri", "person"]
    read(predicate_type, dict.fromkeys(names, junk))
