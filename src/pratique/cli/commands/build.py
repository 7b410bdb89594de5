"""`pratique build`: build in the sandbox; `pratique build fetch`: get the locked inputs first."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.session import Session, session_options


@click.group("build", invoke_without_command=True)
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also copy the artifact into this folder.",
)
@session_options
def command(session: Session, *, output: Path | None) -> None:
    """Build in a sandbox, from locked inputs only.

    No network, read-only inputs, a fixed environment. The runner's posture is signed and journalled before
    anything of the project's runs; SLSA provenance afterwards. The same definition is not built twice.
    """
    if click.get_current_context().invoked_subcommand:
        return
    from pratique.flow.artifact import copy_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.build import build, prepare  # noqa: PLC0415
    from pratique.flow.turn import turn  # noqa: PLC0415

    workspace, project = session.open()
    with turn(workspace, project):
        built = build(workspace, project, prepare(workspace, project))
    copied = copy_artifact(workspace, built.artifact, output) if output else None
    body = {
        "artifact": {"name": built.artifact.name, "digest": str(built.artifact.digest)},
        "evidence": str(built.provenance),
        "definition": str(built.definition),
        "reused": built.reused,
        "file": str(copied) if copied else None,
    }
    session.emit(
        body,
        lambda: click.echo(
            f"{built.artifact.name}  {built.artifact.digest}{f'  {copied}' if copied else ''}"
        ),
    )


@command.command("fetch")
@session_options
def fetch(session: Session) -> None:
    """Download what the lock files name, by hash, into the project's inputs folder.

    Uses the index that pip is configured for. Resolves nothing and executes nothing: a file whose hash is not
    locked is not kept. What is there already is not downloaded again.
    """
    from pratique.flow.fetch import fetch_inputs  # noqa: PLC0415

    fetched = fetch_inputs(session.project, session.progress)
    session.emit({"files": [str(path) for path in fetched]}, lambda: None)
