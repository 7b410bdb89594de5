"""`pratique rollback`: return to an earlier artifact, under today's policy."""

from __future__ import annotations

import click

from pratique.cli.render import deployed_lines
from pratique.cli.session import Session, given_digest, session_options


@click.command("rollback")
@click.option("-e", "--environment", help="Which environment.  [default: the only one in pratique.toml]")
@click.option("--to", metavar="DIGEST", help="Artifact to return to.  [default: the one live before]")
@session_options
def command(session: Session, *, environment: str | None, to: str | None) -> None:
    """Return an environment to an artifact that was live there before.

    The approvals it went live with hold. Its components are matched against today's advisories and today's
    policy decides again: an artifact that has become vulnerable is refused.
    """
    from pratique.flow.rollback import rollback  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.turn import turn  # noqa: PLC0415

    target = given_digest(to) if to is not None else None
    workspace, project = session.open()
    with turn(workspace, project):
        deployed = rollback(workspace, project, environment, target)

    def human() -> None:
        for line in deployed_lines(deployed):
            click.echo(line)

    session.emit(deployed.body(), human)
