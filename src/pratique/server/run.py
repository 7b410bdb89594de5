"""Run the server in this process: one for a state directory, over TLS, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from pratique.errors import ConfigError, InfrastructureError, UsageError
from pratique.flow.trust_repository import SERVED
from pratique.journal.journal import Journal
from pratique.server.app import make_app
from pratique.server.connection import deadline_protocol
from pratique.server.service import Service
from pratique.server.table import all_routes
from pratique.store.atomic import LockBusyError, locked
from pratique.store.blobs import BlobStore
from pratique.trust.authority.init import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

    from pratique.model.clock import Clock
    from pratique.server.config import Settings
    from pratique.server.http import CallRefusedError

MAX_HEADER_BYTES: Final = 32 * 1024
"""Of a request's line and headers; an OIDC token in the Authorization header is 1 to 4 KiB."""

STOP_SECONDS: Final = 20
KEEP_ALIVE_SECONDS: Final = 15


@contextmanager
def serving(home: Path, settings: Settings, *, clock: Clock) -> Iterator[Service]:
    """Open a state directory for serving, as the only server of it (I/O).

    Raises:
        UsageError: another server runs on it.
        ConfigError: no trust root there, or a configuration that cannot be served.
        EvidenceInvalidError: the journal contradicts itself.
    """
    lock = home / "serve.lock"
    try:
        with locked(lock, wait=0):
            authority = Authority.load(home / "trust", clock)
            blobs = BlobStore(home / "blobs")
            origin, log_key = authority.trust_domain, authority.log_key
            with Journal.open(home, log_key=log_key, origin=origin, blobs=blobs) as journal:
                repository = home / "trust" / SERVED
                service = Service(settings, authority, journal, repository=repository, clock=clock)
                try:
                    yield service
                finally:
                    service.close()
    except LockBusyError as error:
        if str(lock) not in error.message:
            raise
        raise UsageError(f"another server runs on {home}: {error.message}", hint=error.hint) from error


def application(service: Service) -> Starlette:
    """Make the ASGI application of a service."""

    def refused(path: str, error: CallRefusedError, address: str) -> None:
        if error.reason:
            service.audit.refused(path, error.reason, address)

    return make_app(
        all_routes(service),
        per_address=service.per_address,
        body_seconds=service.settings.config.limits.body_seconds,
        refused=refused,
    )


def run(home: Path, settings: Settings, *, clock: Clock, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are answered first (I/O).

    Args:
        home: the state directory.
        settings: what serve.toml says.
        clock: the time.
        ready: told the address once connections are taken.

    Raises:
        UsageError: another server runs on this state directory.
        ConfigError: the TLS files, the trust root or the configuration will not do.
        InfrastructureError: the address cannot be listened on.
    """
    logging.Formatter.converter = time.gmtime
    logging.basicConfig(level=logging.INFO, format="%(asctime)sZ %(levelname)s %(message)s")
    config = settings.config
    _check_tls(settings)
    with serving(home, settings, clock=clock) as service, _listening(config.listen) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                application(service),
                http=deadline_protocol(config.limits.body_seconds),
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level=logging.WARNING,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=MAX_HEADER_BYTES,
                limit_concurrency=config.limits.connections,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=STOP_SECONDS,
                ssl_certfile=settings.path(config.tls.certificate) if config.tls else None,
                ssl_keyfile=settings.path(config.tls.key) if config.tls else None,
            )
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave_to_uvicorn)
        ready(_address(listener, "https" if config.tls else "http"))
        server.run(sockets=[listener])


def _leave_to_uvicorn(*_: object) -> None:
    """Do nothing: uvicorn stops by itself, then raises the signal again, which would cut closing short."""


def _check_tls(settings: Settings) -> None:
    tls = settings.config.tls
    if tls is None:
        return
    certificate, key = settings.path(tls.certificate), settings.path(tls.key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"[tls] {certificate}, {key}: cannot be used: {error}") from error
    if key.stat().st_mode & 0o077:
        raise ConfigError(f"{key}: others than its owner can touch this key", hint=f"chmod 600 {key}")


@contextmanager
def _listening(listen: str) -> Iterator[socket.socket]:
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
