"""Two policies over the journal's history: which past decisions would come out otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.flow.policy_history import past_decisions
from pratique.flow.progress import Outcome
from pratique.policy.evidence import parse_input
from pratique.policy.gate import evaluate
from pratique.policy.suite.diff import Difference, compare_decisions

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.engine.port import Engine


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One past decision, asked again by both policies.

    Attributes:
        evidence: its VSA's digest.
        name: the artifact's.
        subject: the artifact.
        effective_time: RFC 3339, as then.
        difference: of the two policies, on its input; None where it could not be asked.
        problem: why not.
    """

    evidence: Digest
    name: str = ""
    subject: Digest | None = None
    effective_time: str = ""
    difference: Difference | None = None
    problem: str = ""


def diff_history(
    workspace: Workspace,
    old: PolicyBundle,
    new: PolicyBundle,
    engine: Engine,
    *,
    since: datetime | None,
    limit: int | None,
) -> list[Asked]:
    """Let both policies decide on the inputs of past decisions, newest first; nothing is journalled.

    An input holds the evidence that was looked at then: what a new policy asks for besides is owed on it,
    even where the journal has it. Equal inputs are asked once.

    Raises:
        EvidenceInvalidError: the enrolments are damaged.
    """
    known: dict[Digest, Difference] = {}
    asked: list[Asked] = []
    workspace.progress.begin("diff", "past decisions, by both policies")
    for past in past_decisions(workspace, since=since, limit=limit):
        decision = past.decision
        if decision is None:
            asked.append(Asked(evidence=past.evidence, problem=past.problem))
            continue
        if decision.input not in known:
            try:
                given = parse_input(past.input_bytes)
            except EvidenceInvalidError as error:
                asked.append(Asked(evidence=past.evidence, name=decision.name, problem=error.message))
                continue
            before, after = (evaluate(given, policy, engine).decision for policy in (old, new))
            known[decision.input] = compare_decisions(before, after)
        asked.append(
            Asked(
                evidence=past.evidence,
                name=decision.name,
                subject=decision.subject,
                effective_time=decision.effective_time,
                difference=known[decision.input],
            )
        )
        workspace.progress.note(f"{len(asked)} decisions")
    workspace.progress.end(Outcome.DONE, f"{len(asked)} decisions on {len(known)} inputs")
    return asked
