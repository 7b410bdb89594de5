"""Public keys as DER SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).

Those of the two kinds that nearly everything is signed with have one spelling: a fixed beginning, then the
key. `cryptography` has a loader for all of them; importing it takes a fifth of the time in which a process
verifies one bundle, so it is left to the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

_P256: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_UNCOMPRESSED: Final = b"\x04"
_P256_BYTES: Final = 32
_POINT_BYTES: Final = 1 + 2 * _P256_BYTES
_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
_ED25519_BYTES: Final = 32


def decode_spki(der: bytes) -> PublicKeyTypes:
    """Read a public key of any kind, in any spelling.

    Raises:
        ValueError: not a public key.
        UnsupportedAlgorithm: a kind that is not known.
    """
    key = der[len(_P256) :]
    if der.startswith(_P256) and len(key) == _POINT_BYTES and key.startswith(_UNCOMPRESSED):
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), key)
    key = der[len(_ED25519) :]
    if der.startswith(_ED25519) and len(key) == _ED25519_BYTES:
        return Ed25519PublicKey.from_public_bytes(key)
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415 - see above

    return load_der_public_key(der)


def encode_spki(key: PublicKeyTypes) -> bytes:
    """Write a public key."""
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        numbers = key.public_numbers()
        x, y = (number.to_bytes(_P256_BYTES, "big") for number in (numbers.x, numbers.y))
        return _P256 + _UNCOMPRESSED + x + y
    if isinstance(key, Ed25519PublicKey):
        return _ED25519 + key.public_bytes_raw()
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
        Encoding,
        PublicFormat,
    )

    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
