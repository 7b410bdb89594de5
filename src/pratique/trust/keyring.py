"""Public keys that a user trusts, and which of them a piece of evidence may mean."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from pratique.trust.encoding import b64encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pratique.trust.publickey import PublicKey


class KeyRing(msgspec.Struct, frozen=True):
    """Keys that were given, each once.

    Attributes:
        keys: the keys, in the order given.
        by_hint: the same keys by each of their names.
    """

    keys: tuple[PublicKey, ...] = ()
    by_hint: dict[str, PublicKey] = {}

    def named(self, hint: str | None) -> PublicKey | None:
        """Give the key that a hint names, or None; a hint is not signed, and proves nothing."""
        return self.by_hint.get(hint) if hint else None


def make_keyring(keys: Iterable[PublicKey], names: Mapping[str, PublicKey] | None = None) -> KeyRing:
    """Collect keys under the names that tools give them.

    Hex SHA-256 of the SubjectPublicKeyInfo (here); its base64 (cosign); hex SHA-256 of the PEM (Witness).

    Args:
        keys: the keys; one given twice is there once.
        names: further names, as the owner of the keys publishes them (npm).
    """
    unique = {key.key_id: key for key in keys}
    names = dict(names or {})
    for key in unique.values():
        digest, pem = sha256(key.spki).digest(), _pem(key)
        for name in (
            digest.hex(),
            b64encode(digest),
            sha256(pem).hexdigest(),
        ):
            names[name] = key
    return KeyRing(tuple(unique.values()), names)


def _pem(key: PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see trust.spki
        Encoding,
        PublicFormat,
    )

    return key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
