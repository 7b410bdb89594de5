"""A decision as others' predicates: the SLSA Verification Summary, and in-toto's Simple Verification Result.

The levels of a VSA (slsa.dev/spec/v1.2/verification_summary) are those that `build_facts.build_level` finds,
if the rules had nothing against the provenance either. An SVR (in-toto attestation, predicates/svr.md, v0.1)
lists the properties that hold: the levels, and each code that succeeded. Of an artifact that is refused it
lists none, since whoever reads an SVR looks for one property alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.model.digest import parse_digest
from pratique.model.predicate import PROVENANCE
from pratique.policy.decision import Status

if TYPE_CHECKING:
    from pratique.policy.decision import Decision

SLSA_VERSION: Final = "1.2"
DECISION_EXTENSION: Final = "https://pratique.dev/decision"
BUILD_LEVEL_UNEVALUATED: Final = "SLSA_BUILD_LEVEL_UNEVALUATED"
POLICY_PASSED: Final = "PRATIQUE_POLICY_PASSED"
_NO_NAME = re.compile(r"[^A-Z0-9]+")


class Verifier(msgspec.Struct, frozen=True, kw_only=True):
    """Who says so, of what, by which policy.

    Attributes:
        identity: of the signer-to-be, for example `spiffe://pratique.local/verifier`.
        resource_uri: what the artifact is fetched as.
        policy_uri: name of the policy; its digest is the decision's.
    """

    identity: str
    resource_uri: str
    policy_uri: str


def vsa_predicate(decision: Decision, verifier: Verifier) -> dict[str, Any]:
    """Write the predicate; its statement's subject is the decision's artifact.

    A denial is a VSA too, with the result FAILED and no level.
    """
    return {
        "verifier": {"id": verifier.identity},
        "timeVerified": decision.effective_time,
        "resourceUri": verifier.resource_uri,
        "policy": {"uri": verifier.policy_uri, "digest": decision.policy.digest_set},
        "inputAttestations": [{"digest": parse_digest(item.digest).digest_set} for item in decision.inputs],
        "verificationResult": "PASSED" if decision.allowed else "FAILED",
        "verifiedLevels": verified_levels(decision),
        "slsaVersion": SLSA_VERSION,
        DECISION_EXTENSION: {"digest": decision.digest.digest_set},
    }


def svr_predicate(decision: Decision, verifier: Verifier) -> dict[str, Any]:
    """Write the predicate; the policy extends the verifier, as the specification's example has it."""
    return {
        "verifier": {
            "id": verifier.identity,
            "policy": {"uri": verifier.policy_uri, "digest": decision.policy.digest_set},
        },
        "timeCreated": decision.effective_time,
        "properties": verified_properties(decision),
    }


def verified_levels(decision: Decision) -> list[str]:
    """Give the level that a decision has earned."""
    if not decision.allowed:
        return ["FAILED"]
    stood = any(item.predicate_type == PROVENANCE for item in decision.inputs)
    # Provenance stood, so what is skipped is a rule that the policy asks nothing of.
    checks = [
        result
        for result in decision.results
        if result.code.startswith("provenance.") and result.status is not Status.SKIPPED
    ]
    sound = bool(checks) and all(result.status in {Status.SUCCESS, Status.WARNING} for result in checks)
    earned = stood and sound and decision.build_level > 0
    return [f"SLSA_BUILD_LEVEL_{decision.build_level}" if earned else BUILD_LEVEL_UNEVALUATED]


def verified_properties(decision: Decision) -> list[str]:
    """Name what holds: the policy, the level, and each code all of whose results are successes."""
    if not decision.allowed:
        return []
    levels = [level for level in verified_levels(decision) if level != BUILD_LEVEL_UNEVALUATED]
    by_name: dict[str, set[Status]] = {}
    for result in decision.results:
        by_name.setdefault(_property(result.code), set()).add(result.status)
    succeeded = sorted(name for name, statuses in by_name.items() if statuses == {Status.SUCCESS})
    return [POLICY_PASSED, *levels, *succeeded]


def _property(code: str) -> str:
    return f"PRATIQUE_{_NO_NAME.sub('_', code.upper())}"
