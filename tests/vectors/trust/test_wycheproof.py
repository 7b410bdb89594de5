"""Wycheproof's signature vectors (C2SP/wycheproof, testvectors_v1) on what verifies signatures here."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import SignatureInvalidError
from pratique.trust.keys import load_p256_spki, verify_p256
from pratique.trust.publickey import load_spki, verify_signature

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = 484


def _load(test_data: Path, name: str) -> dict[str, Any]:
    with tarfile.open(test_data / "specs" / "wycheproof.tar.xz") as archive:
        member = archive.extractfile(f"testvectors_v1/{name}")
        assert member is not None
        document: dict[str, Any] = json.load(member)
        return document


def test_ecdsa_p256_sha256(test_data: Path) -> None:
    document = _load(test_data, "ecdsa_secp256r1_sha256_test.json")
    run = wrong = 0
    for group in document["testGroups"]:
        key = load_p256_spki(bytes.fromhex(group["publicKeyDer"]))
        for case in group["tests"]:
            run += 1
            held = True
            try:
                verify_p256(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), what="it")
            except SignatureInvalidError:
                held = False
            # "acceptable" would be a signature that only a lenient DER reader takes; there is none today.
            wrong += held != (case["result"] == "valid")
    assert (run, wrong) == (EXPECTED, 0)


def test_other_curves_are_refused(test_data: Path) -> None:
    document = _load(test_data, "ecdsa_secp384r1_sha384_test.json")
    for group in document["testGroups"]:
        with pytest.raises(SignatureInvalidError, match="not ECDSA P-256"):
            load_p256_spki(bytes.fromhex(group["publicKeyDer"]))


OTHERS = {
    # file: cases, and of these the valid ones by an RSA key with a small exponent, which is refused
    "ecdsa_secp256r1_sha256_test.json": (484, 0),
    "ecdsa_secp384r1_sha384_test.json": (504, 0),
    "ed25519_test.json": (151, 0),
    "rsa_signature_2048_sha256_test.json": (259, 2),
    "rsa_signature_3072_sha256_test.json": (259, 1),
}


@pytest.mark.parametrize("name", OTHERS)
def test_public_keys_of_every_kind(test_data: Path, name: str) -> None:
    run = weak = 0
    for group in _load(test_data, name)["testGroups"]:
        der = bytes.fromhex(group["publicKeyDer"])
        for case in group["tests"]:
            run += 1
            refused = ""
            try:
                key = load_spki(der)
                verify_signature(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), what="it")
            except SignatureInvalidError as error:
                refused = error.message
            assert refused or case["result"] != "invalid", case
            if refused and case["result"] == "valid":
                assert "weak RSA key" in refused, case
                weak += 1
    assert (run, weak) == OTHERS[name]
