"""Claims that people sign with their own keys, and looking at one piece of evidence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError, UsageError
from pratique.flow.signing import claim_signer
from pratique.model.known_predicates import check_predicate
from pratique.model.predicate import (
    APPROVAL,
    AUDIT_SEAL,
    DEPLOYMENT,
    ENROLMENT,
    IMPORTED,
    ISSUANCE,
    POLICY_RELEASE,
    PROVENANCE,
    REBUILD,
    RUNNER_BASELINE,
    RUNNER_POSTURE,
    SHORT_NAMES,
    VSA,
    WAIVER,
)
from pratique.trust.revocation import refuse_revoked
from pratique.trust.signers.sigstore import Keyless
from pratique.trust.signers.uri import parse_key_uri
from pratique.trust.statement import Statement
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.trust.signers.port import AskSecret
    from pratique.trust.statement import Subject

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-~]{1,500}\Z")
_BY_THE_PIPELINE = frozenset(
    {
        PROVENANCE,
        VSA,
        RUNNER_POSTURE,
        RUNNER_BASELINE,
        REBUILD,
        DEPLOYMENT,
        AUDIT_SEAL,
        WAIVER,
        ISSUANCE,
        IMPORTED,
    }
)
_MADE_BY = {
    ENROLMENT: "an administrator runs: pratique trust enrol",
    APPROVAL: "pratique approve --key FILE",
    POLICY_RELEASE: "pratique policy bundle DIR --key FILE",
}


def make_claim(subjects: Sequence[Subject], predicate_type: str, body: dict[str, Any]) -> Statement:
    """Put a claim together, checked as far as its type is known (pure).

    Args:
        subjects: what it is about.
        predicate_type: a short name or a type URI.
        body: the predicate.

    Raises:
        UsageError: neither a short name nor a URI, a claim that is made by another command, or a predicate
            that does not fit its type.
    """
    uri = SHORT_NAMES.get(predicate_type, predicate_type)
    if not _URI.match(uri):
        raise UsageError(
            f"no predicate type is called {predicate_type!r}",
            hint=f"a URI, or one of: {', '.join(sorted(SHORT_NAMES))}",
        )
    if uri in _MADE_BY:
        raise UsageError(f"a claim of type {predicate_type} is not made by hand", hint=_MADE_BY[uri])
    try:
        check_predicate(uri, body)
    except MalformedError as error:
        raise UsageError(error.message, hint="its specification says what belongs where") from error
    return Statement(tuple(subjects), uri, body)


def attest(workspace: Workspace, claim: Statement, key: str, ask: AskSecret) -> Digest:
    """Sign a claim with an enrolled person's key, or as a role, and journal it; policy says if it counts.

    Args:
        workspace: the state directory.
        claim: what is claimed.
        key: a file, or a key URI.
        ask: gives passphrases and PINs.

    Raises:
        PolicyRefusedError: the key is nobody's here, so nobody could verify what it signs.
        UsageError: what the pipeline makes itself is not claimed by hand in a role's name.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds the key does not answer.
    """
    signer = claim_signer(workspace, key, ask)
    if signer.identity.kind == "certificate" and claim.predicate_type in _BY_THE_PIPELINE:
        raise UsageError(
            f"{key}: a role makes claims of this type by doing the work, not by hand",
            hint="people claim things with keys of their own: --key FILE",
        )
    return workspace.append(signer, claim.predicate_type, claim.predicate, claim.subjects).digest


def attest_keyless(claim: Statement, key: str, environ: Mapping[str, str]) -> bytes:
    """Have a Sigstore instance sign a claim, and give its bundle; see `trust.signers.sigstore`."""
    return Keyless(parse_key_uri(key).rest, environ).statement(claim)


class Examined(msgspec.Struct, frozen=True):
    """A bundle that verified, and whether it is in this journal."""

    verified: Verified
    journalled: bool


def examine(workspace: Workspace, data: bytes, *, what: str) -> Examined:
    """Verify a bundle against the trust root, the people enrolled, and what was revoked.

    Raises:
        EvidenceInvalidError: it does not verify, or rests on what was revoked; the message names it.
    """
    keys = workspace.community.keys
    try:
        refuse_revoked(data, workspace.root, workspace.revocations)
        verified = verify_bundle(data, workspace.root, keys=keys)
    except EvidenceInvalidError as error:
        raise type(error)(f"{what}: {error.message}", hint=error.hint) from error
    return Examined(verified, workspace.blobs.has(verified.digest))
