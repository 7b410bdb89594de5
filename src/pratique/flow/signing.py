"""Keys that people name on the command line: opening them, and whether what they sign can count here."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NoReturn

from pratique.errors import PolicyRefusedError, UsageError
from pratique.trust.authority.folder import LOG
from pratique.trust.signers.port import AskSecret, Secret, Surroundings
from pratique.trust.signers.table import open_key, open_log_key, open_signer

if TYPE_CHECKING:
    from pratique.flow.workspace import Workspace
    from pratique.model.clock import Clock
    from pratique.trust.authority.init import OpenKey
    from pratique.trust.identity import EnrolledKey
    from pratique.trust.signers.port import Signer


def surroundings(workspace: Workspace, ask: AskSecret) -> Surroundings:
    """Give what signers need of the world: this workspace's authority, and this process's environment."""
    authority = workspace.authority
    return Surroundings(ask, authority.timestamp, authority.signer, os.environ, time.sleep, workspace.clock)


def nobody_to_ask(secret: Secret) -> bytes:
    """Say that there is nobody to ask for a secret."""
    raise UsageError(f"{secret.of} needs its {secret.kind}, and there is nobody to ask")


def key_opener(ask: AskSecret, clock: Clock) -> OpenKey:
    """Give what opens the authority's own keys where they are elsewhere: nothing else is there yet to use."""

    def nothing(_: object) -> NoReturn:
        raise UsageError("a key of the authority itself cannot be opened by the authority")

    world = Surroundings(ask, nothing, nothing, os.environ, time.sleep, clock)
    return lambda name, uri: open_log_key(uri, world) if name == LOG else open_key(uri, world)


def person_signer(workspace: Workspace, key: str, ask: AskSecret) -> tuple[Signer, EnrolledKey]:
    """Open a person's own key, and give the person's enrolment with it.

    Args:
        workspace: the state directory.
        key: a file, or a key URI (docs/signing.md).
        ask: gives passphrases and PINs.

    Raises:
        UsageError: no such kind of key.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds the key does not answer.
        PolicyRefusedError: the key is nobody's here, so what it signs could not count.
    """
    signer = open_signer(key, surroundings(workspace, ask))
    known = workspace.community.keys.get(signer.identity.subject) if signer.identity.kind == "key" else None
    if known is None or not known.valid_at(workspace.clock()):
        raise _not_enrolled(key, signer)
    return signer, known


def claim_signer(workspace: Workspace, key: str, ask: AskSecret) -> Signer:
    """Open who makes a claim: a person enrolled, or a role of the embedded authority.

    Raises:
        UsageError: no such kind of key.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds the key does not answer.
        PolicyRefusedError: the key is nobody's here, so what it signs could not count.
    """
    signer = open_signer(key, surroundings(workspace, ask))
    if signer.identity.kind == "key":
        known = workspace.community.keys.get(signer.identity.subject)
        if known is None or not known.valid_at(workspace.clock()):
            raise _not_enrolled(key, signer)
    return signer


def _not_enrolled(key: str, signer: Signer) -> PolicyRefusedError:
    if signer.identity.kind != "key":
        return PolicyRefusedError(
            f"{key}: {signer.identity} is not a person", hint="people sign with keys of their own: --key FILE"
        )
    return PolicyRefusedError(
        f"{key}: key {signer.identity.subject[:16]} is not enrolled now, so what it signs cannot count",
        hint="an administrator enrols it: pratique trust enrol NAME"
        f" --key {key}.pub --email ADDRESS --role ROLE",
    )
