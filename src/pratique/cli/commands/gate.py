"""`pratique gate`: decide by policy whether an artifact may pass."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.render import obstacle_lines, verdict
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError

# The names of pratique.policy.formats.table, which need not be loaded to print help; a test compares.
FORMATS = ("sarif", "junit", "markdown", "conftest", "vsa", "svr")


@click.command("gate")
@click.argument("artifact", required=False)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), help="Also write the decision for another tool."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write it to.")
@session_options
def command(session: Session, *, artifact: str | None, form: str | None, output: Path | None) -> int:
    """Decide whether ARTIFACT (a file or a digest; by default the newest build) may pass.

    Verifies every piece of evidence about it, asks today's policy, and journals the decision as a signed
    verification summary. A file counts by its bytes, never by its name. A refusal ends with exit code 1,
    unless the policy is in mode warn or audit.
    """
    from msgspec import to_builtins  # noqa: PLC0415 - help needs click alone

    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.gate import gate  # noqa: PLC0415

    if (form is None) != (output is None):
        raise UsageError("--format and --output go together", hint="--format sarif --output gate.sarif")
    workspace, project = session.open()
    found = find_artifact(workspace, project, artifact)
    decided = gate(workspace, project, found)
    decision = decided.decision
    if form is not None and output is not None:
        from pratique.policy.formats.table import write_decision  # noqa: PLC0415 - who does not ask does not pay
        from pratique.store.atomic import write_atomic  # noqa: PLC0415

        written = write_decision(form, decision, decided.verifier)
        write_atomic(output, written, mode=0o644)
    body = {
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "verdict": decision.decision,
        "mode": decision.mode.value,
        "evidence": str(decided.evidence),
        "policy": str(decision.policy),
        "engine": {"name": decision.engine.name, "version": decision.engine.version},
        "note": decided.note,
        "results": [
            {
                "code": item.code,
                "status": item.status.value,
                "severity": item.severity,
                "message": item.msg,
                "term": list(item.term),
                "locations": to_builtins(item.locations),
                "solution": item.solution,
            }
            for item in decision.results
        ],
    }

    def human() -> None:
        if decision.mode == "audit" and not decision.allowed:
            click.echo(f"{found.name}  {found.digest}: refused, and recorded only (mode audit)")
            return
        word, colour = ("PASSED", "green") if decision.allowed else ("REFUSED", "red")
        click.echo(f"{verdict(word, colour)} {found.name}  {found.digest}")
        if not decision.allowed and not decision.stops:
            click.secho("  NOT ENFORCED: the policy is in mode warn", bold=True, fg="red")
        for line in obstacle_lines(decided):
            click.echo(line)

    session.emit(body, human)
    return ExitCode.REFUSED if decision.stops else ExitCode.PASSED
