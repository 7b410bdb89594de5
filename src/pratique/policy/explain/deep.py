"""An explanation that goes back to the input: conditions, and what was tried (runs the engine)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.policy.explain.conditions import UntoldError, failed_conditions
from pratique.policy.explain.counterfactual import try_cures
from pratique.policy.standing import assess

if TYPE_CHECKING:
    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.decision import Decision
    from pratique.policy.engine.port import Engine
    from pratique.policy.evidence import GateInput
    from pratique.policy.explain.words import Explanation, Obstacle

_CONDITIONS = 3


def deepen(
    explanation: Explanation,
    decision: Decision,
    given: GateInput,
    bundle: PolicyBundle,
    engine: Engine,
    *,
    code: str | None = None,
) -> Explanation:
    """Add conditions and trials to an explanation.

    Args:
        explanation: of the decision.
        decision: what was decided.
        given: the input it was decided on.
        bundle: the policy it was decided by.
        engine: evaluates again.
        code: only this one; then nothing is tried together.
    """
    assessment = assess(given, bundle.requirements)

    def because(obstacle: Obstacle) -> tuple[str, ...]:
        if code is not None and obstacle.code != code:
            return ()
        findings = [item for item in decision.results if item.code == obstacle.code]
        found: dict[str, None] = {}
        untold: dict[str, None] = {}
        for finding in findings[:_CONDITIONS]:
            try:
                conditions = failed_conditions(finding, bundle, given, assessment, engine)
            except UntoldError as why:
                untold[f"no condition is shown: {why}"] = None
            else:
                found |= dict.fromkeys(map(str, conditions))
        return tuple(found or untold)

    tried = try_cures(decision, given, bundle, engine, code=code)
    obstacles = tuple(
        msgspec.structs.replace(
            obstacle,
            because=because(obstacle),
            tried=tuple(str(trial) for trial in tried.by_code.get(obstacle.code, ())),
        )
        for obstacle in explanation.obstacles
    )
    return msgspec.structs.replace(
        explanation,
        obstacles=obstacles,
        cautions=tuple(
            msgspec.structs.replace(obstacle, because=because(obstacle)) for obstacle in explanation.cautions
        ),
        waived=tuple(
            msgspec.structs.replace(obstacle, because=because(obstacle)) for obstacle in explanation.waived
        ),
        together=str(tried.together) if tried.together else "",
    )
