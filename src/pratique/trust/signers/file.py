"""`file:PATH`: a P-256 key in PKCS#8 PEM, mode 0600, encrypted or not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from pratique.trust.keys import load_private_key, read_private_file, spki
from pratique.trust.signers.port import Secret

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri


class LocalKey:
    """A P-256 key in this process's memory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, where: str = "a key in memory") -> None:
        self._key = key
        self.where = where
        self.public_key = spki(key.public_key())

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        return self._key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256())))


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Load a key file; an encrypted one asks for its passphrase (I/O).

    Raises:
        ConfigError: no such file, one that others can touch, another kind of key, or a wrong passphrase.
    """
    path = Path(uri.rest)
    encrypted = b"BEGIN ENCRYPTED PRIVATE KEY" in read_private_file(path)
    passphrase = world.ask(Secret("passphrase", str(path))) if encrypted else None
    return LocalKey(load_private_key(path, passphrase), str(uri))
