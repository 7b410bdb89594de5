"""Signing statements: a key of somebody's own, or a fresh key with a short-lived certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import MalformedError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import Signed, key_id_of
from pratique.trust.envelope import pae
from pratique.trust.identity import Identity
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.port import KeyHandle, Timestamper, sign

if TYPE_CHECKING:
    from pratique.trust.statement import Statement

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
"""Leaves room in a bundle (`trust.bundle.MAX_BUNDLE_BYTES`) for base64 and proofs."""

Issuer = Callable[[Identity, ec.EllipticCurvePublicKey], bytes]
"""Takes an identity that the caller has established and a fresh key, gives a DER certificate."""


class KeySigner:
    """Signs with a P-256 key that is somebody's own; verifiers know the key by its enrolment."""

    def __init__(self, key: KeyHandle, timestamp: Timestamper) -> None:
        self._key = key
        self._timestamp = timestamp

    @property
    def identity(self) -> Identity:
        """The key, by its id."""
        return Identity("key", key_id_of(self._key.public_key))

    def sign(self, statement: Statement) -> Signed:
        """See `Signer.sign`."""
        return sign_statement(self._key, statement, self._timestamp)


class CertificateSigner:
    """Signs as an identity of a certificate authority, with a fresh key and certificate per signature.

    The key is forgotten right after its one use, so there is none to steal or to revoke.
    """

    def __init__(self, identity: Identity, issue: Issuer, timestamp: Timestamper) -> None:
        self._identity = identity
        self._issue = issue
        self._timestamp = timestamp

    @property
    def identity(self) -> Identity:
        """The certificate's subject and issuer."""
        return self._identity

    def sign(self, statement: Statement) -> Signed:
        """See `Signer.sign`."""
        private_key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._issue(self._identity, private_key.public_key())
        return sign_statement(LocalKey(private_key), statement, self._timestamp, certificate=certificate)


def sign_statement(
    key: KeyHandle, statement: Statement, timestamp: Timestamper, *, certificate: bytes | None = None
) -> Signed:
    """Sign and timestamp a statement with a key, as the DER certificate given or as the key itself.

    Raises:
        MalformedError: the statement has no signable form.
        ConfigError: see `KeyHandle.sign_digest`; likewise InfrastructureError.
    """
    payload = payload_of(statement)
    signature = sign(key, pae(PAYLOAD_TYPE, payload))
    public_key = key.public_key if certificate is None else None
    return Signed(payload, PAYLOAD_TYPE, signature, certificate, public_key, timestamp(signature))


def payload_of(statement: Statement) -> bytes:
    """Give the bytes to sign.

    Raises:
        MalformedError: the statement has no signable form, or one that is too long.
    """
    payload = statement.encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MalformedError(f"a statement of {len(payload)} bytes, more than the {MAX_PAYLOAD_BYTES} signed")
    return payload
