"""The worked examples of the C2SP signed-note implementation in Go and of the DSSE specification."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.errors import SignatureInvalidError
from pratique.trust.envelope import pae
from pratique.trust.note import log_key_id, sign_note, verify_note

# golang.org/x/mod/sumdb/note, the package documentation's example (BSD-3-Clause).
NAME = "PeterNeumann"
VERIFIER_KEY = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SIGNER_KEY = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
KEY_HASH = "c74f20a3"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    TEXT + "\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def _public() -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(VERIFIER_KEY)[1:])


def test_note_verifies() -> None:
    assert verify_note(SIGNED, NAME, _public()) == TEXT


def test_note_signs_to_the_same_bytes() -> None:
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(SIGNER_KEY)[1:])
    assert sign_note(TEXT, NAME, key) == SIGNED


def test_key_id() -> None:
    assert log_key_id(NAME, _public()).hex().startswith(KEY_HASH)


def test_note_with_another_text_is_refused() -> None:
    with pytest.raises(SignatureInvalidError, match="PeterNeumann does not verify"):
        verify_note(SIGNED.replace("answer", "Answer"), NAME, _public())


# secure-systems-lab/dsse, protocol.md "Test Vectors" (Apache-2.0).
def test_dsse_pae() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert pae("http://example.com/HelloWorld", b"hello world") == expected


def test_dsse_pae_counts_bytes() -> None:
    assert pae("\u00e9", b"") == b"DSSEv1 2 \xc3\xa9 0 "


def test_dsse_signature_is_over_our_pae() -> None:
    numbers = ec.EllipticCurvePublicNumbers(
        46950820868899156662930047687818585632848591499744589407958293238635476079160,
        5640078356564379163099075877009565129882514886557779369047442380624545832820,
        ec.SECP256R1(),
    )
    raw = base64.b64decode(
        "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
    )
    signature = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    data = pae("http://example.com/HelloWorld", b"hello world")
    numbers.public_key().verify(signature, data, ec.ECDSA(hashes.SHA256()))
