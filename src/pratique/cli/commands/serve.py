"""`pratique serve`: the private root as a service, or a registry."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.errors import UsageError
from pratique.model.clock import system_clock


@click.command("serve")
@click.option("--trust", is_flag=True, help="Serve the trust root: Fulcio v2, Rekor v2, RFC 3161, TUF.")
@click.option(
    "--registry", is_flag=True, help="Serve a registry for images: OCI distribution 1.1, on a folder."
)
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file.  [default: serve.toml or registry.toml in the state directory]",
)
@session_options
def command(session: Session, *, trust: bool, registry: bool, config: Path | None) -> None:
    """Serve the private trust root to other machines, or a registry for images, until stopped.

    Unmodified cosign, sigstore-python and npm's sigstore sign against the root. The registry needs no
    configuration on loopback. See docs/serve.md.
    """
    if trust == registry:
        raise UsageError(
            "one thing is served at a time", hint="say which: pratique serve --trust, or --registry"
        )
    try:
        (_serve_trust if trust else _serve_registry)(session, config)
    except ImportError as error:
        raise UsageError(
            f"the server's libraries are not installed ({error.name})", hint="pip install 'pratique[server]'"
        ) from error


def _ready(address: str) -> None:
    click.echo(f"serving on {address}", err=True)


def _serve_trust(session: Session, config: Path | None) -> None:
    from pratique.server.config import FILE_NAME, load_settings  # noqa: PLC0415 - an extra
    from pratique.server.run import run  # noqa: PLC0415 - an extra

    settings = load_settings(config or session.home / FILE_NAME)
    run(session.home, settings, clock=system_clock, ask=ask_secret, ready=_ready)


def _serve_registry(session: Session, config: Path | None) -> None:
    from pratique.server.registry.config import FILE_NAME, load_settings  # noqa: PLC0415 - an extra
    from pratique.server.registry.run import run  # noqa: PLC0415 - an extra

    settings = load_settings(config or session.home / FILE_NAME, required=config is not None)
    run(settings, ready=_ready)
