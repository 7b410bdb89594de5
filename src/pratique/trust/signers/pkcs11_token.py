"""A key in a PKCS#11 token, whatever its kind: finding it, logging in, signing, and what tokens say."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, InfrastructureError, PratiqueError
from pratique.trust.keys import read_private_file
from pratique.trust.signers.extras import extra
from pratique.trust.signers.port import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.trust.signers.pkcs11_uri import Pkcs11Uri
    from pratique.trust.signers.port import Surroundings

MODULE_VARIABLE: Final = "PRATIQUE_PKCS11_MODULE"
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


class TokenKey(ABC):
    """A key in a token. A session lasts for one signature.

    Attributes:
        where: its URI, for messages.
        public_key: DER SubjectPublicKeyInfo.
        curves: how the token may name the key's curve (CKA_EC_PARAMS, DER).
    """

    curves: tuple[bytes, ...]

    def __init__(self, where: str, uri: Pkcs11Uri, module: str, world: Surroundings) -> None:
        self.where = where
        self._uri = uri
        self._module = module
        self._ask = world.ask
        self._pin: str | None = None
        with self._session(None) as session:
            self.public_key = self.find_public(session)

    @abstractmethod
    def find_public(self, session: Any) -> bytes:
        """Read the public half, which tokens show without a PIN (DER SubjectPublicKeyInfo)."""

    @abstractmethod
    def another_kind(self) -> ConfigError:
        """Say that the key is of another kind."""

    def sign_with(self, data: bytes, mechanism: str) -> bytes:
        """Sign by a mechanism of the token's. A wrong PIN is forgotten and never tried again."""
        pin = self._pin or self._get_pin()
        pkcs11 = extra("pkcs11", "pkcs11")
        with self._session(pin) as session:
            key = self.only(session, pkcs11.ObjectClass.PRIVATE_KEY)
            if key[pkcs11.Attribute.EC_PARAMS] not in self.curves:
                raise self.another_kind()
            how = {"mechanism": pkcs11.Mechanism[mechanism]}
            again = {"pin": pin} if _asks_again(key, pkcs11) else {}
            signature: bytes = key.sign(data, **how, **again)
        self._pin = pin
        return signature

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

    def only(self, session: Any, kind: Any) -> Any:
        """Find the one object of a class that has the key's name."""
        found = self.all(session, kind)
        if len(found) != 1:
            what = "no key" if not found else f"{len(found)} keys"
            raise ConfigError(
                f"{self.where}: {what} of that name in the token",
                hint="name it by label and id: pkcs11:token=…;object=…;id=%01",
            )
        return found[0]

    def all(self, session: Any, kind: Any) -> list[Any]:
        """Find the objects of a class that have the key's name."""
        pkcs11 = extra("pkcs11", "pkcs11")
        wanted: dict[Any, Any] = {pkcs11.Attribute.CLASS: kind}
        if self._uri.object is not None:
            wanted[pkcs11.Attribute.LABEL] = self._uri.object
        if self._uri.id is not None:
            wanted[pkcs11.Attribute.ID] = self._uri.id
        return list(session.get_objects(wanted))

    def point(self, session: Any, kind: Any) -> bytes:
        """Read the public key's point (CKA_EC_POINT), where there is a public key of that type and curve."""
        pkcs11 = extra("pkcs11", "pkcs11")
        public = self.only(session, pkcs11.ObjectClass.PUBLIC_KEY)
        if public[pkcs11.Attribute.KEY_TYPE] != kind:
            raise self.another_kind()
        if public[pkcs11.Attribute.EC_PARAMS] not in self.curves:
            raise self.another_kind()
        point: bytes = public[pkcs11.Attribute.EC_POINT]
        return point

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
