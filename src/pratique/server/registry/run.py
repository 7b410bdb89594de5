"""Run a registry in this process: one for a folder, until it is told to stop (I/O)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import UsageError
from pratique.server.asgi import Tls, listening, run_application
from pratique.server.registry.app import Registry, Rules
from pratique.server.registry.storage import Storage
from pratique.store.atomic import LockBusyError, locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.server.registry.config import Settings


def run(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are answered first.

    Args:
        settings: what registry.toml says.
        ready: told the address once connections are taken.

    Raises:
        UsageError: another registry serves this folder.
        ConfigError: the TLS files will not do.
        InfrastructureError: the address cannot be listened on, or the disk refused.
    """
    config = settings.config
    tls = Tls(settings.path(config.tls.certificate), settings.path(config.tls.key)) if config.tls else None
    if tls is not None:
        tls.check()
    root = settings.path(config.storage)
    rules = Rules(config.clients, config.anonymous, config.hosts(), config.body_seconds)
    try:
        with locked(root / "serve.lock", wait=0), listening(config.listen) as listener:
            storage = Storage(root, config.max_blob_bytes)
            try:
                run_application(
                    Registry(storage, rules).application(),
                    listener,
                    tls=tls,
                    header_seconds=config.body_seconds,
                    connections=config.connections,
                    ready=ready,
                )
            finally:
                storage.close()
    except LockBusyError as error:
        raise UsageError(f"another registry serves {root}: {error.message}", hint=error.hint) from error
