"""Signers: what turns a statement into everything of a bundle but the log's part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.errors import MalformedError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import Signed, key_id_of
from pratique.trust.envelope import pae
from pratique.trust.identity import Identity
from pratique.trust.keys import spki

if TYPE_CHECKING:
    from pratique.trust.statement import Statement

MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
"""Leaves room in a bundle (`trust.bundle.MAX_BUNDLE_BYTES`) for base64 and proofs."""

Timestamper = Callable[[bytes], bytes]
"""Takes a signature, gives a DER RFC 3161 response over it."""

Issuer = Callable[[Identity, ec.EllipticCurvePublicKey], bytes]
"""Takes an identity that the caller has established and a fresh key, gives a DER certificate."""


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
        """
        ...


class KeySigner:
    """Signs with a person's own P-256 key; verifiers know the key by its enrolment."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, timestamp: Timestamper) -> None:
        self._private_key = private_key
        self._timestamp = timestamp
        self._spki = spki(private_key.public_key())

    @property
    def identity(self) -> Identity:
        """The key, by its id."""
        return Identity("key", key_id_of(self._spki))

    def sign(self, statement: Statement) -> Signed:
        """See `Signer.sign`."""
        return _sign(self._private_key, statement, self._timestamp, public_key=self._spki)


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
        return _sign(private_key, statement, self._timestamp, certificate=certificate)


def _sign(
    key: ec.EllipticCurvePrivateKey,
    statement: Statement,
    timestamp: Timestamper,
    *,
    certificate: bytes | None = None,
    public_key: bytes | None = None,
) -> Signed:
    payload = statement.encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise MalformedError(f"a statement of {len(payload)} bytes, more than the {MAX_PAYLOAD_BYTES} signed")
    signature = key.sign(pae(PAYLOAD_TYPE, payload), ec.ECDSA(hashes.SHA256()))
    return Signed(payload, PAYLOAD_TYPE, signature, certificate, public_key, timestamp(signature))
