"""`pratique approve`: agree to a deployment with your own key."""

from __future__ import annotations

import click

from pratique.cli.secrets import ask_secret, key_option
from pratique.cli.session import Session, session_options
from pratique.model.clock import format_time


@click.command("approve")
@click.argument("artifact", required=False)
@key_option
@click.option("-e", "--environment", help="Where to.  [default: the only one in pratique.toml]")
@click.option("--comment", default="", help="A word for whoever reads the record.")
@session_options
def command(
    session: Session, *, artifact: str | None, key: str, environment: str | None, comment: str
) -> None:
    """Agree that ARTIFACT (by default the newest build) may enter an environment.

    What is signed is the artifact's digest, the environment, the decision and the plan, and how long the
    agreement holds. Authors of the change cannot approve it. Changed evidence or policy makes it void.
    """
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.consent import approve, consent_to, propose  # noqa: PLC0415

    workspace, project = session.open()
    found = find_artifact(workspace, project, artifact)
    proposal = propose(workspace, project, environment, found)
    approval, evidence = approve(workspace, proposal, key, ask=ask_secret, comment=comment)
    consent = consent_to(workspace, proposal)
    missing = [str(item) for item in consent.quorum.missing]
    body = {
        "person": approval.person,
        "environment": proposal.environment,
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "decision": str(proposal.decision),
        "plan": str(proposal.plan.digest),
        "notAfter": format_time(approval.not_after),
        "evidence": str(evidence),
        "missing": missing,
    }

    def human() -> None:
        click.echo(f"{approval.person} approves {found.name} {found.digest.short} for {proposal.environment}")
        click.echo(f"  decision   {proposal.decision.short}, plan {proposal.plan.digest.short}")
        click.echo(f"  holds      until {format_time(approval.not_after)}")
        click.echo(f"  missing    {'; '.join(missing) or 'nothing: pratique ship'}")

    session.emit(body, human)
