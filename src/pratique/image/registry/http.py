"""One HTTP exchange with a registry: authentication, redirects, time limits; secrets stay where they belong.

Credentials go to the registry and to the token service it names, over TLS (or to this machine itself), and
never along a redirect. Reading is bounded by the caller; a server that stalls runs into the time limit.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

import msgspec

from pratique.errors import InfrastructureError, MalformedError, UsageError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MAX_REDIRECTS: Final = 5
_MAX_TOKEN_BYTES: Final = 1 << 20
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


class Credentials(msgspec.Struct, frozen=True):
    """A user name and a password or token; never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user!r}, …)"

    @property
    def basic(self) -> str:
        """The value of an Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Reply:
    """A response whose body is read by the caller, and closed."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str:
        """Give a header, or nothing."""
        return self._response.getheader(name) or ""

    def read(self, size: int, /) -> bytes:
        """Read at most `size` bytes.

        Raises:
            InfrastructureError: the connection stalled, or was cut.
        """
        try:
            return self._response.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise InfrastructureError(f"the registry's answer was cut off: {_reason(error)}") from error

    def whole(self, limit: int) -> bytes:
        """Read the body, and refuse one that is longer than `limit`.

        Raises:
            MalformedError: it is longer.
        """
        data = bytearray()
        while chunk := self.read(min(1 << 16, limit + 1 - len(data))):
            data += chunk
            if len(data) > limit:
                raise MalformedError(f"the registry's answer is longer than {limit} bytes")
        return bytes(data)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Http:
    """Requests to one registry; keeps the tokens it was given, by what they are for."""

    def __init__(self, host: str, credentials: Credentials | None = None, timeout: float = 30.0) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?", host):
            raise UsageError(f"not a registry: {host[:80]!r}", hint="write it as registry.example.com:5000")
        self.host = host
        name = urlsplit(f"//{host}").hostname or ""
        self.base = f"{'http' if name in _LOOPBACK else 'https'}://{host}"
        self._credentials = credentials
        self._timeout = timeout
        self._authorization: dict[str, str] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Make a request; authenticate when asked to; follow redirects when only reading.

        Args:
            method: HTTP's.
            path: below the registry, or what it gave as a location.
            scope: what a token must allow, as `repository:NAME:pull,push`.
            headers: more headers.
            body: sent whole.

        Raises:
            InfrastructureError: no connection, or it was cut.
            UsageError: the registry wants other credentials.
        """
        url = urljoin(f"{self.base}/", path)
        for attempt in range(2):
            sent = {**(headers or {})}
            if scope in self._authorization and self._is_own(url):
                sent["Authorization"] = self._authorization[scope]
            reply = self._follow(method, url, sent, body)
            if reply.status != http.HTTPStatus.UNAUTHORIZED or attempt:
                return reply
            challenge = reply.header("WWW-Authenticate")
            reply.close()
            self._authorization[scope] = self._answer(challenge, scope)
        raise AssertionError  # pragma: no cover - the loop returns

    def _is_own(self, url: str) -> bool:
        return urlsplit(url)[:2] == urlsplit(self.base)[:2]

    def _follow(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> Reply:
        for _ in range(_MAX_REDIRECTS):
            reply = self._once(method, url, headers, body)
            if method not in {"GET", "HEAD"} or reply.status not in _REDIRECTS:
                return reply
            url = urljoin(url, reply.header("Location"))
            reply.close()
            if not self._is_own(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
        raise InfrastructureError(f"{self.host}: more than {_MAX_REDIRECTS} redirects")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, parts.port, timeout=self._timeout, context=context)
        elif parts.scheme == "http" and host in _LOOPBACK:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self._timeout)
        else:
            raise InfrastructureError(f"{self.host} leads to {parts.scheme}://{host}, which is not encrypted")
        target = quote(parts.path or "/", safe="/%:@+=,~") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target, body=body, headers=dict(headers))
            return Reply(connection, connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise InfrastructureError(f"no answer from {host}: {_reason(error)}") from error

    def _answer(self, challenge: str, scope: str) -> str:
        """Answer a challenge: with the password itself, or with a token got for it."""
        kind, _, rest = challenge.partition(" ")
        hint = "give a user and a password that the registry knows"
        if kind.lower() == "basic" and self._credentials:
            return self._credentials.basic
        if kind.lower() != "bearer":
            raise UsageError(f"{self.host} wants to know who asks", hint=hint)
        parameters = dict(_PARAMETER.findall(rest))
        realm = urljoin(f"{self.base}/", parameters.get("realm", ""))
        query = urlencode({"service": parameters.get("service", ""), "scope": scope})
        headers = {"Authorization": self._credentials.basic} if self._credentials else {}
        # The realm is the registry's to name; _once refuses one without TLS.
        reply = self._once("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers, None)
        try:
            if reply.status != http.HTTPStatus.OK:
                raise UsageError(f"{self.host} gives no token: HTTP {reply.status}", hint=hint)
            answer = parse_json_object(reply.whole(_MAX_TOKEN_BYTES), what=f"token from {self.host}")
        finally:
            reply.close()
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token):
            raise MalformedError(f"{self.host}: the token service's answer has no token")
        return f"Bearer {token}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
