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
    """One issuer's keys, for many threads: one fetches, and who has keys to go on with does not wait.

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
        self._fetching: threading.Event | None = None

    def keys(self, kid: str) -> tuple[Jwk, ...]:
        """Give the keys, fetched anew when they are old or lack the one that a token names.

        Keys that cannot be fetched again are believed for a day.

        Raises:
            CouldNotCheckError: there are none, or none recent enough.
        """
        with self._lock:
            now = self._now()
            wanted = self._age() >= FRESH_SECONDS or (kid and all(key.kid != kid for key in self._keys))
            rested = self._tried is None or now - self._tried >= AGAIN_SECONDS
            mine, others = None, self._fetching
            if wanted and rested and others is None:
                self._tried, mine = now, threading.Event()
                self._fetching = mine
            needed = self._age() >= STALE_SECONDS
        reason = "could not be fetched"
        if mine is not None:
            reason = self._fetch_now(now, mine) or reason
        elif others is not None and needed:
            others.wait()
        with self._lock:
            if self._age() >= STALE_SECONDS:
                raise CouldNotCheckError(f"the keys of {self._url}: {reason}")
            return self._keys

    def _age(self) -> float:
        return STALE_SECONDS if self._fetched is None else self._now() - self._fetched

    def _fetch_now(self, now: float, done: threading.Event) -> str:
        """Fetch the keys; say what went wrong, if something did."""
        try:
            found = self._discover()
        except PratiqueError as error:
            return error.message
        else:
            with self._lock:
                self._keys, self._fetched = found, now
            return ""
        finally:
            with self._lock:
                self._fetching = None
            done.set()

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
