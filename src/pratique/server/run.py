"""Run the server in this process: one for a state directory, over TLS, until it is told to stop."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pratique.errors import ConfigError, UsageError
from pratique.flow.signing import key_opener, nobody_to_ask
from pratique.flow.storage import open_journal, storage_of
from pratique.flow.trust_repository import SERVED
from pratique.flow.verify import named_root
from pratique.server.app import make_app
from pratique.server.asgi import Tls, listening, run_application
from pratique.server.service import Service
from pratique.server.table import all_routes
from pratique.store.atomic import LockBusyError, locked
from pratique.trust.authority.init import Authority
from pratique.trust.rootfile import load_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette

    from pratique.model.clock import Clock
    from pratique.server.config import Settings
    from pratique.server.http import CallRefusedError
    from pratique.trust.root import TrustedRoot
    from pratique.trust.signers.port import AskSecret


@contextmanager
def serving(
    home: Path, settings: Settings, *, clock: Clock, ask: AskSecret = nobody_to_ask
) -> Iterator[Service]:
    """Open a state directory for serving, as the only server of it (I/O).

    Args:
        home: the state directory.
        settings: what serve.toml says.
        clock: the time.
        ask: gives PINs and passphrases, where the authority's keys need some.

    Raises:
        UsageError: another server runs on it.
        ConfigError: no trust root there, or a configuration that cannot be served.
        EvidenceInvalidError: the journal contradicts itself.
    """
    lock = home / "serve.lock"
    try:
        with locked(lock, wait=0):
            authority = Authority.load(home / "trust", clock, key_opener(ask, clock))
            with open_journal(home, authority, storage_of(home)) as journal:
                repository = home / "trust" / SERVED
                roots = {name: _root(home, name) for name in settings.config.evidence.roots}
                service = Service(
                    settings, authority, journal, repository=repository, roots=roots, clock=clock
                )
                try:
                    yield service
                finally:
                    service.close()
    except LockBusyError as error:
        if str(lock) not in error.message:
            raise
        raise UsageError(f"another server runs on {home}: {error.message}", hint=error.hint) from error


def _root(home: Path, name: str) -> TrustedRoot:
    file = named_root(home, name)
    if file is None:
        raise ConfigError(
            f"serve.toml: evidence.roots: no root {name!r} is in use here", hint="pratique trust use --help"
        )
    return load_root(file)


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


def run(
    home: Path, settings: Settings, *, clock: Clock, ask: AskSecret, ready: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are answered first (I/O).

    Args:
        home: the state directory.
        settings: what serve.toml says.
        clock: the time.
        ask: gives PINs and passphrases.
        ready: told the address once connections are taken.

    Raises:
        UsageError: another server runs on this state directory.
        ConfigError: the TLS files, the trust root or the configuration will not do.
        InfrastructureError: the address cannot be listened on.
    """
    config = settings.config
    tls = Tls(settings.path(config.tls.certificate), settings.path(config.tls.key)) if config.tls else None
    if tls is not None:
        tls.check()
    with serving(home, settings, clock=clock, ask=ask) as service, listening(config.listen) as listener:
        run_application(
            application(service),
            listener,
            tls=tls,
            header_seconds=config.limits.body_seconds,
            connections=config.limits.connections,
            ready=ready,
        )
