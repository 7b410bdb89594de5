"""Public keys of every kind that evidence is signed with, and verifying with them.

Kinds are named as Sigstore names them (protobuf-specs sigstore_common.proto, PublicKeyDetails).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.spki import decode_spki, encode_spki

P256: Final = "PKIX_ECDSA_P256_SHA_256"
P384: Final = "PKIX_ECDSA_P384_SHA_384"
ED25519: Final = "PKIX_ED25519"
RSA: Final = "PKIX_RSA_PKCS1V15_{}_SHA256"
MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
MIN_RSA_EXPONENT: Final = 65537

Key = ec.EllipticCurvePublicKey | Ed25519PublicKey | rsa.RSAPublicKey

_ECDSA_SHA256: Final = ec.ECDSA(hashes.SHA256())
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class PublicKey(msgspec.Struct, frozen=True, dict=True):
    """A public key that is strong enough to believe.

    Attributes:
        kind: what it is and how it signs.
        key: the key.
    """

    kind: str
    key: Key

    @cached_property
    def spki(self) -> bytes:
        """The key's DER SubjectPublicKeyInfo."""
        return encode_spki(self.key)

    @cached_property
    def key_id(self) -> str:
        """The key's name here: hex SHA-256 of its SubjectPublicKeyInfo."""
        return hashlib.sha256(self.spki).hexdigest()


def load_spki(der: bytes) -> PublicKey:
    """Parse a DER SubjectPublicKeyInfo.

    Raises:
        MalformedError: not a public key, or not in its one DER spelling.
        SignatureInvalidError: a kind that is not believed, or a weak key.
    """
    try:
        key = decode_spki(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError(f"the public key does not parse: {error}") from error
    public = as_public_key(key)
    if public.spki != der:
        raise MalformedError("the public key is not in its one DER spelling")
    return public


def as_public_key(key: object, *, what: str = "the public key") -> PublicKey:
    """Take a key for one that evidence may be signed with.

    Raises:
        SignatureInvalidError: of another kind, or weak: RSA below 2048 bits or with a small exponent.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return PublicKey(P256, key)
        if isinstance(key.curve, ec.SECP384R1):
            return PublicKey(P384, key)
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(ED25519, key)
    if isinstance(key, rsa.RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS or key.public_numbers().e < MIN_RSA_EXPONENT:
            raise SignatureInvalidError(f"{what} is a weak RSA key, or an absurd one")
        return PublicKey(RSA.format(key.key_size), key)
    raise SignatureInvalidError(f"{what} is not ECDSA P-256 or P-384, Ed25519 or RSA")


def verify_signature(public: PublicKey, signature: bytes, data: bytes, *, what: str) -> None:
    """Verify a signature over data, as the key's kind signs.

    P-256 with SHA-256; P-384 with SHA-384, or with SHA-256 as older tools do; Ed25519 (RFC 8032); RSA by
    PKCS#1 v1.5 with SHA-256 (RFC 8017 §8.2): a key has one way to sign, so PSS is not read.

    Raises:
        SignatureInvalidError: it does not hold; `what` names it.
    """
    key = public.key
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, data)
        elif public.kind == P256 and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, _ECDSA_SHA256)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            _either(key, signature, data, (ec.ECDSA(_HASHES["sha384"]), _ECDSA_SHA256))
        else:
            key.verify(signature, data, padding.PKCS1v15(), _HASHES["sha256"])
    except InvalidSignature as error:
        raise SignatureInvalidError(f"{what} does not verify") from error


def verify_hashed(public: PublicKey, signature: bytes, data: bytes, algorithm: str, *, what: str) -> None:
    """Verify an ECDSA or PKCS#1 v1.5 signature over data with the digest that is named beside it.

    Raises:
        SignatureInvalidError: it does not hold.
    """
    key = public.key
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(_HASHES[algorithm]))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), _HASHES[algorithm])
        else:
            raise SignatureInvalidError(f"{what} is by a key of another kind")
    except InvalidSignature as error:
        raise SignatureInvalidError(f"{what} does not verify") from error


def verify_digest(public: PublicKey, signature: bytes, algorithm: str, digest: bytes, *, what: str) -> None:
    """Verify a signature over data that is known by its digest alone.

    Raises:
        SignatureInvalidError: it does not hold, or the key's kind signs data and not digests.
    """
    key, prehashed = public.key, utils.Prehashed(_HASHES[algorithm])
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, digest, ec.ECDSA(prehashed))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), prehashed)
        else:
            raise SignatureInvalidError(f"{what} is by an Ed25519 key, which does not sign digests")
    except InvalidSignature as error:
        raise SignatureInvalidError(f"{what} does not verify") from error


def _either(
    key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes, ways: tuple[ec.ECDSA, ec.ECDSA]
) -> None:
    first, second = ways
    try:
        key.verify(signature, data, first)
    except InvalidSignature:
        key.verify(signature, data, second)
