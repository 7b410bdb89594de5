"""Claims that people sign with their own keys, and looking at one piece of evidence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.signing import person_signer
from pratique.model.predicate import APPROVAL, ENROLMENT, POLICY_RELEASE, SHORT_NAMES
from pratique.trust.statement import Subject
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from pratique.flow.artifact import Artifact
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest
    from pratique.trust.signers.port import AskSecret

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-~]{1,500}\Z")
_MADE_BY = {
    ENROLMENT: "an administrator runs: pratique trust enrol",
    APPROVAL: "pratique approve --key FILE",
    POLICY_RELEASE: "pratique policy bundle DIR --key FILE",
}


def attest(
    workspace: Workspace,
    artifact: Artifact,
    *,
    predicate_type: str,
    body: dict[str, Any],
    key: str,
    ask: AskSecret,
) -> Digest:
    """Sign a claim with an enrolled person's key and journal it; whether it counts is for policy.

    Args:
        workspace: the state directory.
        artifact: what the claim is about.
        predicate_type: a short name or a type URI.
        body: the predicate.
        key: the person's private key: a file, or a key URI.
        ask: gives passphrases and PINs.

    Raises:
        UsageError: neither a short name nor a URI, or a claim that is made by another command.
        PolicyRefusedError: the key is nobody's here, so nobody could verify what it signs.
        ConfigError: the key cannot be used.
    """
    uri = SHORT_NAMES.get(predicate_type, predicate_type)
    if not _URI.match(uri):
        raise UsageError(
            f"no predicate type is called {predicate_type!r}",
            hint=f"a URI, or one of: {', '.join(sorted(SHORT_NAMES))}",
        )
    if uri in _MADE_BY:
        raise UsageError(f"a claim of type {predicate_type} is not made by hand", hint=_MADE_BY[uri])
    signer, _ = person_signer(workspace, key, ask)
    return workspace.append(signer, uri, body, [Subject(artifact.name, artifact.digest.digest_set)]).digest


class Examined(msgspec.Struct, frozen=True):
    """A bundle that verified, and whether it is in this journal."""

    verified: Verified
    journalled: bool


def examine(workspace: Workspace, data: bytes, *, what: str) -> Examined:
    """Verify a bundle against the trust root and the people enrolled.

    Raises:
        EvidenceInvalidError: it does not verify; the message names it, as `what`, and the step.
    """
    keys = workspace.community.keys
    try:
        verified = verify_bundle(data, workspace.root, keys=keys)
    except EvidenceInvalidError as error:
        raise type(error)(f"{what}: {error.message}", hint=error.hint) from error
    return Examined(verified, workspace.blobs.has(verified.digest))
