"""Predicate type URIs: what kind of claim a statement makes (in-toto Attestation Framework v1)."""

from __future__ import annotations

from typing import Final

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"

_OWN: Final = "https://pratique.dev/predicate"

PROVENANCE: Final = "https://slsa.dev/provenance/v1"
VSA: Final = "https://slsa.dev/verification_summary/v1"
SBOM: Final = "https://cyclonedx.org/bom"
VULNS: Final = "https://in-toto.io/attestation/vulns/v0.2"
VEX: Final = "https://openvex.dev/ns"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
SVR: Final = "https://in-toto.io/attestation/svr/v0.1"
SCAI: Final = "https://in-toto.io/attestation/scai/v0.3"
RUNTIME_TRACE: Final = "https://in-toto.io/attestation/runtime-trace/v0.1"
RELEASE: Final = "https://in-toto.io/attestation/release/v0.1"
REFERENCE: Final = "https://in-toto.io/attestation/reference/v0.1"
SPDX: Final = "https://spdx.dev/Document"
RUNNER_POSTURE: Final = f"{_OWN}/runner-posture/v1"
RUNNER_BASELINE: Final = f"{_OWN}/runner-baseline/v1"
REBUILD: Final = f"{_OWN}/rebuild/v1"
APPROVAL: Final = f"{_OWN}/approval/v1"
DEPLOYMENT: Final = f"{_OWN}/deployment/v1"
ENROLMENT: Final = f"{_OWN}/enrolment/v1"
AUDIT_SEAL: Final = f"{_OWN}/audit-seal/v1"
WAIVER: Final = f"{_OWN}/waiver/v1"
POLICY_RELEASE: Final = f"{_OWN}/policy-release/v1"
ISSUANCE: Final = f"{_OWN}/issuance/v1"
ROOT_ROTATION: Final = f"{_OWN}/root-rotation/v1"
REVOCATION: Final = f"{_OWN}/revocation/v1"
IMPORTED: Final = f"{_OWN}/imported-evidence/v1"
TEE_RESULT: Final = f"{_OWN}/tee-result/v1"

SHORT_NAMES: Final = {
    "provenance": PROVENANCE,
    "vsa": VSA,
    "sbom": SBOM,
    "vulns": VULNS,
    "vex": VEX,
    "test-result": TEST_RESULT,
    "svr": SVR,
    "scai": SCAI,
    "runtime-trace": RUNTIME_TRACE,
    "release": RELEASE,
    "reference": REFERENCE,
    "spdx": SPDX,
    "runner-posture": RUNNER_POSTURE,
    "runner-baseline": RUNNER_BASELINE,
    "rebuild": REBUILD,
    "approval": APPROVAL,
    "deployment": DEPLOYMENT,
    "enrolment": ENROLMENT,
    "audit-seal": AUDIT_SEAL,
    "waiver": WAIVER,
    "policy-release": POLICY_RELEASE,
    "issuance": ISSUANCE,
    "root-rotation": ROOT_ROTATION,
    "revocation": REVOCATION,
    "imported-evidence": IMPORTED,
    "tee-result": TEE_RESULT,
}
_BY_URI: Final = {uri: name for name, uri in SHORT_NAMES.items()}


def short_name(predicate_type: str) -> str:
    """Give the name people use for a predicate type, or the URI itself when it is not one of ours."""
    return _BY_URI.get(predicate_type, predicate_type)
