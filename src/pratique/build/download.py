"""Download over HTTPS for `fetch`: bounded in size and time, no downgrade, no credential to another host.

What arrives is not trusted for having come over TLS; its digest is what counts. Plain HTTP is taken only
from this machine and from hosts that pip was told to trust.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from pratique.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

    from pratique.build.index import IndexConfig

_CHUNK: Final = 256 * 1024
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_GONE: Final = frozenset({404, 410})


class NotThereError(InfrastructureError):
    """The server says that there is nothing at this address."""


class Downloader:
    """Opens addresses as one pip configuration says.

    Args:
        config: proxy, certificates and trusted hosts.
        stall_seconds: how long a single read may take.
        total_seconds: how long one download may take.
    """

    def __init__(self, config: IndexConfig, *, stall_seconds: float = 30, total_seconds: float = 900) -> None:
        self._trusted = _LOOPBACK | {host.rpartition("@")[2].lower() for host in config.trusted_hosts}
        self._stall, self._total = stall_seconds, total_seconds
        try:
            # `cert` may be a file or a directory, as OpenSSL has it.
            place = Path(config.cert) if config.cert else None
            context = ssl.create_default_context(
                cafile=str(place) if place and not place.is_dir() else None,
                capath=str(place) if place and place.is_dir() else None,
            )
            if config.client_cert:
                context.load_cert_chain(config.client_cert)
        except (OSError, ValueError) as error:
            raise InfrastructureError(f"pip's certificates cannot be used: {error}") from error
        proxies = {"http": config.proxy, "https": config.proxy} if config.proxy else None
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(proxies),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
            _Redirects(self._allowed),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    def _allowed(self, url: str) -> bool:
        parts = urlsplit(url)
        port_free = (parts.hostname or "").lower()
        known = port_free in self._trusted or parts.netloc.rpartition("@")[2].lower() in self._trusted
        return parts.scheme == "https" or (parts.scheme == "http" and known)

    def get(self, url: str, *, max_bytes: int, accept: str = "*/*") -> tuple[bytes, str, str]:
        """Get a whole page: its bytes, content type, and the address it came from in the end.

        Raises:
            NotThereError: the server has nothing there.
            InfrastructureError: no connection, too large, too slow.
        """
        headers: list[tuple[str, str]] = []
        data = b"".join(self.stream(url, max_bytes=max_bytes, accept=accept, headers=headers))
        found = dict(headers)
        return data, found.get("type", ""), found.get("url", url)

    def stream(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str = "*/*",
        headers: list[tuple[str, str]] | None = None,
    ) -> Iterator[bytes]:
        """Give a download piece by piece.

        Raises:
            NotThereError: the server has nothing there.
            InfrastructureError: no connection, too large, too slow, or cut short.
        """
        shown = public(url)
        if not self._allowed(url):
            raise InfrastructureError(f"not an address to download from: {shown}", hint="use https")
        request = _request(url, accept)
        deadline = time.monotonic() + self._total
        received, expected = 0, None
        try:
            with self._opener.open(request, timeout=self._stall) as response:
                length = response.headers.get("Content-Length", "")
                expected = int(length) if length.isascii() and length.isdigit() else None
                if headers is not None:
                    headers += [("type", response.headers.get("Content-Type", "")), ("url", response.url)]
                # read1 gives what is there, so that a server which drips bytes meets the deadline too.
                while chunk := response.read1(_CHUNK):
                    received += len(chunk)
                    if received > max_bytes:
                        raise InfrastructureError(f"{shown}: more than the {max_bytes} bytes allowed")
                    if time.monotonic() > deadline:
                        raise InfrastructureError(f"{shown}: took longer than {self._total:g} seconds")
                    yield chunk
        except urllib.error.HTTPError as error:
            error.close()
            kind = NotThereError if error.code in _GONE else InfrastructureError
            raise kind(f"{shown}: the server answered {error.code}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InfrastructureError(f"{shown}: {_reason(error)}") from error
        if expected is not None and received != expected:
            raise InfrastructureError(f"{shown}: cut short after {received} of {expected} bytes")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, a few, and only to where a download would be allowed."""

    max_redirections = 5

    def __init__(self, allowed: object) -> None:
        self._allowed = allowed

    def redirect_request(  # noqa: PLR0917 - the signature is the base class's
        self,
        req: urllib.request.Request,
        fp: object,
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        downgrade = req.type == "https" and urlsplit(newurl).scheme != "https"
        if downgrade or not callable(self._allowed) or not self._allowed(newurl):
            raise urllib.error.URLError(f"redirected to where nothing is downloaded from: {public(newurl)}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _request(url: str, accept: str) -> urllib.request.Request:
    parts = urlsplit(url)
    bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))
    request = urllib.request.Request(bare, headers={"Accept": accept, "User-Agent": "pratique"})  # noqa: S310 - see `_allowed`
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # Unredirected: a redirect to another host must not carry it along.
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    return request


def public(url: str) -> str:
    """Write an address without user, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "the server stopped answering"
    return str(reason)[:200] or type(reason).__name__
