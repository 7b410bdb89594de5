"""Run an ASGI application in this process, over TLS, until it is told to stop (I/O)."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from pratique.errors import ConfigError, InfrastructureError
from pratique.server.connection import deadline_protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

MAX_HEADER_BYTES: Final = 32 * 1024
"""Of a request's line and headers; an OIDC token in the Authorization header is 1 to 4 KiB."""

STOP_SECONDS: Final = 20
KEEP_ALIVE_SECONDS: Final = 15


class Tls(msgspec.Struct, frozen=True):
    """PEM files: the certificate with its intermediates, leaf first, and its key."""

    certificate: Path
    key: Path

    def check(self) -> None:
        """See that they can be used, before anything is opened.

        Raises:
            ConfigError: they do not load or belong together, or others can touch the key.
        """
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS: {self.certificate}, {self.key}: cannot be used: {error}") from error
        if self.key.stat().st_mode & 0o077:
            raise ConfigError(
                f"{self.key}: others than its owner can touch this key", hint=f"chmod 600 {self.key}"
            )


def run_application(
    application: Starlette,
    listener: socket.socket,
    *,
    tls: Tls | None,
    header_seconds: float,
    connections: int,
    ready: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are answered first.

    Args:
        application: what answers.
        listener: from `listening`.
        tls: the server's certificate; None speaks plain HTTP.
        header_seconds: how long a request's headers may take to arrive.
        connections: open at the same time.
        ready: told the address once connections are taken.
    """
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ %(levelname)s %(message)s")
    server = uvicorn.Server(
        uvicorn.Config(
            application,
            http=deadline_protocol(header_seconds),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level=logging.WARNING,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            limit_concurrency=connections,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave_to_uvicorn)
    ready(_address(listener, "https" if tls else "http"))
    server.run(sockets=[listener])


@contextmanager
def listening(listen: str) -> Iterator[socket.socket]:
    """Listen on `HOST:PORT` or `unix:PATH` for the length of a `with` block.

    Raises:
        InfrastructureError: the address cannot be listened on.
    """
    path = Path(listen.removeprefix("unix:")) if listen.startswith("unix:") else None
    try:
        if path:
            path.unlink(missing_ok=True)  # nobody serves there: the lock says so
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(1024)
        else:
            host, _, port = listen.rpartition(":")
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.create_server((host.strip("[]"), int(port)), family=family, backlog=1024)
            # asyncio does this only for sockets that say TCP, and accepted ones say what the listener says
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, ValueError, OverflowError) as error:
        raise InfrastructureError(f"cannot listen on {listen}: {error}") from error
    try:
        yield listener
    finally:
        listener.close()
        if path:
            path.unlink(missing_ok=True)


def _address(listener: socket.socket, scheme: str) -> str:
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _leave_to_uvicorn(*_: object) -> None:
    """Do nothing: uvicorn stops by itself, then raises the signal again, which would cut closing short."""
