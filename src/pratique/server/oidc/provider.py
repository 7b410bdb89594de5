"""A provider's keys, found by OpenID Connect Discovery 1.0 and kept for a while."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from pratique.errors import CouldNotCheckError, PratiqueError
from pratique.model.strict_json import parse_json_object
from pratique.server.oidc.jws import Jwk, parse_jwks

if TYPE_CHECKING:
    from collections.abc import Callable

FRESH_SECONDS: Final = 3600.0
STALE_SECONDS: Final = 24 * 3600.0
AGAIN_SECONDS: Final = 30.0
"""How soon the keys are fetched again after a token named an unknown one, or a fetch failed."""


class Provider:
    """One issuer's keys. Safe to share between threads; one at a time fetches.

    Args:
        url: exactly the issuer's `iss`.
        fetch: gives the document at an address.
        now: monotonic seconds.
    """

    def __init__(self, url: str, fetch: Callable[[str], bytes], now: Callable[[], float]) -> None:
        self._url = url
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._keys: tuple[Jwk, ...] = ()
        self._fetched: float | None = None
        self._tried: float | None = None

    def keys(self, kid: str) -> tuple[Jwk, ...]:
        """Give the keys, fetched anew when they are old or lack the one that a token names.

        Keys that cannot be fetched again are believed for a day.

        Raises:
            CouldNotCheckError: there are none, or none recent enough.
        """
        with self._lock:
            now = self._now()
            age = STALE_SECONDS if self._fetched is None else now - self._fetched
            wanted = age >= FRESH_SECONDS or (kid and all(key.kid != kid for key in self._keys))
            rested = self._tried is None or now - self._tried >= AGAIN_SECONDS
            if wanted and rested:
                self._tried = now
                try:
                    self._keys, self._fetched = self._discover(), now
                    age = 0.0
                except PratiqueError as error:
                    if age >= STALE_SECONDS:
                        raise CouldNotCheckError(f"the keys of {self._url}: {error.message}") from error
            if age >= STALE_SECONDS:
                raise CouldNotCheckError(f"the keys of {self._url} could not be fetched")
            return self._keys

    def _discover(self) -> tuple[Jwk, ...]:
        address = f"{self._url.rstrip('/')}/.well-known/openid-configuration"
        document = parse_json_object(self._fetch(address), what=address)
        if document.get("issuer") != self._url:
            raise CouldNotCheckError(f"{address} is of another issuer")
        place = document.get("jwks_uri")
        if not isinstance(place, str):
            raise CouldNotCheckError(f"{address} does not say where the keys are")
        keys = parse_jwks(self._fetch(place))
        if not keys:
            raise CouldNotCheckError(f"{place} has no key that can be used")
        return keys


class FixedProvider:
    """Keys from a file, for an issuer that cannot be reached."""

    def __init__(self, keys: tuple[Jwk, ...]) -> None:
        self._keys = keys

    def keys(self, _kid: str) -> tuple[Jwk, ...]:
        """Give them."""
        return self._keys
