"""`pkcs11:…`: a key in a token or an HSM, by an RFC 7512 URI: ECDSA P-256, or for a log Ed25519.

PKCS#11 v2.40, CKM_ECDSA; v3.0, CKM_EDDSA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import ConfigError, InfrastructureError, SignatureInvalidError
from pratique.trust.keys import spki
from pratique.trust.signers.extras import extra
from pratique.trust.signers.pkcs11_token import MODULE_VARIABLE, TokenKey
from pratique.trust.signers.pkcs11_uri import parse_pkcs11_uri

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, LogKeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

_P256: Final = bytes.fromhex("06082a8648ce3d030107")  # DER of the object identifier prime256v1
_OCTET_STRING: Final = b"\x04\x41"
_POINT_BYTES: Final = 65
_COORDINATE_BYTES: Final = 32
# PKCS#11 v3.0 §2.3.5 has both: the curve's name as PrintableString, or its object identifier.
_ED25519: Final = (b"\x13\x0cedwards25519", bytes.fromhex("06032b6570"))
_ED25519_POINT: Final = b"\x04\x20"
_ED25519_BYTES: Final = 32


class Pkcs11Key(TokenKey):
    """A P-256 key in a token."""

    curves = (_P256,)

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        raw = self.sign_with(digest, "ECDSA")
        r, s = raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]
        return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))

    def find_public(self, session: Any) -> bytes:
        """Read the public half, which tokens show without a PIN: as a key, or as the key's certificate."""
        pkcs11 = extra("pkcs11", "pkcs11")
        if not self.all(session, pkcs11.ObjectClass.PUBLIC_KEY):
            certificate = self.only(session, pkcs11.ObjectClass.CERTIFICATE)[pkcs11.Attribute.VALUE]
            key = x509.load_der_x509_certificate(certificate).public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                raise self.another_kind()
            return spki(key)
        point = self.point(session, pkcs11.KeyType.EC)
        if len(point) != _POINT_BYTES:  # PKCS#11 v2.40 §2.3.3 has it in an OCTET STRING; some tokens do not
            point = point.removeprefix(_OCTET_STRING)
        try:
            return spki(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
        except ValueError as error:
            raise InfrastructureError(
                f"{self.where}: the token gives a public key that does not parse"
            ) from error

    def another_kind(self) -> ConfigError:
        """See `TokenKey.another_kind`."""
        return ConfigError(
            f"{self.where}: not an ECDSA P-256 key",
            hint="make one: pkcs11-tool --keypairgen --key-type EC:prime256v1",
        )


class Pkcs11LogKey(TokenKey):
    """An Ed25519 key in a token; its public half has to be there as a key."""

    curves = _ED25519

    def sign_message(self, message: bytes) -> bytes:
        """See `LogKeyHandle.sign_message`."""
        return self.sign_with(message, "EDDSA")

    def find_public(self, session: Any) -> bytes:
        """Read it as a key: few tokens have certificates of such keys."""
        point = self.point(session, extra("pkcs11", "pkcs11").KeyType.EC_EDWARDS)
        if len(point) != _ED25519_BYTES:
            point = point.removeprefix(_ED25519_POINT)
        try:
            public = Ed25519PublicKey.from_public_bytes(point)
        except ValueError as error:
            raise InfrastructureError(
                f"{self.where}: the token gives a public key that does not parse"
            ) from error
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def another_kind(self) -> ConfigError:
        """See `TokenKey.another_kind`."""
        return ConfigError(
            f"{self.where}: not an Ed25519 key",
            hint="make one: pkcs11-tool --keypairgen --key-type EC:edwards25519",
        )


_Key = TypeVar("_Key", bound=TokenKey)


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a key and its public half in a token; the PIN is asked for when it first signs (I/O).

    Raises:
        UsageError: not an RFC 7512 URI that names a key.
        ConfigError: no module, no such token or key, or one of another kind.
        InfrastructureError: the token failed.
    """
    return _open(uri, world, Pkcs11Key)


def open_log_key(uri: KeyUri, world: Surroundings) -> LogKeyHandle:
    """Find an Ed25519 key and its public half in a token (I/O); raises as `open_key`."""
    return _open(uri, world, Pkcs11LogKey)


def _open(uri: KeyUri, world: Surroundings, kind: type[_Key]) -> _Key:
    parsed = parse_pkcs11_uri(uri.rest)
    module = parsed.module or world.environ.get(MODULE_VARIABLE, "")
    if not module:
        raise ConfigError(
            f"{uri}: which PKCS#11 module?",
            hint=f"add ?module-path=/usr/lib/…/module.so, or set ${MODULE_VARIABLE}",
        )
    try:
        return kind(str(uri), parsed, module, world)
    except SignatureInvalidError as error:
        raise ConfigError(f"{uri}: {error.message}") from error
