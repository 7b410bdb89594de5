"""The two ports of signing: a private key wherever it lives, and who signs statements with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pratique.errors import InfrastructureError
from pratique.trust.keys import load_p256_spki

if TYPE_CHECKING:
    from pratique.model.clock import Clock
    from pratique.trust.bundle import Signed
    from pratique.trust.identity import Identity
    from pratique.trust.statement import Statement

Timestamper = Callable[[bytes], bytes]
"""Takes a signature, gives a DER RFC 3161 response over it."""


class KeyHandle(Protocol):
    """A P-256 private key: in a file, a token, a TPM, a key service. The lowest layer of signing.

    Whoever opens a handle has made sure that the key is there and is P-256, and knows its public half. A
    handle keeps no session open between calls, so that a token pulled out or a service restarted hurts one
    call alone; what may be repeated is repeated a bounded number of times inside. Handles may be shared
    between threads. Use `sign` rather than `sign_digest`: it also checks what came back.
    """

    @property
    def where(self) -> str:
        """Names the key in messages, as its URI without anything secret."""
        ...

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a SHA-256 digest (32 bytes) with ECDSA and give the DER signature (FIPS 186-5 §6.4.1).

        Raises:
            ConfigError: wrong PIN, passphrase or permission; a key disabled or gone.
            InfrastructureError: the token, agent or service does not answer, or not in time.
        """
        ...


class LogKeyHandle(Protocol):
    """An Ed25519 private key that is elsewhere, as a log signs its tree heads with. Otherwise as `KeyHandle`.

    Ed25519 signs the message, not a digest of it (RFC 8032 §5.1): the whole of it goes to where the key is.
    """

    @property
    def where(self) -> str:
        """Names the key in messages, as its URI without anything secret."""
        ...

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        ...

    def sign_message(self, message: bytes) -> bytes:
        """Sign a message and give the 64 bytes of the signature.

        Raises:
            ConfigError: wrong PIN or permission; a key disabled or gone.
            InfrastructureError: the token or service does not answer, or not in time.
        """
        ...


class Signer(Protocol):
    """Signs statements as one identity."""

    @property
    def identity(self) -> Identity:
        """Who signs, exactly as verification will report it."""
        ...

    def sign(self, statement: Statement) -> Signed:
        """Sign and timestamp a statement; nothing is logged or stored.

        Raises:
            MalformedError: the statement has no signable form.
            ConfigError: the key cannot be used as it was named.
            InfrastructureError: what holds the key does not answer.
        """
        ...


class Secret(NamedTuple):
    """A secret that somebody has to give: what kind it is, and what it opens."""

    kind: Literal["passphrase", "PIN"]
    of: str


AskSecret = Callable[[Secret], bytes]
"""Asks for a secret, on the terminal or from a file; never kept, logged or put into a command line."""


class Surroundings(NamedTuple):
    """What signers need of the world.

    Attributes:
        ask: gives secrets.
        timestamp: the timestamp authority.
        role_signer: signs as a role of the embedded authority.
        environ: environment variables (tokens, sockets, addresses).
        sleep: waits a number of seconds between attempts.
        clock: the time.
    """

    ask: AskSecret
    timestamp: Timestamper
    role_signer: Callable[[str], Signer]
    environ: Mapping[str, str]
    sleep: Callable[[float], None]
    clock: Clock


def sign(key: KeyHandle, data: bytes) -> bytes:
    """Sign bytes with ECDSA P-256 and SHA-256, and check the signature before it goes anywhere.

    Raises:
        InfrastructureError: what holds the key gave something that does not verify under its public key.
        ConfigError: see `KeyHandle.sign_digest`.
    """
    return sign_hashed(key, sha256(data).digest())


def sign_hashed(key: KeyHandle, digest: bytes) -> bytes:
    """Sign as `sign`, where only the SHA-256 of the bytes is at hand.

    Raises:
        InfrastructureError: see `sign`.
        ConfigError: see `KeyHandle.sign_digest`.
    """
    signature = key.sign_digest(digest)
    try:
        load_p256_spki(key.public_key).verify(signature, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature as error:
        raise InfrastructureError(
            f"{key.where}: what it signed does not verify under its own public key",
            hint="the token or service is faulty, or its key was exchanged meanwhile: try again",
        ) from error
    return signature
