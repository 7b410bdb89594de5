"""Publishing a policy: one archive, its signature in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.flow.policy_archive import Kind, Packed, make_artifact, pack
from pratique.flow.signing import person_signer
from pratique.model.predicate import POLICY_RELEASE
from pratique.policy.distribution.release import PolicyRelease, parse_release
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.flow.workspace import Workspace
    from pratique.trust.signers.port import AskSecret

ROLE: Final = "administrator"


class Made(msgspec.Struct, frozen=True):
    """A release just made: the archive, and whose signature it carries, written as a pattern."""

    archive: bytes
    signer: str


def make_release(
    workspace: Workspace,
    policy: bytes,
    kind: Kind,
    *,
    name: str,
    version: str,
    expires: datetime,
    key: str | None,
    ask: AskSecret,
) -> Made:
    """Sign a release, and journal the signature.

    Args:
        workspace: the state directory.
        policy: a bundle's canonical JSON, or an organisation's file.
        kind: which of the two.
        name: what the policy is called.
        version: which of its versions this is.
        expires: its last moment.
        key: an enrolled person's key, a file or a key URI; None for the state directory's own administrator.
        ask: gives passphrases and PINs.

    Raises:
        UsageError: no name or version, or it would be expired at once.
        PolicyRefusedError: the key is nobody's here.
        ConfigError: the key cannot be used.
    """
    now = workspace.clock()
    if expires <= now:
        raise UsageError(
            "the release would be expired before anybody can use it", hint="--expires 2027-06-30"
        )
    predicate = PolicyRelease(name=name, version=version, expires=expires).to_predicate()
    try:
        release = parse_release(predicate)
    except MalformedError as error:
        raise UsageError(error.message, hint=error.hint) from error
    signer = workspace.authority.signer(ROLE) if key is None else person_signer(workspace, key, ask)[0]
    artifact = make_artifact(policy, release, kind)
    suffix = kind.layer.rpartition("+")[2]
    subjects = [
        Subject(f"{name}.{suffix}", artifact.policy.digest.digest_set),
        Subject(f"{name} (OCI manifest)", artifact.descriptor.digest.digest_set),
    ]
    workspace.blobs.put(policy)
    recorded = workspace.append(signer, POLICY_RELEASE, predicate, subjects)
    signature = workspace.journal.get(recorded.digest)
    who = signer.identity
    return Made(
        pack(Packed(artifact=artifact, policy=policy, signature=signature)),
        who.subject if who.kind == "certificate" else f"key:sha256:{who.subject}",
    )
