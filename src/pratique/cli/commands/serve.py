"""`pratique serve`: the private root as a service."""

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
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file.  [default: serve.toml in the state directory]",
)
@session_options
def command(session: Session, *, trust: bool, config: Path | None) -> None:
    """Serve the private trust root to other machines, until stopped.

    Unmodified cosign, sigstore-python and npm's sigstore sign against it. See docs/serve.md.
    """
    if not trust:
        raise UsageError("nothing to serve", hint="say what: pratique serve --trust")
    try:
        from pratique.server.config import FILE_NAME, load_settings  # noqa: PLC0415 - an extra
        from pratique.server.run import run  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"the server's libraries are not installed ({error.name})", hint="pip install 'pratique[server]'"
        ) from error
    settings = load_settings(config or session.home / FILE_NAME)

    def ready(address: str) -> None:
        click.echo(f"serving on {address}", err=True)

    run(session.home, settings, clock=system_clock, ask=ask_secret, ready=ready)
