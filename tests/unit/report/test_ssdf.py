"""The task table agrees with NIST's ids and the evidence map; statuses follow the rules, case by case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pratique.model.digest import Digest
from pratique.report.evidence_fact import EvidenceFact, Outcome
from pratique.report.ssdf import Edition, Status, TaskClass, TaskResult, evaluate_tasks, load_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fact(
    kind: str, index: int = 0, *traits: str, outcome: Outcome = Outcome.SUPPORTS, scope: str = ""
) -> EvidenceFact:
    digest = Digest(f"{index:064x}")
    return EvidenceFact(
        kind=kind, digest=digest, log_index=index, outcome=outcome, traits=frozenset(traits), scope=scope
    )


def assess(task_id: str, *facts: EvidenceFact, edition: Edition = Edition.V1_1) -> TaskResult:
    return next(result for result in evaluate_tasks(facts, edition=edition) if result.task.id == task_id)


def _catalogued_tasks(node: dict[str, Any]) -> Iterator[str]:
    if node.get("class") == "task":
        yield node["id"]
    for child in [*node.get("groups", []), *node.get("controls", [])]:
        yield from _catalogued_tasks(child)


def test_ids_are_those_of_the_ssdf_catalog_in_its_order(test_data: Path) -> None:
    catalog = json.loads((test_data / "ssdf" / "ssdf-1.1.oscal-catalog.json").read_text())
    expected = list(_catalogued_tasks(catalog["catalog"]))
    assert len(expected) == 42
    assert [task.id for task in load_tasks()] == expected


def test_classes_are_those_of_the_evidence_map(test_data: Path) -> None:
    rows = json.loads((test_data / "ssdf" / "ssdf-evidence-map.json").read_text())["rows"]
    assert {task.id: task.class_.value for task in load_tasks()} == {row["id"]: row["class"] for row in rows}


def test_the_draft_is_an_edition_of_its_own() -> None:
    assert [task.id for task in load_tasks(Edition.DRAFT_1_2)] == ["PS.4.2", "PS.4.3"]
    final = {task.id for task in load_tasks()}
    assert not final & {"PS.4.2", "PS.4.3"}


def test_what_a_machine_can_speak_for_names_its_evidence_and_what_it_cannot_is_declared() -> None:
    for task in load_tasks():
        if task.class_ is TaskClass.MACHINE:
            assert task.needs, task.id
        else:
            assert task.declare, task.id
        if task.class_ is TaskClass.HUMAN:
            assert not task.needs, task.id


def test_without_evidence_nothing_is_evidenced() -> None:
    results = evaluate_tasks([])
    assert len(results) == 42
    assert {r.status for r in results} == {Status.NO_EVIDENCE, Status.DECLARATION_NEEDED}
    assert sum(r.status is Status.DECLARATION_NEEDED for r in results) == 10


def test_a_machine_task_is_evidenced_when_every_need_is_met() -> None:
    posture, provenance = fact("runner-posture", 1), fact("provenance", 2, "pinned-inputs")
    result = assess("PO.3.2", provenance, posture)
    assert result.status is Status.EVIDENCED
    assert result.evidence == (posture.digest, provenance.digest)
    assert result.missing == ()


def test_a_missing_need_names_the_command_that_makes_it() -> None:
    result = assess("PO.3.2", fact("runner-posture", 1))
    assert result.status is Status.PARTLY
    assert [(m.what, m.command) for m in result.missing] == [
        ("everything the build used was pinned by digest", "pratique build")
    ]


def test_evidence_without_the_trait_asked_for_does_not_meet_a_need() -> None:
    assert assess("PO.4.1", fact("vsa", 1)).status is Status.NO_EVIDENCE
    assert assess("PO.4.1", fact("vsa", 1, "policy-digest")).status is Status.PARTLY


def test_a_part_task_stays_partly_evidenced_until_a_person_declares_the_rest() -> None:
    provenance = fact("provenance", 1, "source")
    assert assess("PS.1.1", provenance).status is Status.PARTLY
    assert "Who needs access" in assess("PS.1.1", provenance).declare
    declared = assess("PS.1.1", provenance, fact("declaration", 2, scope="PS.1.1"))
    assert declared.status is Status.EVIDENCED
    assert declared.declare == ""
    assert assess("PS.1.1", fact("declaration", 2, scope="PS.1.1")).status is Status.PARTLY


def test_a_human_task_needs_a_declaration_of_its_own() -> None:
    everything = [fact(kind, i) for i, kind in enumerate(["provenance", "vsa", "sbom", "vulns", "approval"])]
    assert assess("PO.2.3", *everything).status is Status.DECLARATION_NEEDED
    assert assess("PO.2.3", fact("declaration", 9, scope="PO.2.2")).status is Status.DECLARATION_NEEDED
    lapsed = fact("declaration", 9, scope="PO.2.3", outcome=Outcome.UNCLEAR)
    assert assess("PO.2.3", lapsed).status is Status.DECLARATION_NEEDED
    assert assess("PO.2.3", fact("declaration", 9, scope="PO.2.3")).status is Status.EVIDENCED


@pytest.mark.parametrize("task_id", ["PW.6.1", "PW.6.2"])
def test_a_different_rebuild_fails_the_task_whatever_else_supports_it(task_id: str) -> None:
    good = fact("rebuild", 1, "varied", scope="path")
    bad = fact("rebuild", 2, "varied", scope="locale", outcome=Outcome.REFUTES)
    result = assess(task_id, good, bad, fact("provenance", 3, "toolchain", "isolated"))
    assert result.status is Status.FAILED
    assert result.against == (bad.digest,)
    assert bad.digest not in result.evidence


def test_a_refused_decision_fails_until_a_later_one_for_the_same_scope_passes() -> None:
    refused = fact("vsa", 1, "policy-digest", scope="prod", outcome=Outcome.REFUTES)
    passed = fact("vsa", 2, "policy-digest", scope="prod")
    elsewhere = fact("vsa", 2, "policy-digest", scope="test")
    assert assess("PO.1.2", refused).status is Status.FAILED
    assert assess("PO.1.2", refused, elsewhere).status is Status.FAILED
    assert assess("PO.1.2", refused, passed).status is Status.PARTLY
    refused_later = fact("vsa", 3, "policy-digest", scope="prod", outcome=Outcome.REFUTES)
    assert assess("PO.1.2", passed, refused_later).status is Status.FAILED


def test_unclear_evidence_neither_supports_nor_fails() -> None:
    assert assess("PO.5.2", fact("runner-posture", 1, outcome=Outcome.UNCLEAR)).status is Status.NO_EVIDENCE


def test_a_scan_counts_as_re_examination_only_after_a_deployment() -> None:
    deployment = fact("deployment", 5)
    assert assess("RV.1.2", fact("vulns", 4), deployment).status is Status.NO_EVIDENCE
    assert assess("RV.1.2", fact("vulns", 4)).status is Status.NO_EVIDENCE
    assert assess("RV.1.2", deployment, fact("vulns", 6)).status is Status.EVIDENCED


def test_the_drafts_rollback_task_needs_a_recorded_rollback() -> None:
    vsa = fact("vsa", 1)
    assert assess("PS.4.3", vsa, edition=Edition.DRAFT_1_2).status is Status.PARTLY
    rolled_back = fact("deployment", 2, "rollback")
    assert assess("PS.4.3", vsa, rolled_back, edition=Edition.DRAFT_1_2).status is Status.EVIDENCED
