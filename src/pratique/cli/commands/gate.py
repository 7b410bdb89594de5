"""`pratique gate`: decide by policy whether an artifact may pass."""

from __future__ import annotations

import click

from pratique.cli.render import obstacle_lines, verdict
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode


@click.command("gate")
@click.argument("artifact", required=False)
@session_options
def command(session: Session, *, artifact: str | None) -> int:
    """Decide whether ARTIFACT (a file or a digest; by default the newest build) may pass.

    Verifies every piece of evidence about it, asks today's policy, and journals the decision as a signed
    verification summary. A file counts by its bytes, never by its name.
    """
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.gate import gate  # noqa: PLC0415

    workspace, project = session.open()
    found = find_artifact(workspace, project, artifact)
    decided = gate(workspace, project, found)
    decision = decided.decision
    body = {
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "verdict": decision.decision,
        "evidence": str(decided.evidence),
        "note": decided.note,
        "results": [
            {"code": item.code, "status": item.status.value, "message": item.msg, "solution": item.solution}
            for item in decision.results
        ],
    }

    def human() -> None:
        word, colour = ("PASSED", "green") if decision.allowed else ("REFUSED", "red")
        click.echo(f"{verdict(word, colour)} {found.name}  {found.digest}")
        for line in obstacle_lines(decided):
            click.echo(line)

    session.emit(body, human)
    return ExitCode.PASSED if decision.allowed else ExitCode.REFUSED
