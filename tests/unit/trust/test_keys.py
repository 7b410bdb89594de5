from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from pratique.errors import ConfigError, MalformedError, SignatureInvalidError, UsageError
from pratique.trust.certificate import load_certificate
from pratique.trust.keys import (
    generate_key,
    load_p256_spki,
    load_private_key,
    load_public_key,
    spki,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "ann.pem"
    key = generate_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    assert load_private_key(path).private_numbers() == key.private_numbers()


def test_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "ann.pem"
    key = generate_key(path, passphrase=b"correct horse")
    assert path.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert load_private_key(path, b"correct horse").private_numbers() == key.private_numbers()
    for wrong, hint in ((None, "it may need its passphrase"), (b"x", "the passphrase may be wrong")):
        with pytest.raises(ConfigError) as caught:
            load_private_key(path, wrong)
        assert caught.value.hint == hint


def test_a_passphrase_is_refused_where_none_is_needed(tmp_path: Path) -> None:
    generate_key(tmp_path / "k")
    with pytest.raises(ConfigError):
        load_private_key(tmp_path / "k", b"x")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ann.pem"
    path.write_text("precious")
    with pytest.raises(UsageError, match="never overwritten"):
        generate_key(path)
    assert path.read_text() == "precious"
    with pytest.raises(UsageError, match="does not exist"):
        generate_key(tmp_path / "no" / "folder")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        generate_key(link)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o622])
def test_a_key_that_others_can_touch(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "ann.pem"
    generate_key(path)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="others than its owner") as caught:
        load_private_key(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_what_is_no_key(tmp_path: Path) -> None:
    for name, data in (("empty", b""), ("junk", b"junk"), ("huge", b"x" * 200_000)):
        path = tmp_path / name
        path.write_bytes(data)
        path.chmod(0o600)
        with pytest.raises(ConfigError, match="not a private key"):
            load_private_key(path)
        with pytest.raises(ConfigError, match="not an ECDSA P-256 public key"):
            load_public_key(path)
    for load in (load_private_key, load_public_key):
        with pytest.raises(ConfigError, match="cannot be read"):
            load(tmp_path / "missing")
        with pytest.raises(ConfigError, match="cannot be read"):
            load(tmp_path)


@pytest.mark.parametrize(
    "key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)]
)
def test_other_kinds_of_keys(tmp_path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    private, public = tmp_path / "private", tmp_path / "public"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(ConfigError, match="not an ECDSA P-256 key"):
        load_private_key(private)
    with pytest.raises(ConfigError, match="not an ECDSA P-256 public key"):
        load_public_key(public)
    with pytest.raises(SignatureInvalidError, match="not ECDSA P-256"):
        load_p256_spki(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_public_key_file(tmp_path: Path) -> None:
    key = generate_key(tmp_path / "k").public_key()
    (tmp_path / "p").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert load_public_key(tmp_path / "p") == spki(key)


def test_a_public_key_has_one_spelling() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    prefix = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    assert load_p256_spki(spki(key)) == key
    with pytest.raises(MalformedError, match="one DER spelling"):
        load_p256_spki(prefix + point)


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"junk" * 20])
def test_junk(data: bytes) -> None:
    with pytest.raises(MalformedError):
        load_p256_spki(data)
    with pytest.raises(MalformedError):
        load_certificate(data)
