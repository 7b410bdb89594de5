"""A decision as others' predicates: the SLSA Verification Summary, and in-toto's Simple Verification Result.

The level of a VSA (slsa.dev/spec/v1.2/verification_summary) is the one that `build_facts.build_level` finds,
if the rules had nothing against the provenance either. A rule that was switched off, skipped or left out has
said nothing, so each that a level rests on must have been judged. An SVR (in-toto attestation,
predicates/svr.md, v0.1) lists the properties that hold: the levels, and each code that succeeded. Of an
artifact that is refused it lists none, since whoever reads an SVR looks for one property alone.
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
_JUDGED: Final = frozenset(
    {
        "provenance.builder",
        "provenance.hermetic",
        "provenance.inputs-pinned",
        "provenance.isolated",
        "provenance.source",
        "provenance.source-clean",
    }
)
"""Rules that must have looked at the provenance before any level is stated."""

_HELD: Final = frozenset({"provenance.builder", "provenance.inputs-pinned", "provenance.source"})
"""Those of them that must have succeeded: level 1 is about who built, from what. A warning is not enough."""

_ISOLATION: Final = "slsa.level"
"""What looks, for level 3, at the isolation and the keys that a build records (slsa.rego)."""

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
    level = _earned(decision)
    return [f"SLSA_BUILD_LEVEL_{level}" if level else BUILD_LEVEL_UNEVALUATED]


def _earned(decision: Decision) -> int:
    """Give the build level, 0 to 3, that the provenance reaches and the rules bear out."""
    found: dict[str, set[Status]] = {}
    for result in decision.results:
        found.setdefault(result.code, set()).add(result.status)
    stood = any(item.predicate_type == PROVENANCE for item in decision.inputs)
    about = {code: statuses for code, statuses in found.items() if code.startswith("provenance.")}
    failed = any(statuses & {Status.VIOLATION, Status.ERROR, Status.WAIVED} for statuses in about.values())
    unjudged = any(Status.SKIPPED in about.get(code, {Status.SKIPPED}) for code in _JUDGED)
    held = all(about.get(code) == {Status.SUCCESS} for code in _HELD)
    if not stood or failed or unjudged or not held:
        return 0
    return decision.build_level if found.get(_ISOLATION) == {Status.SUCCESS} else min(decision.build_level, 2)


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
