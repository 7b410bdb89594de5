"""The modules that are mutated, and the test files that have to notice."""

from __future__ import annotations

from typing import Final

_POLICY: Final = "tests/unit/policy"
_JUDGED: Final = tuple(
    f"{_POLICY}/test_{name}.py" for name in ("expectations", "standing", "witnessed", "odd_shapes")
)
_ORGANISATION: Final = f"{_POLICY}/test_organisation.py"
_WAIVERS: Final = (f"{_POLICY}/test_waivers.py",)
_TRUST: Final = "tests/unit/trust"
_ACCEPTANCE: Final = (f"{_TRUST}/test_acceptance.py",)
_DEPLOY: Final = "tests/unit/deploy"

TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "pratique.trust.pattern": (f"{_TRUST}/test_pattern.py",),
    "pratique.trust.acceptance": _ACCEPTANCE,
    "pratique.trust.acceptance_file": _ACCEPTANCE,
    "pratique.trust.verify": (
        f"{_TRUST}/test_verify.py",
        f"{_TRUST}/test_verify_detached.py",
        f"{_TRUST}/test_verify_entity.py",
        f"{_TRUST}/test_root.py",
        "tests/vectors/trust/test_others_bundles.py",
    ),
    "pratique.trust.revocation": (
        f"{_TRUST}/test_revocation.py",
        f"{_TRUST}/test_revocation_entity.py",
        "tests/unit/flow/test_revoke.py",
    ),
    "pratique.policy.build_facts": _JUDGED,
    "pratique.policy.expectations": _JUDGED,
    "pratique.policy.owed": _JUDGED,
    "pratique.policy.requirements": (*_JUDGED, _ORGANISATION),
    "pratique.policy.standing": _JUDGED,
    "pratique.policy.witnessed": (f"{_POLICY}/test_witnessed.py",),
    "pratique.policy.strictness": (_ORGANISATION,),
    "pratique.policy.organisation": (_ORGANISATION,),
    "pratique.policy.gate": (f"{_POLICY}/test_gate.py", f"{_POLICY}/test_decision_document.py"),
    "pratique.policy.waivers.judge": _WAIVERS,
    "pratique.policy.waivers.person": _WAIVERS,
    "pratique.policy.waivers.waiver": _WAIVERS,
    "pratique.deploy.quorum": (f"{_DEPLOY}/test_quorum.py", f"{_DEPLOY}/test_consent.py"),
    "pratique.deploy.consent": (f"{_DEPLOY}/test_consent.py",),
}


def file_of(test: str) -> str:
    """Give the file of a test's id."""
    return test.partition("::")[0]
