"""`pkcs11:…`: a P-256 key in a token or an HSM, by an RFC 7512 URI (PKCS#11 v2.40, CKM_ECDSA)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.errors import ConfigError, InfrastructureError, PratiqueError, SignatureInvalidError
from pratique.trust.keys import read_private_file, spki
from pratique.trust.signers.extras import extra
from pratique.trust.signers.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri
from pratique.trust.signers.port import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

MODULE_VARIABLE: Final = "PRATIQUE_PKCS11_MODULE"
_P256: Final = bytes.fromhex("06082a8648ce3d030107")  # DER of the object identifier prime256v1
_OCTET_STRING: Final = b"\x04\x41"
_POINT_BYTES: Final = 65
_COORDINATE_BYTES: Final = 32
_ONE_AT_A_TIME: Final = threading.Lock()  # a token knows one login per process, whoever made it

_REASONS: Final = {
    "PinIncorrect": ("the PIN is wrong", "tokens lock after a few wrong PINs: do not just try again"),
    "PinLenRange": ("the PIN has a length that the token does not take", ""),
    "PinInvalid": ("the PIN has characters that the token does not take", ""),
    "PinLocked": ("the token is locked after too many wrong PINs", "its security officer can unlock it"),
    "PinExpired": ("the PIN has expired", "set a new one with the token's own tool"),
    "UserPinNotInitialized": ("the token has no user PIN yet", "initialise it with the token's own tool"),
    "UserNotLoggedIn": (
        "the token wants a PIN",
        "name its file: pin-source=file:/path, or $PRATIQUE_PIN_FILE",
    ),
    "MechanismInvalid": ("the token cannot sign with ECDSA", "use a token or key that can"),
}


class Pkcs11Key:
    """A key in a token. A session lasts for one signature."""

    def __init__(self, where: str, uri: Pkcs11Uri, module: str, world: Surroundings) -> None:
        self.where = where
        self._uri = uri
        self._module = module
        self._ask = world.ask
        self._pin: str | None = None
        with self._session(None) as session:
            self.public_key = self._find_public(session)

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`. A wrong PIN is forgotten and never tried again."""
        pin = self._pin or self._get_pin()
        pkcs11 = extra("pkcs11", "pkcs11")
        with self._session(pin) as session:
            key = self._only(session, pkcs11.ObjectClass.PRIVATE_KEY)
            if key[pkcs11.Attribute.EC_PARAMS] != _P256:
                raise self._not_p256()
            raw = (
                key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA, pin=pin)
                if _asks_again(key, pkcs11)
                else key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
            )
        self._pin = pin
        r, s = raw[:_COORDINATE_BYTES], raw[_COORDINATE_BYTES:]
        return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))

    def _get_pin(self) -> str:
        if self._uri.pin_source:
            data = read_private_file(Path(self._uri.pin_source))
        else:
            data = self._ask(Secret("PIN", self.where))
        try:
            return data.decode("utf-8").rstrip("\n")
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.where}: its PIN is not UTF-8") from error

    @contextmanager
    def _session(self, pin: str | None) -> Iterator[Any]:
        pkcs11 = extra("pkcs11", "pkcs11")
        with _ONE_AT_A_TIME:
            try:
                token = self._token(pkcs11.lib(self._module), pkcs11)
                with token.open(user_pin=pin) as session:
                    yield session
            except PratiqueError:
                raise
            except pkcs11.PKCS11Error as error:
                raise self._explain(error) from error

    def _token(self, library: Any, pkcs11: Any) -> Any:
        wanted = self._uri
        found = [
            token
            for token in library.get_tokens()
            if (wanted.token is None or token.label == wanted.token)
            and (wanted.serial is None or token.serial == wanted.serial.encode())
            and (wanted.manufacturer is None or token.manufacturer_id == wanted.manufacturer)
            and (wanted.model is None or token.model == wanted.model)
            and pkcs11.TokenFlag.TOKEN_INITIALIZED in token.flags
        ]
        if len(found) != 1:
            what = "no token" if not found else f"{len(found)} tokens"
            raise ConfigError(
                f"{self.where}: {what} of that name in {self._module}",
                hint="is it plugged in? List them: pkcs11-tool --module FILE --list-token-slots",
            )
        (token,) = found
        if pkcs11.TokenFlag.USER_PIN_LOCKED in token.flags:
            raise ConfigError(f"{self.where}: {_REASONS['PinLocked'][0]}", hint=_REASONS["PinLocked"][1])
        return token

    def _only(self, session: Any, kind: Any) -> Any:
        found = self._all(session, kind)
        if len(found) != 1:
            what = "no key" if not found else f"{len(found)} keys"
            raise ConfigError(
                f"{self.where}: {what} of that name in the token",
                hint="name it by label and id: pkcs11:token=…;object=…;id=%01",
            )
        return found[0]

    def _all(self, session: Any, kind: Any) -> list[Any]:
        pkcs11 = extra("pkcs11", "pkcs11")
        wanted: dict[Any, Any] = {pkcs11.Attribute.CLASS: kind}
        if self._uri.object is not None:
            wanted[pkcs11.Attribute.LABEL] = self._uri.object
        if self._uri.id is not None:
            wanted[pkcs11.Attribute.ID] = self._uri.id
        return list(session.get_objects(wanted))

    def _find_public(self, session: Any) -> bytes:
        """Read the public half, which tokens show without a PIN: as a key, or as the key's certificate."""
        pkcs11 = extra("pkcs11", "pkcs11")
        if not self._all(session, pkcs11.ObjectClass.PUBLIC_KEY):
            certificate = self._only(session, pkcs11.ObjectClass.CERTIFICATE)[pkcs11.Attribute.VALUE]
            key = x509.load_der_x509_certificate(certificate).public_key()
            if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
                raise self._not_p256()
            return spki(key)
        public = self._only(session, pkcs11.ObjectClass.PUBLIC_KEY)
        if public[pkcs11.Attribute.KEY_TYPE] != pkcs11.KeyType.EC:
            raise self._not_p256()
        if public[pkcs11.Attribute.EC_PARAMS] != _P256:
            raise self._not_p256()
        point: bytes = public[pkcs11.Attribute.EC_POINT]
        if len(point) != _POINT_BYTES:  # PKCS#11 v2.40 §2.3.3 has it in an OCTET STRING; some tokens do not
            point = point.removeprefix(_OCTET_STRING)
        try:
            return spki(ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point))
        except ValueError as error:
            raise InfrastructureError(
                f"{self.where}: the token gives a public key that does not parse"
            ) from error

    def _not_p256(self) -> ConfigError:
        return ConfigError(
            f"{self.where}: not an ECDSA P-256 key",
            hint="make one: pkcs11-tool --keypairgen --key-type EC:prime256v1",
        )

    def _explain(self, error: Exception) -> PratiqueError:
        name = type(error).__name__
        if name in _REASONS:
            what, hint = _REASONS[name]
            return ConfigError(f"{self.where}: {what}", hint=hint)
        if "loading" in str(error):
            return ConfigError(
                f"{self._module}: not a PKCS#11 module that can be loaded",
                hint=f"check the path, or ${MODULE_VARIABLE}",
            )
        said = str(error) or name
        return InfrastructureError(f"{self.where}: the token failed: {said[:200]}", hint="is it still there?")


def _asks_again(key: Any, pkcs11: Any) -> bool:
    """Say whether the key wants the PIN before each signature (CKA_ALWAYS_AUTHENTICATE)."""
    try:
        return bool(key[pkcs11.Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.PKCS11Error:
        return False  # tokens older than the attribute


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a key and its public half in a token; the PIN is asked for when it first signs (I/O).

    Raises:
        UsageError: not an RFC 7512 URI that names a key.
        ConfigError: no module, no such token or key, or one of another kind.
        InfrastructureError: the token failed.
    """
    parsed = parse_pkcs11_uri(uri.rest)
    module = parsed.module or world.environ.get(MODULE_VARIABLE, "")
    if not module:
        raise ConfigError(
            f"{uri}: which PKCS#11 module?",
            hint=f"add ?module-path=/usr/lib/…/module.so, or set ${MODULE_VARIABLE}",
        )
    try:
        return Pkcs11Key(str(uri), parsed, module, world)
    except SignatureInvalidError as error:
        raise ConfigError(f"{uri}: {error.message}") from error
