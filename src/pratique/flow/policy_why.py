"""Why a decision came out as it did: its words, and what going back to its input shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.flow.policy_try import input_of
from pratique.policy.bundle import PolicyBundle
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.explain.deep import deepen
from pratique.policy.explain.words import Explanation, explain

if TYPE_CHECKING:
    from pratique.flow.workspace import Workspace
    from pratique.policy.decision import Decision


def explained(workspace: Workspace, decision: Decision, *, code: str | None = None) -> Explanation:
    """Explain a decision, with conditions and trials where its input and policy are still there.

    Args:
        workspace: the state directory that keeps them.
        decision: what to explain.
        code: only this rule, in whichever state.
    """
    explanation = explain(decision)
    try:
        given = input_of(workspace, decision)
        bundle = PolicyBundle.parse(workspace.blobs.get(decision.policy))
    except EvidenceInvalidError as error:
        verdict = f"{explanation.verdict}; its input or policy cannot be looked into: {error.message}"
        return _only(msgspec.structs.replace(explanation, verdict=verdict), code)
    return _only(deepen(explanation, decision, given, bundle, RegorusEngine(), code=code), code)


def _only(explanation: Explanation, code: str | None) -> Explanation:
    if code is None:
        return explanation
    return msgspec.structs.replace(
        explanation,
        obstacles=tuple(item for item in explanation.obstacles if item.code == code),
        cautions=tuple(item for item in explanation.cautions if item.code == code),
        waived=tuple(item for item in explanation.waived if item.code == code),
        passed=(),
        skipped=(),
        next_commands=(),
    )
