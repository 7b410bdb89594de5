"""`pratique explain`: why the last decision came out as it did."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.errors import UsageError


@click.command("explain")
@click.argument("artifact", required=False)
@session_options
def command(session: Session, *, artifact: str | None) -> None:
    """Say, rule by rule, why the last decision on ARTIFACT came out as it did, and what would cure it."""
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.gate import latest_decision  # noqa: PLC0415
    from pratique.model.strict_json import parse_json_object  # noqa: PLC0415
    from pratique.policy.explain import explain, render  # noqa: PLC0415

    workspace, project = session.open()
    found = find_artifact(workspace, project, artifact)
    latest = latest_decision(workspace, found.digest)
    if latest is None:
        raise UsageError(
            f"{found.name}: there is no decision on {found.digest.short} yet", hint="pratique gate"
        )
    decision = latest[1]
    session.emit(
        parse_json_object(decision.encode(), what="decision"), lambda: click.echo(render(explain(decision)))
    )
