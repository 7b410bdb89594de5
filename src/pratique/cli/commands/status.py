"""`pratique status`: what is live, and what a deployment still waits for."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode
from pratique.model.clock import format_time

_COLOURS = {"in-sync": "green", "drifted": "red", "unknown": "yellow"}


@click.command("status")
@click.option("-e", "--environment", help="Which environment.  [default: the only one in pratique.toml]")
@session_options
def command(session: Session, *, environment: str | None) -> int:
    """Say what is live in an environment, and whether it is still what was put there.

    The records come from the journal; the environment is looked at, every file of the release hashed again.
    Ends with 1 on drift, with 3 if it could not be looked at.
    """
    from pratique.flow.status import status  # noqa: PLC0415 - pulls in cryptography

    workspace, project = session.open()
    found = status(workspace, project, environment)
    live, drift = found.environment.live, found.drift
    body = {
        "environment": found.environment.name,
        "live": str(live.artifact) if live else None,
        "since": format_time(live.since) if live else None,
        "action": live.by.action if live else None,
        "decision": str(live.by.decision) if live else None,
        "approvers": list(found.approvers),
        "state": drift.state.value,
        "inSync": drift.state.value == "in-sync",
        "reasons": list(drift.reasons),
        "pending": str(found.pending) if found.pending else None,
        "waitingFor": found.waiting_for,
        "history": [
            {
                "index": step.index,
                "at": format_time(step.signed_at),
                "artifact": str(step.artifact),
                "action": step.action,
                "phase": step.phase,
                "reason": step.reason,
            }
            for step in found.environment.history
        ],
    }

    def human() -> None:
        state = click.style(drift.state.value, fg=_COLOURS[drift.state.value], bold=True)
        click.echo(f"{found.environment.name}: {state}")
        if live:
            click.echo(f"  live       {live.artifact}, since {format_time(live.since)}, by {live.by.action}")
            click.echo(
                f"  under      decision {live.by.decision.short}, approved by {', '.join(found.approvers)}"
            )
        else:
            click.echo("  live       nothing")
        for reason in drift.reasons:
            click.echo(f"  drift      {reason}")
        if found.pending:
            waits = f"waits for {found.waiting_for}" if found.waiting_for else "could go: pratique ship"
            click.echo(f"  newest     {found.pending.short} is not live, and {waits}")
        for step in found.environment.history:
            reason = f": {step.reason}" if step.reason else ""
            click.echo(
                f"  {step.index:>5}      {format_time(step.signed_at)}  {step.artifact.short}"
                f"  {step.action} {step.phase}{reason}"
            )

    session.emit(body, human)
    return {"in-sync": ExitCode.PASSED, "drifted": ExitCode.REFUSED, "unknown": ExitCode.UNKNOWN}[
        drift.state.value
    ]
