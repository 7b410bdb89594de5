"""P-256 keys: parsing them, and a person's key as a file (PKCS#8 PEM, mode 0600)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from pratique.errors import ConfigError, MalformedError, SignatureInvalidError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

MAX_KEY_BYTES = 64 * 1024
_PRIVATE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def load_p256_spki(der: bytes) -> ec.EllipticCurvePublicKey:
    """Parse a DER SubjectPublicKeyInfo of a P-256 key.

    Raises:
        MalformedError: not a public key, or not in its one DER spelling (uncompressed point, named curve).
        SignatureInvalidError: a key of another kind or curve.
    """
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError(f"the public key does not parse: {error}") from error
    checked = _p256(key)
    if spki(checked) != der:
        raise MalformedError("the public key is not in its one DER spelling")
    return checked


def verify_p256(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes, *, what: str) -> None:
    """Verify a DER ECDSA signature with SHA-256 (FIPS 186-5 §6.4.2).

    Raises:
        SignatureInvalidError: it does not hold; `what` names it.
    """
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureInvalidError(f"{what} does not verify") from error


def spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """Give a public key's DER SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _p256(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureInvalidError("the public key is not ECDSA P-256")
    return key


def generate_key(path: Path, *, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Make a new P-256 key and write it to a new file of mode 0600 (I/O).

    Args:
        path: where to; nothing may be there yet.
        passphrase: encrypts the file when given.

    Raises:
        UsageError: the file exists, or its folder does not.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    protection: KeySerializationEncryption = (
        BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    write_new_file(path, pem)
    return key


def write_new_file(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 that must not exist yet, durably (I/O).

    Raises:
        UsageError: it exists, or its folder does not.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    except FileExistsError as error:
        raise UsageError(f"{path} exists; a key is never overwritten", hint="choose another name") from error
    except FileNotFoundError as error:
        raise UsageError(f"{path.parent} does not exist", hint=f"mkdir -p {path.parent}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be made: {error.strerror}", hint="choose another folder") from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def load_private_key(path: Path, passphrase: bytes | None = None) -> ec.EllipticCurvePrivateKey:
    """Load a P-256 private key from PKCS#8 PEM (I/O).

    Raises:
        ConfigError: no such file, one that others can read, another kind of key, or a wrong passphrase.
    """
    data = read_private_file(path)
    try:
        key = load_pem_private_key(data, password=passphrase)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        hint = "it may need its passphrase" if passphrase is None else "the passphrase may be wrong"
        raise ConfigError(f"{path}: not a private key that can be opened", hint=hint) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError(
            f"{path}: not an ECDSA P-256 key", hint="make one with `pratique trust keygen FILE`"
        )
    return key


def read_private_file(path: Path) -> bytes:
    """Read a file that must be its owner's alone (I/O).

    Raises:
        ConfigError: no such regular file, or group or others can touch it.
    """
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            data = stream.read(MAX_KEY_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: not a regular file")
    if status.st_mode & _OTHERS:
        raise ConfigError(f"{path}: others than its owner can touch this key", hint=f"chmod 600 {path}")
    return data


def load_public_key(path: Path) -> bytes:
    """Load a P-256 public key from PEM and give its DER SubjectPublicKeyInfo (I/O).

    Raises:
        ConfigError: no such file, or another kind of key.
    """
    try:
        with path.open("rb") as stream:
            key = load_pem_public_key(stream.read(MAX_KEY_BYTES))
        return spki(_p256(key))
    except OSError as error:
        raise ConfigError(f"{path}: the key cannot be read: {error.strerror}") from error
    except (ValueError, UnsupportedAlgorithm, SignatureInvalidError) as error:
        raise ConfigError(f"{path}: not an ECDSA P-256 public key in PEM") from error
