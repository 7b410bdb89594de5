"""One HTTP exchange with a registry: authentication, redirects, retries, time limits.

Credentials go to the registry and to the token service it names, over TLS (or to this machine itself), and
never along a redirect. Reading is bounded by the caller; a server that stalls, or drips, runs into a time
limit; an answer that is shorter than announced is an error wherever it was cut.
"""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urljoin, urlsplit

from pratique.errors import InfrastructureError, MalformedError, UsageError
from pratique.image.registry.challenge import answer_challenge
from pratique.image.registry.connections import LOOPBACK, Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.image.registry.challenge import Credentials
    from pratique.image.registry.connections import Origin

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_PASSING: Final = frozenset((408, 429, 500, 502, 503, 504))
_MAX_REDIRECTS: Final = 5
_TRIES: Final = 4
_FIRST_WAIT: Final = 0.5
_MAX_WAIT: Final = 60.0
_DRIP_BYTES: Final = 4096  # a second, or it is no transfer
_DRIP_SECONDS: Final = 60.0
_READ: Final = 1 << 18
_REST: Final = 1 << 16


class Reply:
    """A response whose body is read by the caller, and closed; in a `with` block or by `close`."""

    def __init__(
        self, connections: Connections, origin: Origin, connection: http.client.HTTPConnection
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._connection = connection
        self._where = origin[1]
        self._response = connection.getresponse()
        self._started = time.monotonic()
        self._received = 0
        self.status = self._response.status
        self._left = self._response.length
        if self._left is None and not self._response.chunked:
            # Whether such an answer is whole nobody can tell: its head may have been cut off, too.
            self._response.close()
            raise http.client.BadStatusLine("an answer that does not say how long it is")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def header(self, name: str) -> str:
        """Give a header, or nothing."""
        return self._response.getheader(name) or ""

    def read(self, size: int, /) -> bytes:
        """Read at most `size` bytes; none is the end.

        Raises:
            InfrastructureError: the connection stalled, or was cut.
        """
        try:
            data = self._response.read1(min(size, _READ))
        except (OSError, http.client.HTTPException) as error:
            raise InfrastructureError(f"{self._where}: the answer was cut off: {reason(error)}") from error
        self._received += len(data)
        if not data and self._left is not None and self._received < self._left:
            raise InfrastructureError(
                f"{self._where}: the answer was cut off after {self._received} of {self._left} bytes"
            )
        seconds = time.monotonic() - self._started
        if seconds > _DRIP_SECONDS and self._received < seconds * _DRIP_BYTES:
            raise InfrastructureError(
                f"{self._where}: gave {self._received} bytes in {seconds:.0f} s, which is too little"
            )
        return data

    def whole(self, limit: int) -> bytes:
        """Read the body, and refuse one that is longer than `limit`.

        Raises:
            MalformedError: it is longer.
            InfrastructureError: see `read`.
        """
        data = bytearray()
        while chunk := self.read(min(1 << 16, limit + 1 - len(data))):
            data += chunk
            if len(data) > limit:
                raise MalformedError(f"{self._where}: the answer is longer than {limit} bytes")
        return bytes(data)

    def close(self) -> None:
        """Keep the connection if the body was read, or little of it is left; else close it."""
        left = None if self._left is None else self._left - self._received
        try:
            while left and left <= _REST and (data := self._response.read1(left)):
                left -= len(data)
        except (OSError, http.client.HTTPException):
            left = None
        done = left == 0 or self._response.isclosed()
        self._response.close()
        if done and self._connection.sock is not None:
            self._connections.give_back(self._origin, self._connection)
        else:
            self._connection.close()


class Http:
    """Requests to one registry; keeps the tokens it was given, by what they are for. Safe between threads.

    Args:
        host: name or address, and port; Docker Hub by its name `docker.io`.
        credentials: None to ask as nobody.
        timeout: seconds a connection may be silent.
        connections: by default its own.
        sleep: waits between tries.

    Raises:
        UsageError: not a host.
    """

    def __init__(
        self,
        host: str,
        credentials: Credentials | None = None,
        timeout: float = 30.0,
        *,
        connections: Connections | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?", host):
            raise UsageError(f"not a registry: {host[:80]!r}", hint="write it as registry.example.com:5000")
        self.host = host
        parts = urlsplit(f"//{host}")
        self._connections = connections or Connections(timeout)
        self._plain = parts.hostname in LOOPBACK and not self._connections.knows(parts.hostname, parts.port)
        where = "registry-1.docker.io" if host == "docker.io" else host
        self.base = f"{'http' if self._plain else 'https'}://{where}"
        self._credentials = credentials
        self._sleep = sleep
        self._lock = threading.Lock()
        self._authorization: dict[tuple[str, ...], str] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        scopes: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        once: bool = False,
    ) -> Reply:
        """Make a request; authenticate when asked to; follow redirects when only reading; try again.

        Args:
            method: HTTP's.
            path: below the registry, or what it gave as a location.
            scopes: what a token must allow, as `repository:NAME:pull,push`.
            headers: more headers.
            body: sent whole.
            once: do not repeat what failed on the way: the caller knows better how to go on.

        Raises:
            InfrastructureError: no connection, or it was cut, every time.
            UsageError: the registry wants other credentials.
        """
        url = self._join(f"{self.base}/", path)
        tries = 1 if once else _TRIES
        for attempt in range(tries):
            wait = _wait(attempt)
            try:
                reply = self._authenticated(method, url, scopes, dict(headers or {}), body)
            except InfrastructureError:
                if attempt + 1 == tries:
                    raise
            else:
                if reply.status not in _PASSING or attempt + 1 == tries:
                    return reply
                asked = reply.header("Retry-After")
                wait = min(float(asked), _MAX_WAIT) if asked.isascii() and asked.isdecimal() else wait
                reply.close()
            self._sleep(wait)
        raise AssertionError  # pragma: no cover - the loop returns

    def pause(self, attempt: int) -> None:
        """Wait before another try; longer each time, and not as long as others."""
        self._sleep(_wait(attempt))

    def close(self) -> None:
        """Close idle connections."""
        self._connections.close()

    def _authenticated(
        self, method: str, url: str, scopes: tuple[str, ...], headers: dict[str, str], body: bytes | None
    ) -> Reply:
        for attempt in range(2):
            known = self._authorization.get(scopes)
            sent = {**headers, "Authorization": known} if known and self._is_own(url) else headers
            reply = self._follow(method, url, sent, body)
            if reply.status != http.HTTPStatus.UNAUTHORIZED or attempt:
                return reply
            challenge = reply.header("WWW-Authenticate")
            reply.close()
            with self._lock:
                if self._authorization.get(scopes) == known:  # else another thread has just asked
                    self._authorization[scopes] = answer_challenge(
                        challenge, scopes, self._credentials, base=self.base, ask=self._once
                    )
        raise AssertionError  # pragma: no cover - the loop returns

    def _join(self, url: str, path: str) -> str:
        try:
            return urljoin(url, path)
        except ValueError as error:
            raise InfrastructureError(f"{self.host} leads to {path[:80]!r}, which is no address") from error

    def _is_own(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base)[:2]

    def _follow(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        for _ in range(_MAX_REDIRECTS):
            reply = self._once(method, url, headers, body)
            if method not in {"GET", "HEAD"} or reply.status not in _REDIRECTS:
                return reply
            location = reply.header("Location")
            reply.close()
            url = self._join(url, location)
            if not self._is_own(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
        raise InfrastructureError(f"{self.host}: more than {_MAX_REDIRECTS} redirects")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        try:
            parts = urlsplit(url)
            origin = (parts.scheme, parts.hostname or "", parts.port)
        except ValueError as error:
            raise InfrastructureError(f"{self.host} leads to {url[:80]!r}, which is no address") from error
        if origin[0] != "https" and not (origin[0] == "http" and self._plain and origin[1] in LOOPBACK):
            raise InfrastructureError(
                f"{self.host} leads to {origin[0]}://{origin[1]}, which is not encrypted"
            )
        target = quote(parts.path or "/", safe="/%:@+=,~") + (f"?{parts.query}" if parts.query else "")
        while True:
            connection, used = self._connections.take(origin)
            try:
                connection.request(method, target, body=body, headers=dict(headers))
                return Reply(self._connections, origin, connection)
            except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
                connection.close()
                # A connection that was kept open may have been closed by the other side in the meantime.
                if not (used and isinstance(error, ConnectionError)):
                    raise InfrastructureError(f"no answer from {origin[1]}: {reason(error)}") from error


def _wait(attempt: int) -> float:
    spread = random.uniform(1, 1.5)  # noqa: S311 - so that not all come back at once
    return _FIRST_WAIT * spread * 2.0**attempt


def reason(error: Exception) -> str:
    """Say what an error of the network was."""
    return str(error) or type(error).__name__
