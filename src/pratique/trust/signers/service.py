"""JSON over HTTPS to a key service: time limits, bounded repeats, and errors that say what to do.

Signing twice harms nobody, so whatever looks passing (no connection, 429, 5xx) is tried again, a few times.
Redirects are not followed: credentials go to the address that was named, over TLS or to this machine alone.
"""

from __future__ import annotations

import http.client
import json
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pratique.errors import ConfigError, InfrastructureError, MalformedError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ATTEMPTS: Final = 4
SECONDS: Final = 15.0
MAX_BYTES: Final = 1 << 20
_LONGEST_WAIT: Final = 10.0
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OK: Final = range(200, 300)


class RefusedError(Exception):
    """The service answered, with an error: its status, and what it said.

    Attributes:
        status: the HTTP status.
        said: its message, shortened; services do not repeat credentials in it.
    """

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said


class Service:
    """One service at one address."""

    def __init__(
        self,
        address: str,
        *,
        where: str,
        headers: Callable[[], Mapping[str, str]],
        sleep: Callable[[float], None],
        ca_file: str | None = None,
    ) -> None:
        """Remember where it is; nothing is sent yet.

        Args:
            address: `https://host[:port][/prefix]`; `http` only to this machine.
            where: names the key in messages.
            headers: gives the headers with the credentials, asked for each time: they may expire.
            sleep: waits between attempts.
            ca_file: PEM of the authorities to believe in place of the system's.

        Raises:
            ConfigError: not such an address, or authorities that do not load.
        """
        parts = urlsplit(address)
        secure = parts.scheme == "https"
        if not parts.hostname or not (secure or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
            raise ConfigError(
                f"{where}: {address[:200]!r} is no https address", hint="credentials go over TLS only"
            )
        self._where = where
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._headers = headers
        self._sleep = sleep
        try:
            self._tls = ssl.create_default_context(cafile=ca_file) if secure else None
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{where}: {ca_file}: no certificates that load") from error

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        max_bytes: int = MAX_BYTES,
    ) -> dict[str, Any]:
        """Make one call and give the JSON object that comes back.

        Args:
            method: HTTP method.
            path: below the service's address.
            body: what is sent: JSON, or bytes that are.
            max_bytes: longest answer that is read.

        Raises:
            RefusedError: the service said no, in a way that repeating does not change.
            InfrastructureError: it could not be reached, or not in time, or kept failing.
        """
        problem, wait = "", 0.0
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(min(wait, _LONGEST_WAIT))
            wait = 0.5 * 2**attempt
            try:
                status, answer, after = self._once(method, path, body, max_bytes)
            except ssl.SSLCertVerificationError as error:
                raise InfrastructureError(
                    f"{self._where}: {self._host}: its certificate does not hold: {error.verify_message}",
                    hint="check the address, the authorities that are believed, and this machine's clock",
                ) from error
            except (OSError, http.client.HTTPException) as error:
                problem = getattr(error, "strerror", None) or str(error) or type(error).__name__
                continue
            if status in _OK:
                return self._parse(answer, max_bytes)
            if status not in _PASSING:
                raise RefusedError(status, _message(answer))
            problem = f"it answers {status}: {_message(answer)}"
            wait = float(after) if after.isdecimal() else wait
        raise InfrastructureError(
            f"{self._where}: {self._host} failed {ATTEMPTS} times: {problem}",
            hint="is it up and reachable, or does it limit requests? Try again later",
        )

    def _once(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None, max_bytes: int
    ) -> tuple[int, bytes, str]:
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=SECONDS, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Accept": "application/json", **self._headers()}
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._prefix + path, body=data, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(max_bytes + 1), response.getheader("Retry-After") or ""
        finally:
            connection.close()

    def _parse(self, answer: bytes, max_bytes: int) -> dict[str, Any]:
        try:
            return parse_json_object(answer, what="its answer", max_bytes=max_bytes)
        except MalformedError as error:
            raise InfrastructureError(f"{self._where}: {self._host}: {error.message}") from error


def _message(answer: bytes) -> str:
    """Find the message in an error: services put it in `errors`, `error`, `error.message` or `message`."""
    try:
        document: Any = json.loads(answer)
        found = document.get("errors") or document.get("error") or document.get("message") or ""
        if isinstance(found, dict):
            found = found.get("message") or found.get("code") or ""
        text = "; ".join(map(str, found)) if isinstance(found, list) else str(found)
    except (ValueError, AttributeError):
        text = ""
    return " ".join(text.split())[:200]
