"""Keys of this house as python-tuf signs and verifies with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from securesystemslib.signer import Key, Signature, Signer, SSlibKey

from pratique.trust.keys import load_p256_spki
from pratique.trust.signers.port import sign

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle


class HandleSigner(Signer):
    """Signs TUF metadata with a key wherever it lives (scheme `ecdsa-sha2-nistp256`)."""

    def __init__(self, handle: KeyHandle) -> None:
        self._handle = handle
        self._key = SSlibKey.from_crypto(load_p256_spki(handle.public_key))

    @property
    def public_key(self) -> Key:
        """The public half, with the key id that metadata names it by."""
        return self._key

    def sign(self, payload: bytes) -> Signature:
        """Sign metadata's canonical bytes.

        Raises:
            ConfigError: the key cannot be used as it was named.
            InfrastructureError: what holds the key does not answer.
        """
        return Signature(self._key.keyid, sign(self._handle, payload).hex())

    @classmethod
    def from_priv_key_uri(cls, *_: Any, **__: Any) -> NoReturn:
        """Keys are opened by `trust.signers.table` alone."""
        raise NotImplementedError
