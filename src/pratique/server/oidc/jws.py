"""Signed tokens: compact JWS (RFC 7515) under an allow-list of algorithms, and the keys they verify with.

What makes token verification go wrong elsewhere is not here: no `none`, no HMAC, no key taken from the token,
and the algorithm must fit the key, whatever the token says.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MAX_TOKEN_BYTES: Final = 16 * 1024
MAX_JWKS_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 64
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
_PARTS: Final = 3
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")
_CURVES: Final = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}

Key = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey


class Jwk(msgspec.Struct, frozen=True):
    """A public key of a provider.

    Attributes:
        kid: how tokens name it; may be empty.
        alg: the one algorithm it is for; empty if the provider does not say.
        key: the key.
    """

    kid: str
    alg: str
    key: Key


class Token(msgspec.Struct, frozen=True):
    """A token taken apart; nothing in it is verified yet.

    Attributes:
        alg: the algorithm that it claims.
        kid: the key that it names, or nothing.
        claims: its payload.
        signed: the bytes that the signature covers.
        signature: as in the token.
    """

    alg: str
    kid: str
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return "Token(…)"


def parse_token(text: str) -> Token:
    """Take a compact JWS apart (RFC 7515 §3.1).

    Raises:
        MalformedError: not one, or with critical extensions, of which none is known here (§4.1.11).
    """
    parts = text.split(".")
    if len(text) > MAX_TOKEN_BYTES or len(parts) != _PARTS:
        raise MalformedError("the token is not a compact JWS")
    header = parse_json_object(_base64url(parts[0]), what="token header")
    claims = parse_json_object(_base64url(parts[1]), what="token claims")
    alg, kid = header.get("alg"), header.get("kid", "")
    if not isinstance(alg, str) or not isinstance(kid, str) or "crit" in header:
        raise MalformedError("the token's header is not one that is understood")
    return Token(alg, kid, claims, f"{parts[0]}.{parts[1]}".encode(), _base64url(parts[2]))


def _base64url(text: object) -> bytes:
    """Read base64url without padding, in its one spelling (RFC 7515 §2)."""
    if not isinstance(text, str) or not _BASE64URL.match(text):
        raise MalformedError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise MalformedError("not base64url") from error
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != text:
        raise MalformedError("not base64url in its one spelling")
    return data


def parse_jwks(data: bytes) -> tuple[Jwk, ...]:
    """Parse a provider's key set (RFC 7517 §5); keys of other kinds or uses are passed over.

    Raises:
        MalformedError: not a key set, or a key of a known kind that does not decode.
    """
    document = parse_json_object(data, what="key set", max_bytes=MAX_JWKS_BYTES)
    listed = document.get("keys")
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise MalformedError(f"key set: keys is not a list of at most {MAX_KEYS}")
    found = [_jwk(item) for item in listed if isinstance(item, dict)]
    return tuple(item for item in found if item is not None)


def _jwk(item: dict[str, Any]) -> Jwk | None:
    if item.get("use", "sig") != "sig":
        return None
    kid, alg = item.get("kid", ""), item.get("alg", "")
    if not isinstance(kid, str) or not isinstance(alg, str):
        raise MalformedError("key set: a key whose kid or alg is not text")
    try:
        key = _key(item)
    except ValueError as error:
        raise MalformedError(f"key set: key {kid[:80]!r} does not decode") from error
    return None if key is None else Jwk(kid, alg, key)


def _key(item: dict[str, Any]) -> Key | None:
    match item.get("kty"), item.get("crv"):
        case "RSA", _:
            numbers = rsa.RSAPublicNumbers(_integer(item.get("e")), _integer(item.get("n")))
            key = numbers.public_key()
            return key if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS else None
        case "EC", ("P-256" | "P-384") as curve:
            point = ec.EllipticCurvePublicNumbers(
                _integer(item.get("x")), _integer(item.get("y")), _CURVES[curve]
            )
            return point.public_key()
        case "OKP", "Ed25519":
            return Ed25519PublicKey.from_public_bytes(_base64url(item.get("x")))
        case _:
            return None


def _integer(text: object) -> int:
    return int.from_bytes(_base64url(text), "big")


def verify_token(token: Token, keys: Sequence[Jwk], algorithms: Collection[str]) -> None:
    """Verify a token's signature by a provider's keys (RFC 7515 §5.2).

    Args:
        token: see `parse_token`.
        keys: the provider's.
        algorithms: the ones taken from this provider.

    Raises:
        SignatureInvalidError: another algorithm, no key for it, or a signature that does not hold.
    """
    if token.alg not in algorithms:
        raise SignatureInvalidError(f"a token signed with {token.alg[:20]!r} is not taken from its issuer")
    candidates = [
        item.key
        for item in keys
        if (not token.kid or item.kid == token.kid)
        and item.alg in ("", token.alg)
        and _fits(token.alg, item.key)
    ]
    if not candidates:
        raise SignatureInvalidError("the issuer has no such key")
    if not any(_holds(token, key) for key in candidates):
        raise SignatureInvalidError("the token's signature does not verify")


def _fits(alg: str, key: Key) -> bool:
    match alg:
        case "RS256" | "PS256":
            return isinstance(key, rsa.RSAPublicKey)
        case "ES256":
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
        case "ES384":
            return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
        case "EdDSA":
            return isinstance(key, Ed25519PublicKey)
        case _:
            return False


def _holds(token: Token, key: Key) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(token.signature, token.signed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            half = (key.key_size + 7) // 8
            if len(token.signature) != 2 * half:
                return False
            r, s = (int.from_bytes(part, "big") for part in (token.signature[:half], token.signature[half:]))
            digest = hashes.SHA256() if token.alg == "ES256" else hashes.SHA384()
            key.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(digest))
        else:
            scheme: padding.AsymmetricPadding = padding.PKCS1v15()
            if token.alg == "PS256":
                scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            key.verify(token.signature, token.signed, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True
