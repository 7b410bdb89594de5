"""Our short way with public keys against `cryptography`'s own loader and writer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from hypothesis import example, given
from hypothesis import strategies as st

from pratique.trust.spki import decode_spki, encode_spki

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

KEYS: list[PublicKeyTypes] = [
    *(ec.derive_private_key(n, ec.SECP256R1()).public_key() for n in (1, 2, 3, 2**200 + 1)),
    ec.derive_private_key(5, ec.SECP384R1()).public_key(),
    Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key(),
    rsa.generate_private_key(65537, 2048).public_key(),
]
POINT = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def library(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("key", KEYS)
def test_writes_as_the_library_does(key: PublicKeyTypes) -> None:
    assert encode_spki(key) == library(key)
    assert decode_spki(library(key)) == key


def outcome(read: object, der: bytes) -> bytes | None:
    try:
        return library(read(der))  # type: ignore[operator]
    except (ValueError, UnsupportedAlgorithm):
        return None


@given(
    st.sampled_from(KEYS).map(library),
    st.integers(0, 90),
    st.integers(0, 1),
    st.binary(max_size=2),
    st.binary(max_size=1),
)
def test_reads_and_refuses_as_the_library_does(
    der: bytes, at: int, gone: int, piece: bytes, end: bytes
) -> None:
    changed = der[:at] + piece + der[at + gone :] + end
    assert outcome(decode_spki, changed) == outcome(load_der_public_key, changed)


@given(st.binary(min_size=64, max_size=64))
@example(bytes(64))
@example(b"\xff" * 64)
def test_points_that_are_not_on_the_curve(point: bytes) -> None:
    assert outcome(decode_spki, POINT + point) == outcome(load_der_public_key, POINT + point)
