"""`pratique stop`: stop an environment's service."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options


@click.command("stop")
@click.option("-e", "--environment", help="Which environment.  [default: the only one in pratique.toml]")
@session_options
def command(session: Session, *, environment: str | None) -> None:
    """Stop an environment's service; what is deployed stays in place, and `pratique ship` starts it again."""
    from pratique.flow.status import stop_service  # noqa: PLC0415 - pulls in cryptography

    workspace, project = session.open()
    name = stop_service(workspace, project, environment)
    session.emit({"environment": name}, lambda: click.echo(f"the service of {name} is stopped"))
