"""The SSDF tasks (NIST SP 800-218, version 1.1) as far as evidence can speak for them.

    class M  evidenced when every need is met; partly, when some are
    class P  evidenced when every need is met and a person declared the rest; partly, when any of it is there
    class H  evidenced by a declaration alone: no evidence of a machine can stand in for it

A task fails when the latest evidence of a kind it needs speaks against the practice, whatever else there
is: a refused artifact or a different rebuild is never outweighed. Evidence of other kinds does not touch it.
The draft of version 1.2 is an edition of its own; its tasks and 1.1's never stand in one assessment.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations at run time
from pratique.report.evidence_fact import EvidenceFact, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DECLARATION: Final = "declaration"


class Edition(StrEnum):
    """Which text is assessed; the draft is chosen explicitly and never mixed with the final text."""

    V1_1 = "1.1"
    DRAFT_1_2 = "1.2-draft"


class TaskClass(StrEnum):
    """How far a machine can speak for a task."""

    MACHINE = "M"
    PART = "P"
    HUMAN = "H"


class Status(StrEnum):
    """What the evidence comes to for one task."""

    EVIDENCED = "evidenced"
    PARTLY = "partly-evidenced"
    DECLARATION_NEEDED = "declaration-needed"
    NO_EVIDENCE = "no-evidence"
    FAILED = "failed"


class Need(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of evidence that a task looks for; see the head of `ssdf_tasks.toml` for the members."""

    kind: str
    shows: str
    trait: str = ""
    after: str = ""
    command: str = ""


class Task(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of the framework in our words; see the head of `ssdf_tasks.toml` for the members."""

    id: str
    class_: TaskClass = msgspec.field(name="class")
    title: str
    declare: str
    needs: tuple[Need, ...] = ()
    draft: bool = False


class Missing(msgspec.Struct, frozen=True):
    """What would have to be shown, and the command that makes that evidence ("" where none here does)."""

    what: str
    command: str


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """One task assessed.

    Attributes:
        task: the task.
        status: see `Status`.
        evidence: digests that support it, in the order of the log.
        against: digests that speak against it; not empty exactly when it failed.
        missing: needs that are not met.
        shown: what the supporting evidence shows.
        declare: what a person still has to say, "" once declared or where nothing is left to say.
    """

    task: Task
    status: Status
    evidence: tuple[Digest, ...] = ()
    against: tuple[Digest, ...] = ()
    missing: tuple[Missing, ...] = ()
    shown: tuple[str, ...] = ()
    declare: str = ""


class _Tasks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    task: tuple[Task, ...]


@cache
def load_tasks(edition: Edition = Edition.V1_1) -> tuple[Task, ...]:
    """Load the tasks of one edition from the package's own table."""
    text = (resources.files(__package__) / "ssdf_tasks.toml").read_text(encoding="utf-8")
    table = msgspec.convert(tomllib.loads(text), _Tasks)
    return tuple(task for task in table.task if task.draft is (edition is Edition.DRAFT_1_2))


def evaluate_tasks(evidence: Sequence[EvidenceFact], *, edition: Edition = Edition.V1_1) -> list[TaskResult]:
    """Assess every task of an edition against verified evidence. Pure; the order given is of no account.

    Args:
        evidence: facts of verified evidence about one artifact (and the people and machines it names); what a
            person declared comes as facts of kind `declaration` whose scope is the task's id.
        edition: which text to assess.
    """
    current = _latest(evidence)
    return [_evaluate(task, current) for task in load_tasks(edition)]


def _latest(evidence: Iterable[EvidenceFact]) -> list[EvidenceFact]:
    """Keep the newest of each kind and scope; at one place in the log the graver outcome stays."""
    newest: dict[tuple[str, str], EvidenceFact] = {}
    for fact in sorted(evidence, key=_age):
        newest[fact.kind, fact.scope] = fact
    return sorted(newest.values(), key=_age)


def _age(fact: EvidenceFact) -> tuple[int, int, Digest, str, str, list[str]]:
    """Order totally, so that the order in which facts were given leaves no trace."""
    gravity = [Outcome.SUPPORTS, Outcome.UNCLEAR, Outcome.REFUTES].index(fact.outcome)
    return fact.log_index, gravity, fact.digest, fact.kind, fact.scope, sorted(fact.traits)


def _evaluate(task: Task, current: Sequence[EvidenceFact]) -> TaskResult:
    support: list[EvidenceFact] = []
    met: list[Need] = []
    for need in task.needs:
        if found := _supporting(need, current):
            met.append(need)
            support += [fact for fact in found if fact not in support]
    kinds = {need.kind for need in task.needs}
    against = [fact.digest for fact in current if fact.kind in kinds and fact.outcome is Outcome.REFUTES]
    declared = [fact for fact in current if _declares(fact, task)]
    return TaskResult(
        task=task,
        status=_status(task, met=len(met), failed=bool(against), declared=bool(declared)),
        evidence=tuple(fact.digest for fact in sorted(support + declared, key=_age)),
        against=tuple(against),
        missing=tuple(Missing(need.shows, need.command) for need in task.needs if need not in met),
        shown=tuple(need.shows for need in met),
        declare="" if declared else task.declare,
    )


def _supporting(need: Need, current: Sequence[EvidenceFact]) -> list[EvidenceFact]:
    found = [
        fact
        for fact in current
        if fact.kind == need.kind
        and fact.outcome is Outcome.SUPPORTS
        and (not need.trait or need.trait in fact.traits)
    ]
    if not need.after:
        return found
    earlier = [f.log_index for f in current if f.kind == need.after and f.outcome is Outcome.SUPPORTS]
    return [fact for fact in found if earlier and fact.log_index > min(earlier)]


def _declares(fact: EvidenceFact, task: Task) -> bool:
    return fact.kind == DECLARATION and fact.scope == task.id and fact.outcome is Outcome.SUPPORTS


def _status(task: Task, *, met: int, failed: bool, declared: bool) -> Status:
    if failed:
        return Status.FAILED
    if task.class_ is TaskClass.HUMAN:
        return Status.EVIDENCED if declared else Status.DECLARATION_NEEDED
    complete = 0 < met == len(task.needs)
    if complete and (declared or task.class_ is TaskClass.MACHINE):
        return Status.EVIDENCED
    return Status.PARTLY if met or declared else Status.NO_EVIDENCE
