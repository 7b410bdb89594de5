"""`pratique ship`: the whole path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pratique.cli.render import deployed_lines, obstacle_lines, verdict, waived_lines
from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode

if TYPE_CHECKING:
    from pratique.flow.ship import Shipped


@click.command("ship")
@click.option("-e", "--environment", help="Where to.  [default: the only one in pratique.toml]")
@click.option(
    "--approve-with",
    metavar="KEY",
    multiple=True,
    help="Approve on the way, with this key (a file, or a key URI).  [repeatable]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do none of it.")
@session_options
def command(
    session: Session, *, environment: str | None, approve_with: tuple[str, ...], dry_run: bool
) -> int:
    """Take a project from source to a healthy deployment.

    Checks the runner, builds in a sandbox without a network, rebuilds in a different environment and
    compares, scans, decides by policy, and, once enough people have approved, deploys. Every step leaves
    signed evidence in the journal. What was done before on the same inputs is not done again, so after an
    interruption, or after the approvals, run it again. The first run in a state directory makes a private
    trust root there.
    """
    from pratique.flow.ship import Arrival, ship  # noqa: PLC0415 - pulls in everything
    from pratique.flow.trust import ensure_trust  # noqa: PLC0415
    from pratique.flow.turn import turn  # noqa: PLC0415
    from pratique.model.clock import system_clock  # noqa: PLC0415

    if dry_run:
        _foresee(session, environment)
        return ExitCode.PASSED
    project = session.project
    ensure_trust(session.home, clock=system_clock, progress=session.progress)
    workspace = session.workspace()
    with turn(workspace, project):
        shipped = ship(
            workspace,
            project,
            environment=environment,
            approve_with=approve_with,
            ask=ask_secret,
        )
    session.emit(_body(shipped), lambda: _summary(shipped))
    return {
        Arrival.LIVE: ExitCode.PASSED,
        Arrival.DECIDED: ExitCode.PASSED,
        Arrival.REFUSED: ExitCode.REFUSED,
        Arrival.AWAITING: ExitCode.AWAITING,
    }[shipped.arrival]


def _foresee(session: Session, environment: str | None) -> None:
    from pratique.flow.foresee import foresee  # noqa: PLC0415 - pulls in everything

    stages = foresee(*session.open(), environment)
    body = {
        "dryRun": True,
        "stages": [
            {"stage": item.stage, "reusable": item.reusable, "detail": item.detail} for item in stages
        ],
    }

    def human() -> None:
        for item in stages:
            click.echo(f"{'done already' if item.reusable else 'would':<13} {item.stage:<9} {item.detail}")

    session.emit(body, human)


def _body(shipped: Shipped) -> dict[str, object]:
    deployed = shipped.deployed
    return {
        "arrival": shipped.arrival.value,
        "artifact": {"name": shipped.artifact.name, "digest": str(shipped.artifact.digest)},
        "build": {
            "evidence": str(shipped.built.provenance),
            "definition": str(shipped.built.definition),
            "reused": shipped.built.reused,
        },
        "rebuild": {
            "evidence": str(shipped.rebuilt.evidence),
            "identical": shipped.rebuilt.identical,
            "differences": list(shipped.rebuilt.differences),
        },
        "scan": {
            "sbom": str(shipped.scanned.sbom),
            "vulns": str(shipped.scanned.vulns),
            "components": shipped.scanned.components,
            "vulnerabilities": list(shipped.scanned.vulnerabilities),
            "unknown": list(shipped.scanned.unknown),
        },
        "decision": {"evidence": str(shipped.decided.evidence), "verdict": shipped.decided.decision.decision},
        "sent": [str(digest) for digest in shipped.sent],
        "waitingFor": shipped.waiting_for,
        "deployment": deployed and deployed.body(),
    }


def _summary(shipped: Shipped) -> None:
    artifact = f"{shipped.artifact.name}  {shipped.artifact.digest}"
    click.echo()
    match shipped.arrival.value:
        case "live" if shipped.deployed:
            for line in (*deployed_lines(shipped.deployed), *waived_lines(shipped.decided)):
                click.echo(line)
            click.echo("  next       pratique report · pratique audit export · pratique status")
        case "awaiting-approval":
            click.echo(f"{verdict('WAITING', 'yellow')} {artifact}")
            click.echo(f"  policy     passed: decision {shipped.decided.evidence.short}")
            click.echo(f"  waits for  {shipped.waiting_for}")
            for line in waived_lines(shipped.decided):
                click.echo(line)
            click.echo("  next       pratique approve --key FILE, by each of them; then pratique ship again")
        case "refused":
            click.echo(f"{verdict('REFUSED', 'red')} {artifact}")
            for line in obstacle_lines(shipped.decided):
                click.echo(line)
        case _:
            click.echo(f"{verdict('PASSED', 'green')} {artifact}")
            click.echo("  next       add an [environments.NAME] table to pratique.toml to deploy it")
