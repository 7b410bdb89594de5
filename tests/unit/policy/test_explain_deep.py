"""What an explanation finds in the input and the policy: conditions that failed, and changes that help."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from patience import PATIENT
from policy_scenario import (
    LOCKED,
    NOW,
    SUBJECT,
    complete,
    evidence,
    gate_input,
    provenance,
    rebuild,
    sbom,
    vulnerability,
    vulns,
)

from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.explain.deep import deepen
from pratique.policy.explain.words import explain, render
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence
    from pratique.policy.explain.words import Explanation

BUNDLE = shipped_bundle()
SOURCES = BUNDLE.modules
ENGINE = RegorusEngine(PATIENT)


def deep(items: tuple[Evidence, ...]) -> Explanation:
    given = gate_input(items)
    decision = evaluate(given, BUNDLE, ENGINE).decision
    return deepen(explain(decision), decision, given, BUNDLE, ENGINE)


def line_of(file: str, text: str) -> str:
    """Find a line of a shipped rule, by its text alone."""
    lines = [line.strip() for line in SOURCES[file].split("\n")]
    assert lines.count(text) == 1, text
    return f"{file}:{lines.index(text) + 1}: {text}"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"verdict": "different"}, 'predicate.verdict == "bit-identical"'),
        (
            {"rebuilt": {"digest": {"sha256": "0" * 64}}},
            "predicate.original.digest.sha256 == predicate.rebuilt.digest.sha256",
        ),
        ({"differences": [{"member": "x"}]}, 'object.get(predicate, "differences", []) == []'),
    ],
)
def test_the_condition_where_the_good_case_stopped_is_named(change: dict[str, Any], text: str) -> None:
    (found,) = deep(complete(rebuild=rebuild() | change)).obstacles
    assert found.code == "rebuild.identical"
    assert found.because == (f"{line_of('rebuild.rego', text)} (not met)",)


def test_a_rule_that_states_the_bad_case_shows_what_held() -> None:
    bad = vulns()
    bad["scanner"]["result"] = [vulnerability("high")]
    (found,) = deep(complete(vulns=bad)).obstacles
    assert found.code == "vulns.threshold"
    text = "fact.rank >= threshold"
    assert found.because == (f"{line_of('vulns.rego', text)} (held)",)


def test_what_helps_against_a_vulnerable_component_was_tried() -> None:
    bad = vulns()
    bad["scanner"]["result"] = [vulnerability("high")]
    explanation = deep(complete(vulns=bad))
    assert explanation.obstacles[0].tried == (
        # It is the only component, and a bill without any is refused, too: that is said, not promised away.
        f"without {LOCKED}: still refused for sbom.components",
        "waived by 1 person with the role waiver-approver: the artifact passes",
    )
    assert explanation.together == ""
    text = render(explanation)
    assert "  tried:     waived by 1 person with the role waiver-approver: the artifact passes\n" in text
    assert "  because:   vulns.rego:" in text


def test_a_critical_one_takes_two_people_and_an_exploited_one_is_another_refusal() -> None:
    bad = vulns()
    bad["scanner"]["result"] = [vulnerability("critical", exploited="2026-11-01")]
    explanation = deep(complete(vulns=bad))
    by_code = {item.code: item.tried for item in explanation.obstacles}
    assert set(by_code) == {"vulns.threshold", "vulns.exploited"}
    assert by_code["vulns.threshold"] == (
        f"without {LOCKED}: still refused for sbom.components",
        "waived by 2 people with the role waiver-approver: still refused for vulns.exploited",
    )
    assert explanation.together == f"without {LOCKED}: still refused for sbom.components"


def test_evidence_that_is_only_old_would_do_if_it_were_signed_anew() -> None:
    old = evidence("vulns", signed_at=NOW - timedelta(days=40))
    items = tuple(old if item.digest == old.digest else item for item in complete())
    (found,) = deep(items).obstacles
    assert found.code == "evidence.vulns"
    assert found.tried == ("with the same vulns evidence signed anew: the artifact passes",)


def test_nothing_is_claimed_for_evidence_that_is_not_there() -> None:
    items = tuple(item for item in complete() if item.digest != evidence("rebuild").digest)
    (found,) = deep(items).obstacles
    assert found.code == "evidence.rebuild"
    assert found.tried == ()
    assert found.because == ()
    assert found.cures == ("Make it with: pratique rebuild",)


def test_a_stranger_s_evidence_is_not_cured_by_its_date() -> None:
    strange = evidence("vulns", signer="spiffe://pratique.local/runner")
    items = tuple(strange if item.digest == strange.digest else item for item in complete())
    (found,) = deep(items).obstacles
    assert found.tried == ()


def test_the_scenario_itself_passes_and_nothing_is_tried() -> None:
    explanation = deep(complete(provenance=provenance(), sbom=sbom()))
    assert explanation.obstacles == ()
    assert explanation.together == ""
    assert SUBJECT.short in explanation.verdict
