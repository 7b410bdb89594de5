"""Who may do what in a registry (pure): clients by a token, of which only the SHA-256 is kept.

Tokens are long and random, so a fast hash is enough; a client sends its token as a password (Basic, with its
name) or as it is (Bearer). Without clients configured everybody may do everything: for loopback alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from pratique.server.registry.problem import Problem, RegistryError

Action = Literal["pull", "push", "delete"]


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[clients]]`: who may do what.

    Attributes:
        name: the user name.
        token_sha256: SHA-256 of the token, in hex.
        may: what it may do.
        repositories: where, as patterns with `*`.
    """

    name: str
    token_sha256: str
    may: tuple[Action, ...] = ("pull",)
    repositories: tuple[str, ...] = ("*",)

    def allows(self, action: Action, repository: str) -> bool:
        """Say whether it may do something there; without a repository whether it may ask at all."""
        return action in self.may and (
            not repository or any(fnmatchcase(repository, pattern) for pattern in self.repositories)
        )


def check_access(
    clients: tuple[Client, ...], anonymous: tuple[Action, ...], header: str, action: Action, repository: str
) -> None:
    """See whether a request is allowed.

    Args:
        clients: who is known; none for a registry that asks nobody.
        anonymous: what somebody without a token may do.
        header: the Authorization header, or nothing.
        action: what is asked for.
        repository: where; empty for the registry itself.

    Raises:
        RegistryError: the token is unknown, or one is needed, or it is not enough.
    """
    if not clients:
        return
    if not header:
        if action in anonymous:
            return
        raise _asked("a token is needed")
    client = _client(clients, header)
    if client is None:
        raise _asked("the token is not known")
    if not client.allows(action, repository) and action not in anonymous:
        raise RegistryError(Problem.DENIED, f"{client.name} may not {action} here")


def _asked(message: str) -> RegistryError:
    return RegistryError(
        Problem.UNAUTHORIZED,
        message,
        headers={"WWW-Authenticate": 'Basic realm="pratique registry", charset="UTF-8"'},
    )


def _client(clients: tuple[Client, ...], header: str) -> Client | None:
    scheme, _, value = header.partition(" ")
    name = None
    if scheme.lower() == "basic":
        try:
            name, _, value = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
    elif scheme.lower() != "bearer":
        return None
    digest = hashlib.sha256(value.strip().encode()).hexdigest()
    known = None
    for client in clients:  # all of them, so that the time says nothing
        if hmac.compare_digest(client.token_sha256, digest) and name in {None, client.name}:
            known = client
    return known
