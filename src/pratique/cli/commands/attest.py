"""`pratique attest`: sign a claim about an artifact with a key of your own."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.secrets import ask_secret, key_option
from pratique.cli.session import Session, read_bounded, session_options

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("attest")
@click.argument("artifact", required=False)
@click.option("--type", "predicate_type", required=True, help="Predicate type: a short name, or its URI.")
@click.option("--predicate", type=_FILE, required=True, help="JSON file with the claim.")
@key_option
@session_options
def command(
    session: Session, *, artifact: str | None, predicate_type: str, predicate: Path, key: str
) -> None:
    """Sign a claim about ARTIFACT (by default the newest build) and journal it.

    Anybody with a key can claim anything; whether the claim counts is decided by policy, which knows who may
    sign what.
    """
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.attest import attest  # noqa: PLC0415
    from pratique.model.strict_json import MAX_BYTES, parse_json_object  # noqa: PLC0415

    body = parse_json_object(read_bounded(predicate, MAX_BYTES), what=str(predicate))
    project = session.project if artifact is None else None
    workspace = session.workspace()
    found = find_artifact(workspace, project, artifact)
    evidence = attest(
        workspace,
        found,
        predicate_type=predicate_type,
        body=body,
        key=key,
        ask=ask_secret,
    )
    session.emit(
        {"artifact": {"name": found.name, "digest": str(found.digest)}, "evidence": str(evidence)},
        lambda: click.echo(f"journalled {predicate_type} about {found.name} as {evidence}"),
    )
