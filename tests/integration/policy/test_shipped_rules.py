"""Each shipped rule with evidence that it lets pass and evidence that it does not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import policy_scenario as s
import pytest
from patience import PATIENT

from pratique.policy.decision import Decision, Status
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import REJECTED, evaluate
from pratique.policy.notices import SELECTION, SOURCE, VOLATILE
from pratique.policy.shipped import shipped_bundle
from pratique.policy.sources import parse_source
from pratique.policy.waivers.judge import EXPIRED, INCOMPLETE, UNUSED
from pratique.policy.waivers.waiver import ENGINE_ERROR

ENGINE = RegorusEngine(PATIENT)
DEFINITION = "buildDefinition"
INPUT = f"{DEFINITION}/resolvedDependencies"
COVERAGE = "https://pratique.dev/coverage"


def decide(data: dict[str, Any] | None = None, **predicates: dict[str, Any]) -> Decision:
    """Gate the scenario with some predicates replaced; what must follow from a new definition does."""
    items = list(s.complete(**predicates))
    if "provenance" in predicates:
        members = ("buildType", "externalParameters", "internalParameters", "resolvedDependencies")
        definition = predicates["provenance"][DEFINITION]
        digest = s.definition_digest({name: definition[name] for name in members})
        items = [
            s.evidence("provenance", predicates["provenance"]),
            s.evidence("runner-posture", predicates.get("runner_posture"), subjects=(digest,)),
            s.evidence("rebuild", s.rebuild() | {"definitionDigest": {"sha256": digest.hex}}),
            *items[3:],
        ]
    return evaluate(s.gate_input(tuple(items)), shipped_bundle(data=data), ENGINE).decision


def found(decision: Decision, *statuses: Status) -> dict[str, str]:
    return {result.code: result.msg for result in decision.with_status(*statuses)}


def refused_for(decision: Decision, code: str) -> bool:
    """Whether a code denied, or the engine stumbled over a shape no producer writes, which denies as well."""
    return not decision.allowed and bool(
        {code, ENGINE_ERROR} & set(found(decision, Status.VIOLATION, Status.ERROR))
    )


def test_good_evidence_passes_every_rule() -> None:
    decision = decide()
    assert decision.allowed
    assert found(decision, Status.VIOLATION, Status.ERROR, Status.WARNING) == {}
    bundle = shipped_bundle()
    assert set(found(decision, Status.SKIPPED)) == {
        code
        for code, info in bundle.rules.items()
        if (info.needs and info.needs not in s.TYPES) or bundle.data.levels[code] == "off"
    }
    assert decision.engine.name == "regorus"
    assert decision.engine.isolation[:4] == (
        "own-process",
        "rlimits",
        "cleared-environment",
        "no-new-descriptors",
    )


PROVENANCE = {
    "network of the host": (f"{DEFINITION}/internalParameters/isolation/network", "host", "isolated"),
    "network not said": (f"{DEFINITION}/internalParameters/isolation/network", None, "isolated"),
    "isolation of another shape": (f"{DEFINITION}/internalParameters/isolation", "none", "isolated"),
    "network list": (f"{DEFINITION}/internalParameters/isolation/network", ["none"], "isolated"),
    "no inputs": (INPUT, [], "inputs-pinned"),
    "inputs as object": (INPUT, {}, "inputs-pinned"),
    "inputs as text": (INPUT, "none", "inputs-pinned"),
    "input without digest": (f"{INPUT}/1/digest", None, "inputs-pinned"),
    "input with an empty digest": (f"{INPUT}/1/digest", {}, "inputs-pinned"),
    "input with a weak digest": (f"{INPUT}/1/digest", {"md5": "d" * 32}, "inputs-pinned"),
    "input with a short digest": (f"{INPUT}/1/digest/sha256", "d" * 63, "inputs-pinned"),
    "input with no digest nor name": (f"{INPUT}/1", {"annotations": {}}, "inputs-pinned"),
    "input with no digest and an odd name": (f"{INPUT}/1", {"name": 5}, "inputs-pinned"),
    "another builder": ("runDetails/builder/id", "spiffe://pratique.local/other", "builder"),
    "no builder": ("runDetails/builder", None, "builder"),
    "dirty source": (f"{INPUT}/0/annotations/dirty", True, "source-clean"),
    "dirty in another shape": (f"{INPUT}/0/annotations/dirty", "no", "source-clean"),
    "annotations in another shape": (f"{INPUT}/0/annotations", ["dirty"], "source-clean"),
    "dirty external source": (f"{DEFINITION}/externalParameters/source/dirty", True, "source-clean"),
}


@pytest.mark.parametrize("name", PROVENANCE)
def test_provenance_is_refused(name: str) -> None:
    path, value, code = PROVENANCE[name]
    decision = decide(provenance=s.changed(s.provenance(), path, value))
    assert refused_for(decision, f"provenance.{code}")


@pytest.mark.parametrize("entry", ["text", None, 7, []])
def test_an_input_that_is_no_object_denies(entry: Any) -> None:
    document = s.provenance()
    document[DEFINITION]["resolvedDependencies"].append(entry)
    assert not decide(provenance=document).allowed


def test_a_named_builder_is_accepted_and_a_dirty_source_can_be_a_warning() -> None:
    other = s.changed(s.provenance(), "runDetails/builder/id", "https://ci.example/builder")
    assert decide({"provenance": {"builders": ["https://ci.example/builder"]}}, provenance=other).allowed
    dirty = s.changed(s.provenance(), f"{INPUT}/0/annotations/dirty", value=True)
    decision = decide({"levels": {"provenance.source-clean": "warn"}}, provenance=dirty)
    assert decision.allowed
    assert found(decision, Status.WARNING) == {
        "provenance.source-clean": "source source had uncommitted changes when it was built"
    }


REBUILD = {
    "different": {"verdict": "different", "differences": [{"member": "app.py", "kind": "content"}]},
    "different and silent": {"verdict": "different"},
    "identical, but lists differences": {"differences": [{"member": "app.py"}]},
    "identical, but other digests": {"rebuilt": {"digest": {"sha256": "0" * 64}}},
    "no rebuilt digest": {"rebuilt": {}},
    "verdict of another shape": {"verdict": True},
    "verdict equivalent": {"verdict": "equivalent"},
    "differences of another shape": {"differences": "none"},
    "differences unnamed": {"differences": [{}, {"member": 5}]},
}


@pytest.mark.parametrize("name", REBUILD)
def test_a_rebuild_is_refused(name: str) -> None:
    decision = decide(rebuild=s.rebuild() | REBUILD[name])
    assert list(found(decision, Status.VIOLATION)) == ["rebuild.identical"]


def test_a_rebuild_names_the_members_that_differ() -> None:
    differences = [{"member": f"m{i:02}", "kind": "content"} for i in range(12)]
    decision = decide(rebuild=s.rebuild() | {"verdict": "different", "differences": differences})
    message = found(decision, Status.VIOLATION)["rebuild.identical"]
    assert message.startswith("the rebuild is not bit-identical; 12 members differ: m00, m01, ")
    assert "m09" in message
    assert "m10" not in message


@pytest.mark.parametrize("varied", [[], "path", None, ["path", "path"]])
def test_a_rebuild_that_varied_too_little_is_a_warning(varied: Any) -> None:
    decision = decide({"rebuild": {"min_varied": 2}}, rebuild=s.rebuild() | {"varied": varied})
    assert decision.allowed
    assert list(found(decision, Status.WARNING)) == ["rebuild.varied"]


SBOM = {
    "no components": ("components", [], "components"),
    "components absent": ("components", None, "components"),
    "components of another shape": ("components", "MarkupSafe", "components"),
    "component unnamed": ("components/0/name", "", "components"),
    "component name of another shape": ("components/0/name", 7, "components"),
    "another format": ("bomFormat", "SPDX", "components"),
    "another artifact": ("metadata/component/hashes/0/content", "0" * 64, "artifact"),
    "no hash": ("metadata/component/hashes", None, "artifact"),
    "another algorithm": ("metadata/component/hashes/0/alg", "MD5", "artifact"),
    "no metadata": ("metadata", None, "artifact"),
    "unlocked component": ("components/0/purl", "pkg:pypi/evil@1.0", "locked"),
    "unlocked version": ("components/0/purl", "pkg:pypi/markupsafe@3.0.3", "locked"),
    "component without purl": ("components/0/purl", None, "locked"),
    "purl of another shape": ("components/0", {"name": "evil", "purl": ""}, "locked"),
}


@pytest.mark.parametrize("name", SBOM)
def test_a_bill_of_materials_is_refused(name: str) -> None:
    path, value, code = SBOM[name]
    decision = decide(sbom=s.changed(s.sbom(), path, value))
    assert refused_for(decision, f"sbom.{code}")


def test_the_project_itself_and_excepted_components_need_no_lock() -> None:
    document = s.sbom()
    document["components"] += [
        s.component("Harbour", "pkg:pypi/harbour@1.0"),
        s.component("vendored", "pkg:pypi/vendored@2?x=y"),
    ]
    assert not decide(sbom=document).allowed
    assert decide({"sbom": {"unlocked": ["pkg:pypi/vendored@2"]}}, sbom=document).allowed


def test_a_foreign_builds_components_are_not_compared() -> None:
    foreign = s.changed(s.provenance(), f"{DEFINITION}/buildType", "https://example/ci")
    document = s.changed(s.sbom(), "components/0/purl", "pkg:pypi/other@1")
    assert decide(provenance=foreign, sbom=document).allowed


@pytest.mark.parametrize(
    ("score", "threshold", "denied"),
    [
        ("critical", "high", True),
        ("high", "high", True),
        ("HIGH", "high", True),
        ("medium", "high", False),
        ("low", "high", False),
        ("medium", "medium", True),
        ("low", "low", True),
        ("high", "critical", False),
        ("unknown", "high", True),
        ("unknown", "critical", False),
        ("", "high", True),
        ("9.8", "critical", True),
        ("7.0", "high", True),
        ("6.9", "high", False),
        ("0", "low", True),
        (7.5, "high", True),
        (None, "high", True),
        (["low"], "high", True),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", "high", True),
    ],
)
def test_severities_against_the_threshold(score: Any, threshold: str, *, denied: bool) -> None:
    document = s.changed(s.vulns(), "scanner/result", [s.vulnerability(score)])
    decision = decide({"vulns": {"threshold": threshold}}, vulns=document)
    assert decision.allowed is not denied
    code, status = ("threshold", Status.VIOLATION) if denied else ("below-threshold", Status.WARNING)
    assert f"vulns.{code}" in found(decision, status)
    assert found(decision, Status.ERROR) == {}


@pytest.mark.parametrize("severity", [[], None, "low", {}])
def test_a_severity_of_another_shape_counts_as_high(severity: Any) -> None:
    result = s.vulnerability("low") | {"severity": severity}
    decision = decide(vulns=s.changed(s.vulns(), "scanner/result", [result]))
    assert "vulns.threshold" in found(decision, Status.VIOLATION)


def test_the_gravest_of_several_ratings_counts() -> None:
    result = s.vulnerability("low")
    result["severity"].append({"method": "cvss_v3", "score": "9.1"})
    decision = decide(vulns=s.changed(s.vulns(), "scanner/result", [result]))
    (violation,) = decision.with_status(Status.VIOLATION)
    assert "(severity critical)" in violation.msg
    assert violation.severity == "critical"
    assert violation.term == ("CVE-2026-1", s.LOCKED)
    assert violation.solution == f"Upgrade {s.LOCKED} to 3.0.3, then build and scan again: pratique ship"


@pytest.mark.parametrize(
    ("exploited", "denied"), [("2026-01-01", True), (True, True), (1, True), ("", False), (None, False)]
)
def test_what_is_known_to_be_exploited_is_refused_at_any_severity(exploited: Any, *, denied: bool) -> None:
    document = s.changed(s.vulns(), "scanner/result", [s.vulnerability("low", exploited=exploited)])
    decision = decide(vulns=document)
    assert ("vulns.exploited" in found(decision, Status.VIOLATION)) is denied
    assert decision.allowed is not denied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{COVERAGE}/unknown", [{"subject": "pkg:pypi/x@1", "reason": "no advisories"}]),
        (f"{COVERAGE}/unknown", "none"),
        (f"{COVERAGE}/unknown", None),
        (f"{COVERAGE}/unknown", {}),
        ("scanner/result", None),
        ("scanner/result", "none"),
        ("scanner/result", {}),
        ("scanner", None),
    ],
)
def test_a_scan_that_could_not_judge_everything_is_refused(path: str, value: Any) -> None:
    document = s.vulns()
    if path.startswith(COVERAGE):
        document[COVERAGE] = {} if value is None else {"unknown": value}
    else:
        document = s.changed(document, path, value)
    decision = decide(vulns=document)
    assert refused_for(decision, "vulns.coverage")


def test_a_scan_without_the_coverage_extension_is_refused() -> None:
    document = s.vulns()
    del document[COVERAGE]
    message = found(decide(vulns=document), Status.VIOLATION)["vulns.coverage"]
    assert message.endswith("not judged: (not said)")


@pytest.mark.parametrize(
    ("updated", "denied"),
    [
        ("2026-11-23T12:00:00Z", False),
        ("2026-08-25T12:00:00Z", False),
        ("2026-08-25T11:59:59Z", True),
        ("2024-01-01T00:00:00+02:00", True),
        ("2026-12-24T00:00:00Z", True),
        ("yesterday", True),
        ("2026-13-01T00:00:00Z", True),
        ("", True),
        (1, True),
        (None, True),
    ],
)
def test_the_age_of_the_advisories(updated: Any, *, denied: bool) -> None:
    decision = decide(vulns=s.changed(s.vulns(), "scanner/db/lastUpdate", updated))
    assert decision.allowed is not denied


def check(result: Any, severity: Any) -> dict[str, Any]:
    values = {"id": "r.x", "title": "X", "fix": "turn it off", "result": result, "severity": severity}
    one = {key: value for key, value in values.items() if value is not None}
    return s.posture() | {"checks": [one, *s.posture()["checks"]]}


@pytest.mark.parametrize(
    ("result", "severity", "violations", "warnings"),
    [
        ("fail", "critical", ["posture.critical"], []),
        ("fail", "high", [], ["posture.high"]),
        ("fail", "unknown", [], ["posture.high"]),
        ("fail", "medium", [], []),
        ("unknown", "critical", [], ["posture.high"]),
        ("unknown", "high", [], []),
        ("pass", "critical", [], []),
        ("not-applicable", "critical", [], []),
        ("FAIL", "critical", ["posture.critical"], []),
        (None, "critical", ["posture.critical"], []),
        ("fail", None, ["posture.critical"], []),
        ("fail", "Critical", ["posture.critical"], []),
        ("fail", 9, ["posture.critical"], []),
        (True, "high", [], ["posture.high"]),
        (None, None, ["posture.critical"], []),
    ],
)
def test_runner_checks(result: Any, severity: Any, violations: list[str], warnings: list[str]) -> None:
    decision = decide(runner_posture=check(result, severity))
    assert list(found(decision, Status.VIOLATION, Status.ERROR)) == violations
    assert list(found(decision, Status.WARNING)) == warnings
    if violations:
        assert decision.with_status(Status.VIOLATION)[0].solution == "turn it off"


def test_a_critical_runner_check_can_be_a_warning() -> None:
    decision = decide({"levels": {"posture.critical": "warn"}}, runner_posture=check("fail", "critical"))
    assert decision.allowed
    assert list(found(decision, Status.WARNING)) == ["posture.critical"]


@pytest.mark.parametrize(
    ("path", "value"),
    [("phase", "after-build"), ("phase", None), ("checks", []), ("checks", None), ("checks", "pass")],
)
def test_a_runner_that_was_not_measured_before_the_build_is_refused(path: str, value: Any) -> None:
    decision = decide(runner_posture=s.changed(s.posture(), path, value))
    assert refused_for(decision, "posture.measured")


def test_a_predicate_that_is_empty_denies_for_every_type() -> None:
    for short in ("rebuild", "sbom", "vulns", "runner_posture"):
        assert not decide(**{short: {}}).allowed


DOCS = Path(__file__).parents[3] / "docs"


def test_every_code_has_its_section_and_every_section_its_code() -> None:
    bundle = shipped_bundle()
    text = (DOCS / "policy-rules.md").read_text()
    sections = set(re.findall(r"^### `([^`]+)`$", text, re.MULTILINE))
    owed = {f"evidence.{short}" for short in bundle.requirements.require}
    assert sections == set(bundle.rules) | owed | {
        REJECTED,
        ENGINE_ERROR,
        UNUSED,
        EXPIRED,
        INCOMPLETE,
        SELECTION,
        SOURCE,
        VOLATILE,
    }
    for info in bundle.rules.values():
        section = text.split(f"### `{info.code}`\n")[1].split("\n### ")[0]
        assert info.title in section, info.code
        assert f"Severity: {info.severity}" in section, info.code
        assert info.solution in section, info.code
        assert all(control in section for control in info.controls), info.code


def test_the_page_on_policy_lists_every_function_and_setting() -> None:
    from pratique.policy.engine.builtins import ARITY  # noqa: PLC0415
    from pratique.policy.rule_data import _KEYS  # noqa: PLC0415

    text = (DOCS / "policy.md").read_text()
    assert [name for name in ARITY if f"`{name}`" not in text] == []
    assert [key for key in _KEYS if f"`{key}`" not in text and f"{key}:" not in text] == []


def test_the_example_rule_of_the_page_works() -> None:
    text = re.findall(r"```rego\n(.*?)```", (DOCS / "policy-language.md").read_text(), re.DOTALL)[0]
    source = parse_source({"name": "acme", "modules": {"licence.rego": text}}, what="the page")
    bundle = shipped_bundle(sources=[source], data={"custom": {"refused_licences": ["AGPL-3.0-only"]}})
    document = s.sbom()
    assert evaluate(s.gate_input(s.complete(sbom=document)), bundle, ENGINE).decision.allowed
    document["components"][0]["licenses"] = [{"license": {"id": "AGPL-3.0-only"}}]
    decision = evaluate(s.gate_input(s.complete(sbom=document)), bundle, ENGINE).decision
    assert found(decision, Status.VIOLATION) == {"acme.licence.refused": "MarkupSafe is under AGPL-3.0-only"}
