"""`pratique deploy`: deploy an approved artifact."""

from __future__ import annotations

import click

from pratique.cli.render import deployed_lines
from pratique.cli.session import Session, session_options


@click.command("deploy")
@click.argument("artifact", required=False)
@click.option("-e", "--environment", help="Where to.  [default: the only one in pratique.toml]")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and touch nothing.")
@session_options
def command(session: Session, *, artifact: str | None, environment: str | None, dry_run: bool) -> None:
    """Deploy ARTIFACT (by default the newest build) under its newest decision and its approvals.

    The release is put in place beside the others, switched to atomically, started and checked; if it does not
    become healthy, what ran before is put back. Both ends are journalled.
    """
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.consent import consent_to, propose  # noqa: PLC0415
    from pratique.flow.deploy import gate_and_deploy  # noqa: PLC0415
    from pratique.flow.turn import turn  # noqa: PLC0415

    workspace, project = session.open()
    found = find_artifact(workspace, project, artifact)
    if dry_run:
        proposal = propose(workspace, project, environment, found)
        quorum = consent_to(workspace, proposal).quorum
        missing = "; ".join(str(item) for item in quorum.missing)
        body = {
            "dryRun": True,
            "environment": proposal.environment,
            "artifact": str(found.digest),
            "plan": str(proposal.plan.digest),
            "missing": [str(item) for item in quorum.missing],
        }
        what = (
            f"would deploy {found.name} {found.digest.short} to {proposal.environment}: {proposal.plan.path}"
        )
        session.emit(
            body,
            lambda: click.echo(f"{what}\n  approvals  {f'missing: {missing}' if missing else 'complete'}"),
        )
        return
    with turn(workspace, project):
        deployed = gate_and_deploy(workspace, project, environment, found)

    def human() -> None:
        for line in deployed_lines(deployed):
            click.echo(line)

    session.emit(deployed.body(), human)
