"""The SLSA Verification Summary Attestation v1 of a decision (slsa.dev/spec/v1.2/verification_summary).

Levels are claimed modestly. `SLSA_BUILD_LEVEL_1` asks that provenance exists and says how the artifact was
built; level 2 also that a *hosted* build platform generated and signed it; level 3 that the platform keeps
the signing key from the build and builds from one another. The embedded authority signs on the machine that
builds, with keys which whoever has that machine can reach, so of it nothing above level 1 is true, however
well the sandbox isolates. A policy of one's own that vouches for a hosted builder can say so in its own
VSA; this function never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.model.digest import parse_digest
from pratique.model.predicate import PROVENANCE
from pratique.policy.decision import Status

if TYPE_CHECKING:
    from pratique.policy.decision import Decision

SLSA_VERSION: Final = "1.2"
DECISION_EXTENSION: Final = "https://pratique.dev/decision"
BUILD_LEVEL_1: Final = "SLSA_BUILD_LEVEL_1"
BUILD_LEVEL_UNEVALUATED: Final = "SLSA_BUILD_LEVEL_UNEVALUATED"


def vsa_predicate(decision: Decision, *, verifier: str, resource_uri: str, policy_uri: str) -> dict[str, Any]:
    """Write the predicate; its statement's subject is the decision's artifact.

    Args:
        decision: allowed or denied; a denial is a VSA too, with result FAILED and no level.
        verifier: identity of the signer-to-be, for example `spiffe://pratique.local/verifier`.
        resource_uri: what the artifact is fetched as.
        policy_uri: name of the policy; its digest is the decision's.
    """
    return {
        "verifier": {"id": verifier},
        "timeVerified": decision.effective_time,
        "resourceUri": resource_uri,
        "policy": {"uri": policy_uri, "digest": decision.policy.digest_set},
        "inputAttestations": [{"digest": parse_digest(item.digest).digest_set} for item in decision.inputs],
        "verificationResult": "PASSED" if decision.allowed else "FAILED",
        "verifiedLevels": verified_levels(decision),
        "slsaVersion": SLSA_VERSION,
        DECISION_EXTENSION: {"digest": decision.digest.digest_set},
    }


def verified_levels(decision: Decision) -> list[str]:
    """Give the levels a decision has earned: level 1 if provenance stood and all its checks succeeded."""
    if not decision.allowed:
        return ["FAILED"]
    stood = any(item.predicate_type == PROVENANCE for item in decision.inputs)
    checks = [result for result in decision.results if result.code.startswith("provenance.")]
    sound = bool(checks) and all(result.status in {Status.SUCCESS, Status.WARNING} for result in checks)
    return [BUILD_LEVEL_1] if stood and sound else [BUILD_LEVEL_UNEVALUATED]
