"""`pratique report`: the chain and the SSDF tasks as one HTML file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from pratique.cli.session import Session, session_options


@click.command("report")
@click.argument("artifact", required=False)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"),
              show_default=True, help="File to write.")  # fmt: skip
@session_options
def command(session: Session, *, artifact: str | None, output: Path) -> None:
    """Write the report of ARTIFACT (by default the newest build) as one self-contained HTML file.

    It shows the chain from source to deployment, the decision rule by rule, and each SSDF task with the
    evidence that speaks for it, or what a person still has to declare. It has no scripts and loads nothing.
    """
    from pratique.flow.account import report  # noqa: PLC0415 - pulls in the template engine
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415

    project = session.project if artifact is None else None
    workspace = session.workspace()
    found = find_artifact(workspace, project, artifact)
    written = report(workspace, found, output.absolute())
    counts = Counter(result.status.value for result in written.tasks)
    body = {
        "file": str(written.path),
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "evidence": written.evidence,
        "ssdf": [
            {
                "task": result.task.id,
                "status": result.status.value,
                "evidence": [str(d) for d in result.evidence],
            }
            for result in written.tasks
        ],
    }

    def human() -> None:
        click.echo(f"wrote {written.path}")
        click.echo(f"  chain      {found.name}, {written.evidence} pieces of evidence")
        click.echo(f"  SSDF 1.1   {', '.join(f'{count} {status}' for status, count in counts.most_common())}")

    session.emit(body, human)
