"""Connections to registries, kept open between requests: TLS with private CAs, proxies, time limits (I/O).

Certificates are where container tools look for them (containers-certs.d(5)): `*.crt` in
`certs.d/HOST[:PORT]` are authorities beside the system's, `NAME.cert` with `NAME.key` identifies the client.
"""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from pratique.errors import ConfigError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
CERTIFICATE_FOLDERS: Final = (
    "~/.config/containers/certs.d",
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
)
_MAX_IDLE: Final = 8

Origin = tuple[str, str, int | None]
"""Scheme, host and port."""


class Connections:
    """Open connections, by where they lead. Safe to share between threads.

    Args:
        timeout: seconds that a connection may be silent.
        authorities: PEM files of certificate authorities, beside the system's.
        folders: where `certs.d` folders are.
    """

    def __init__(
        self,
        timeout: float,
        authorities: Iterable[Path] = (),
        folders: Iterable[str] = CERTIFICATE_FOLDERS,
    ) -> None:
        self._lock = threading.Lock()
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._timeout = timeout
        self._authorities = tuple(authorities)
        self._folders = tuple(Path(folder).expanduser() for folder in folders)
        self._contexts: dict[Origin, ssl.SSLContext] = {}

    def knows(self, host: str, port: int | None) -> bool:
        """Say whether authorities are configured for a host: then it speaks TLS, wherever it is."""
        return bool(self._authorities or self._certificates(host, port))

    def take(self, origin: Origin) -> tuple[http.client.HTTPConnection, bool]:
        """Give a connection, and whether it has been used before: then it may be dead.

        Raises:
            ConfigError: a file of certificates cannot be used.
        """
        with self._lock:
            idle = self._idle.get(origin)
            if idle:
                return idle.pop(), True
        return self._open(origin), False

    def give_back(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        """Keep a connection whose last response was read to its end."""
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            if len(idle) < _MAX_IDLE:
                idle.append(connection)
                return
        connection.close()

    def __del__(self) -> None:
        # Repositories are values to those who use them; their connections end with the last of them.
        self.close()

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle = [connection for kept in self._idle.values() for connection in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _open(self, origin: Origin) -> http.client.HTTPConnection:
        scheme, host, port = origin
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self._timeout)
        context = self._context(origin)
        proxy = _proxy(host, port)
        if proxy is None:
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=context)
        via, headers = proxy
        connection = http.client.HTTPSConnection(
            via.hostname or "", via.port or 3128, timeout=self._timeout, context=context
        )
        connection.set_tunnel(host, port or 443, headers)
        return connection

    def _context(self, origin: Origin) -> ssl.SSLContext:
        with self._lock:
            if origin not in self._contexts:
                self._contexts[origin] = self._make_context(origin)
            return self._contexts[origin]

    def _make_context(self, origin: Origin) -> ssl.SSLContext:
        context = ssl.create_default_context()
        folders = self._certificates(origin[1], origin[2])
        authorities = [*self._authorities, *(file for folder in folders for file in folder.glob("*.crt"))]
        for file in authorities:
            try:
                context.load_verify_locations(file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{file}: no certificate authorities in PEM: {error}") from error
        for certificate in (file for folder in folders for file in sorted(folder.glob("*.cert"))):
            try:
                context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(f"{certificate}: cannot be used with its .key: {error}") from error
        return context

    def _certificates(self, host: str, port: int | None) -> list[Path]:
        name = host if port in {None, 443} else f"{host}:{port}"
        return [folder / name for folder in self._folders if (folder / name).is_dir()]


def _proxy(host: str, port: int | None) -> tuple[SplitResult, dict[str, str]] | None:
    """Find the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`), and what it wants to know."""
    given = urllib.request.getproxies().get("https")
    if not given or host in LOOPBACK or urllib.request.proxy_bypass(f"{host}:{port}" if port else host):
        return None
    via = urlsplit(given if "//" in given else f"http://{given}")
    if via.scheme != "http" or not via.hostname:
        raise InfrastructureError(
            f"a proxy of this kind is not used here: {via.scheme}://{via.hostname or ''}",
            hint="write it as http://HOST:PORT; what goes through it is encrypted all the same",
        )
    if via.username is None:
        return via, {}
    userinfo = f"{unquote(via.username)}:{unquote(via.password or '')}"
    return via, {"Proxy-Authorization": "Basic " + b64encode(userinfo.encode()).decode()}
