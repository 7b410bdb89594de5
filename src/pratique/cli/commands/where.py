"""`pratique where`: where an artifact runs."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.model.clock import format_time


@click.command("where")
@click.argument("artifact")
@session_options
def command(session: Session, *, artifact: str) -> None:
    """Say in which environments ARTIFACT (a file or a digest) is live, by the records."""
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.status import where_is  # noqa: PLC0415

    workspace = session.workspace()
    found = find_artifact(workspace, None, artifact)
    live = where_is(workspace, found.digest)
    body = {
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "live": [
            {
                "environment": item.by.environment,
                "path": item.by.path,
                "since": format_time(item.since),
                "evidence": str(item.by.evidence),
            }
            for item in live
        ],
    }

    def human() -> None:
        for item in live:
            click.echo(f"{item.by.environment:<24} {item.by.path}  since {format_time(item.since)}")
        if not live:
            click.echo(f"{found.name} {found.digest.short} is live nowhere")

    session.emit(body, human)
