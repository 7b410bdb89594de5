"""SLSA provenance v1 for a build of ours: what was built, from what, by whom, with what beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pratique import __version__

if TYPE_CHECKING:
    from pratique.build.execute import BuildResult
    from pratique.build.plan import BuildPlan
    from pratique.model.digest import Digest


def provenance_predicate(
    plan: BuildPlan,
    result: BuildResult,
    *,
    builder_id: str,
    invocation_id: str,
    version: str = __version__,
    posture: Digest | None = None,
) -> dict[str, Any]:
    """Write the predicate of https://slsa.dev/provenance/v1 (SLSA 1.2, build provenance).

    Args:
        plan: the plan that was carried out.
        result: what came of it.
        builder_id: the identity that signs, `spiffe://<trust domain>/builder`.
        invocation_id: names this one build.
        version: of this program.
        posture: evidence digest of the runner's posture, measured before the build.
    """
    byproducts = [{"name": "build.log", "digest": result.log_digest.digest_set}]
    if posture is not None:
        byproducts.append({"name": "runner-posture", "digest": posture.digest_set})
    return {
        "buildDefinition": plan.definition(),
        "runDetails": {
            "builder": {"id": builder_id, "version": {"pratique": version}},
            "metadata": {
                "invocationId": invocation_id,
                "startedOn": result.started_on,
                "finishedOn": result.finished_on,
            },
            "byproducts": byproducts,
        },
    }
