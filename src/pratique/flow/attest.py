"""Claims that people sign with their own keys, and looking at one piece of evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import UsageError
from pratique.flow.consent import key_signer
from pratique.model.predicate import SHORT_NAMES
from pratique.trust.statement import Subject
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.flow.artifact import Artifact
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest


def attest(
    workspace: Workspace,
    artifact: Artifact,
    *,
    predicate_type: str,
    body: dict[str, Any],
    key_file: Path,
    passphrase_for: Callable[[Path], bytes],
) -> Digest:
    """Sign a claim with a person's key and journal it; whether it counts is for policy.

    Args:
        workspace: the state directory.
        artifact: what the claim is about.
        predicate_type: a short name or a type URI.
        body: the predicate.
        key_file: the person's private key.
        passphrase_for: asked where it is encrypted.

    Raises:
        UsageError: neither a short name nor a URI.
        ConfigError: the key cannot be used.
    """
    uri = SHORT_NAMES.get(predicate_type, predicate_type)
    if "://" not in uri:
        raise UsageError(
            f"no predicate type is called {predicate_type!r}",
            hint=f"a URI, or one of: {', '.join(sorted(SHORT_NAMES))}",
        )
    signer = key_signer(workspace, key_file, passphrase_for)
    return workspace.append(signer, uri, body, [Subject(artifact.name, artifact.digest.digest_set)]).digest


class Examined(msgspec.Struct, frozen=True):
    """A bundle that verified, and whether it is in this journal."""

    verified: Verified
    journalled: bool


def examine(workspace: Workspace, data: bytes) -> Examined:
    """Verify a bundle against the trust root and the people enrolled.

    Raises:
        EvidenceInvalidError: it does not verify; the message names the step.
    """
    verified = verify_bundle(data, workspace.root, keys=workspace.community.keys)
    return Examined(verified, workspace.blobs.has(verified.digest))
