"""SSH signatures (OpenSSH, PROTOCOL.sshsig) over a statement: parsing and verifying them, without OpenSSH.

A signature covers `"SSHSIG" || namespace || reserved || hash algorithm || H(message)`, never the message
itself, so that a signature made for one purpose counts for no other. Ours has the namespace `NAMESPACE`.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import sha256, sha512
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.errors import MalformedError, SignatureInvalidError

NAMESPACE: Final = "dsse@pratique.dev"
MAX_BYTES: Final = 16 * 1024
MIN_RSA_BITS: Final = 2048
_MAGIC: Final = b"SSHSIG"
_BEGIN: Final = "-----BEGIN SSH SIGNATURE-----"
_END: Final = "-----END SSH SIGNATURE-----"
_HASHES: Final = {b"sha256": sha256, b"sha512": sha512}
_CURVES: Final[dict[bytes, tuple[ec.EllipticCurve, hashes.HashAlgorithm]]] = {
    b"nistp256": (ec.SECP256R1(), hashes.SHA256()),
    b"nistp384": (ec.SECP384R1(), hashes.SHA384()),
    b"nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: Final[dict[bytes, hashes.HashAlgorithm]] = {
    b"rsa-sha2-256": hashes.SHA256(),
    b"rsa-sha2-512": hashes.SHA512(),
}
_USER_PRESENT: Final = 1
_PRINTED_WIDTH: Final = 70


class _Reader:
    """Reads SSH wire strings (RFC 4251 §5)."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._data):
            raise MalformedError(f"{self._what}: it ends too early")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        return self.take(self.number())

    def integer(self) -> int:
        """A positive mpint in its one spelling."""
        raw = self.string()
        value = int.from_bytes(raw, "big", signed=True)
        if value <= 0 or raw != value.to_bytes(value.bit_length() // 8 + 1, "big"):
            raise MalformedError(f"{self._what}: a number in another than its one spelling")
        return value

    def end(self) -> None:
        if self._at != len(self._data):
            raise MalformedError(f"{self._what}: bytes are left over")


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


class SshKey(NamedTuple):
    """A public key.

    Attributes:
        algorithm: its type, for example `ssh-ed25519`.
        key: the key itself.
        application: what a security key (`sk-…`) was made for; None for a plain key.
    """

    algorithm: str
    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
    application: bytes | None


class SshSignature(NamedTuple):
    """A parsed signature; nothing in it is verified."""

    public_key: bytes
    namespace: str
    reserved: bytes
    hash_name: bytes
    signature: bytes


def parse_public_key(blob: bytes) -> SshKey:
    """Parse an SSH public key blob (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, PROTOCOL.u2f).

    Raises:
        MalformedError: it does not parse.
        SignatureInvalidError: a kind of key that is not taken, or a weak one.
    """
    if len(blob) > MAX_BYTES:
        raise MalformedError(f"ssh public key: longer than {MAX_BYTES} bytes")
    reader = _Reader(blob, "ssh public key")
    algorithm = reader.string()
    bare = algorithm.removeprefix(b"sk-").removesuffix(b"@openssh.com")
    security_key = algorithm == b"sk-" + bare + b"@openssh.com"
    try:
        key = _bare_key(bare if security_key else algorithm, reader)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError(f"ssh public key: it does not parse: {error}") from error
    if security_key and isinstance(key, rsa.RSAPublicKey):
        raise SignatureInvalidError("ssh public key: no security key is RSA")
    application = reader.string() if security_key else None
    reader.end()
    return SshKey(algorithm.decode("ascii"), key, application)


def _bare_key(
    algorithm: bytes, reader: _Reader
) -> ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    if algorithm == b"ssh-ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(reader.string())
    if algorithm == b"ssh-rsa":
        exponent, modulus = reader.integer(), reader.integer()
        if modulus.bit_length() < MIN_RSA_BITS:
            raise SignatureInvalidError(f"ssh public key: RSA of {modulus.bit_length()} bits is weak")
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    curve = algorithm.removeprefix(b"ecdsa-sha2-")
    if curve == algorithm or curve not in _CURVES:
        raise SignatureInvalidError(f"ssh public key: keys of type {algorithm[:40]!r} are not taken")
    if reader.string() != curve:
        raise MalformedError("ssh public key: it names two curves")
    point = reader.string()
    if not point.startswith(b"\x04"):
        raise MalformedError("ssh public key: a point in another than its one spelling")
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve][0], point)


def parse_public_line(text: str) -> bytes:
    """Read the key blob of a line as in `id_ed25519.pub` (sshd(8), AUTHORIZED_KEYS FILE FORMAT, no options).

    Raises:
        MalformedError: not such a line, or a key that does not parse; SignatureInvalidError: not taken.
    """
    words = text.split()
    try:
        kind, blob = words[0], base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error, ValueError) as error:
        raise MalformedError("not an SSH public key of one line") from error
    if parse_public_key(blob).algorithm != kind:
        raise MalformedError("ssh public key: its line names another type than its key")
    return blob


def parse_signature(blob: bytes) -> SshSignature:
    """Parse a signature blob (PROTOCOL.sshsig §2, §3).

    Raises:
        MalformedError: it does not parse, or is not version 1.
    """
    if len(blob) > MAX_BYTES:
        raise MalformedError(f"ssh signature: longer than {MAX_BYTES} bytes")
    reader = _Reader(blob, "ssh signature")
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != 1:
        raise MalformedError("ssh signature: not SSHSIG version 1")
    key, namespace, reserved, hash_name, signature = (reader.string() for _ in range(5))
    reader.end()
    try:
        return SshSignature(key, namespace.decode("utf-8"), reserved, hash_name, signature)
    except UnicodeDecodeError as error:
        raise MalformedError("ssh signature: its namespace is not text") from error


def dearmor(text: str) -> bytes:
    """Take a signature out of the armour that `ssh-keygen -Y sign` writes (PROTOCOL.sshsig §1).

    Raises:
        MalformedError: no such armour.
    """
    lines = text.strip().splitlines()
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:  # noqa: PLR2004 - begin, body, end
        raise MalformedError("ssh signature: it is not armoured")
    try:
        return base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("ssh signature: its armour holds no base64") from error


def armor(blob: bytes) -> str:
    """Write the armour as `ssh-keygen -Y sign` does, so that `ssh-keygen -Y verify` reads it."""
    text = base64.b64encode(blob).decode("ascii")
    lines = [text[start : start + _PRINTED_WIDTH] for start in range(0, len(text), _PRINTED_WIDTH)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def verify_sshsig(blob: bytes, message: bytes, public_key: bytes, *, namespace: str = NAMESPACE) -> None:
    """Verify a signature over a message by one key, made for one namespace (PROTOCOL.sshsig §3).

    A security key must have been touched: a signature without user presence does not count.

    Raises:
        MalformedError: signature or key do not parse.
        SignatureInvalidError: another key's, for another purpose, or it does not hold.
    """
    parsed = parse_signature(blob)
    if parsed.public_key != public_key:
        raise SignatureInvalidError("the SSH signature is by another key")
    if parsed.namespace != namespace:
        raise SignatureInvalidError(
            f"the SSH signature was made for {parsed.namespace[:40]!r}, not for {namespace!r}"
        )
    if parsed.reserved or parsed.hash_name not in _HASHES:
        raise SignatureInvalidError("the SSH signature uses what this version does not know")
    digest = _HASHES[parsed.hash_name](message).digest()
    covered = _MAGIC + b"".join(
        _string(part) for part in (namespace.encode(), parsed.reserved, parsed.hash_name, digest)
    )
    key = parse_public_key(public_key)
    try:
        _verify(key, parsed.signature, covered)
    except InvalidSignature as error:
        raise SignatureInvalidError("the SSH signature does not verify") from error


def _verify(key: SshKey, signature: bytes, covered: bytes) -> None:
    reader = _Reader(signature, "ssh signature")
    algorithm, raw = reader.string(), reader.string()
    if key.application is not None:
        flags, counter = reader.take(1), reader.take(4)
        if not flags[0] & _USER_PRESENT:
            raise SignatureInvalidError("the security key was not touched for this signature")
        covered = sha256(key.application).digest() + flags + counter + sha256(covered).digest()
    reader.end()
    held: Any = key.key
    if isinstance(held, rsa.RSAPublicKey):
        if algorithm not in _RSA_HASHES:
            raise SignatureInvalidError(f"an RSA signature of type {algorithm[:40]!r} does not count")
        held.verify(raw, covered, padding.PKCS1v15(), _RSA_HASHES[algorithm])
        return
    if algorithm != key.algorithm.encode():
        raise SignatureInvalidError("the SSH signature is of another type than its key")
    if isinstance(held, ed25519.Ed25519PublicKey):
        held.verify(raw, covered)
        return
    numbers = _Reader(raw, "ssh signature")
    r, s = numbers.integer(), numbers.integer()
    numbers.end()
    curve = next(name for name, (curve, _) in _CURVES.items() if curve.name == held.curve.name)
    held.verify(encode_dss_signature(r, s), covered, ec.ECDSA(_CURVES[curve][1]))
