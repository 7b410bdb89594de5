"""Public keys that a user trusts, and which of them a piece of evidence may mean."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.trust.encoding import b64encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.trust.publickey import PublicKey


class KeyRing(msgspec.Struct, frozen=True):
    """Keys that were given, each once.

    Attributes:
        keys: the keys, in the order given.
        by_hint: the same keys by each of their names.
    """

    keys: tuple[PublicKey, ...] = ()
    by_hint: dict[str, PublicKey] = {}

    def candidates(self, hint: str | None) -> tuple[PublicKey, ...]:
        """Give the keys that may have signed: the one that the hint names, else all of them.

        A hint is not signed, so that it may only speed things up: what it names wrongly fails to verify.
        """
        if hint and hint in self.by_hint:
            return (self.by_hint[hint],)
        return () if hint and hint.startswith("SHA256:") else self.keys


def make_keyring(keys: Iterable[PublicKey]) -> KeyRing:
    """Collect keys under the names that tools give them.

    Hex SHA-256 of the SubjectPublicKeyInfo (here); its base64, with padding (cosign) or as `SHA256:` without
    (npm); hex SHA-256 of the PEM text (Witness).
    """
    unique = {key.key_id: key for key in keys}
    names: dict[str, PublicKey] = {}
    for key in unique.values():
        digest = sha256(key.spki).digest()
        pem = key.key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for name in (
            digest.hex(),
            b64encode(digest),
            f"SHA256:{b64encode(digest).rstrip('=')}",
            sha256(pem).hexdigest(),
        ):
            names[name] = key
    return KeyRing(tuple(unique.values()), names)
