"""Laws of the task evaluation that hold for any evidence."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pratique.model.digest import Digest
from pratique.report.evidence_fact import EvidenceFact, Outcome
from pratique.report.ssdf import DECLARATION, Edition, Status, TaskClass, evaluate_tasks, load_tasks

_TASKS = load_tasks() + load_tasks(Edition.DRAFT_1_2)
_KINDS = sorted({need.kind for task in _TASKS for need in task.needs})
_TRAITS = sorted({need.trait for task in _TASKS for need in task.needs} - {""})

facts = st.builds(
    EvidenceFact,
    kind=st.sampled_from([*_KINDS, DECLARATION, "https://example.com/other/v1"]),
    digest=st.integers(0, 2**32).map(lambda number: Digest(f"{number:064x}")),
    log_index=st.integers(0, 50),
    outcome=st.sampled_from(Outcome),
    traits=st.sets(st.sampled_from(_TRAITS)).map(frozenset),
    scope=st.sampled_from(["", "prod", *(task.id for task in _TASKS[:6])]),
)
evidence = st.lists(facts, max_size=8)


@given(evidence, facts)
def test_evidence_of_another_kind_leaves_a_task_alone(
    before: list[EvidenceFact], added: EvidenceFact
) -> None:
    for old, new in zip(evaluate_tasks(before), evaluate_tasks([*before, added]), strict=True):
        concerned = {kind for need in old.task.needs for kind in (need.kind, need.after)}
        declares = added.kind == DECLARATION and added.scope == old.task.id
        if added.kind not in concerned and not declares:
            assert new == old


@given(evidence)
def test_the_order_of_evidence_is_of_no_account(given_facts: list[EvidenceFact]) -> None:
    assert evaluate_tasks(given_facts) == evaluate_tasks(given_facts[::-1])


@given(evidence)
def test_only_supporting_evidence_is_ever_named_as_support(given_facts: list[EvidenceFact]) -> None:
    supporting = {fact.digest for fact in given_facts if fact.outcome is Outcome.SUPPORTS}
    for result in evaluate_tasks(given_facts):
        assert set(result.evidence) <= supporting
        assert bool(result.against) is (result.status is Status.FAILED)
        if result.status in {Status.EVIDENCED, Status.PARTLY}:
            assert result.evidence


@given(evidence)
def test_no_machine_stands_in_for_a_person(given_facts: list[EvidenceFact]) -> None:
    declared = {fact.scope for fact in given_facts if fact.kind == DECLARATION}
    for result in evaluate_tasks(given_facts):
        if result.task.class_ is not TaskClass.MACHINE and result.task.id not in declared:
            assert result.status is not Status.EVIDENCED


@given(evidence, facts)
def test_evidence_against_never_lifts_a_task(before: list[EvidenceFact], added: EvidenceFact) -> None:
    added_against = EvidenceFact(
        kind=added.kind, digest=added.digest, log_index=99, outcome=Outcome.REFUTES, scope="of its own"
    )
    for old, new in zip(evaluate_tasks(before), evaluate_tasks([*before, added_against]), strict=True):
        assert new.status in {old.status, Status.FAILED}
