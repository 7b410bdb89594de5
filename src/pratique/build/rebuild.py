"""The `rebuild/v1` predicate: what came of building the same definition again in another environment.

Implements docs/spec/rebuild.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.build.environment import varied_factors
from pratique.build.execute import verify_output
from pratique.errors import EvidenceInvalidError

if TYPE_CHECKING:
    from pratique.build.compare import Comparison
    from pratique.build.environment import Environment
    from pratique.build.execute import BuildResult
    from pratique.model.digest import Digest


def rebuild_predicate(
    *,
    original: Digest,
    original_environment: Environment,
    rebuilt: BuildResult,
    comparison: Comparison,
    definition_digest: Digest,
    invocation_id: str,
) -> dict[str, Any]:
    """Write the predicate; its subject is the original artifact.

    Args:
        original: the digest of the artifact that was built first.
        original_environment: what surrounded that build.
        rebuilt: the second build.
        comparison: of the two files' bytes.
        definition_digest: of the definition that the original's provenance carries.
        invocation_id: names the rebuild.

    Raises:
        EvidenceInvalidError: the parts contradict one another: another definition was rebuilt, a verdict
            that the digests deny, a file that changed since, or nothing that was varied.
    """
    verify_output(rebuilt.output)
    if not rebuilt.definition_digest.matches(definition_digest):
        raise EvidenceInvalidError(
            f"another definition was rebuilt: {rebuilt.definition_digest}, not {definition_digest}",
            hint="rebuild with the same source, locks, tool chain and recipe as the original",
        )
    if comparison.identical != rebuilt.output.digest.matches(original):
        raise EvidenceInvalidError("the comparison is not of these two artifacts")
    varied = varied_factors(original_environment, rebuilt.environment)
    if not varied:
        raise EvidenceInvalidError("the rebuild varied nothing, so it proves nothing")
    return {
        "verdict": comparison.verdict,
        "original": {"digest": original.digest_set, "environment": original_environment.to_json()},
        "rebuilt": {
            "digest": rebuilt.output.digest.digest_set,
            "environment": rebuilt.environment.to_json(),
        },
        "varied": list(varied),
        "differences": [msgspec.to_builtins(item) for item in comparison.differences],
        "differencesTruncated": comparison.truncated,
        "definitionDigest": str(definition_digest),
        "invocationId": invocation_id,
        "startedOn": rebuilt.started_on,
        "finishedOn": rebuilt.finished_on,
        "byproducts": [{"name": "build.log", "digest": rebuilt.log_digest.digest_set}],
    }
