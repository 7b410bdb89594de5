"""`pratique runner check`: the posture of the machine that builds."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode
from pratique.model.finding import Result, Severity

_COLOURS = {Result.PASS: "green", Result.FAIL: "red", Result.UNKNOWN: "yellow", Result.NOT_APPLICABLE: "cyan"}
_PROFILES = ("vm", "container", "kubernetes", "hosted")


@click.group("runner")
def command() -> None:
    """Check the machine that builds."""


@command.command("check")
@click.option(
    "--profile", type=click.Choice(_PROFILES), help="Judge as this kind of machine.  [default: detect]"
)
@click.option("-v", "--verbose", is_flag=True, help="Show the checks that pass or do not apply, too.")
@session_options
def check(session: Session, *, profile: str | None, verbose: bool) -> int:
    """Check this machine from inside: read-only, unprivileged, without a network.

    A check that cannot be carried out is unknown, never a pass. Ends with 1 if a critical check fails. Each
    check has a section in docs/runner-checks.md.
    """
    from pratique.flow.posture import check_runner, posture_line  # noqa: PLC0415
    from pratique.model.clock import system_clock  # noqa: PLC0415
    from pratique.runner.check import Profile  # noqa: PLC0415
    from pratique.runner.posture import predicate  # noqa: PLC0415

    posture = check_runner(
        system_clock, session.folder.resolve(), profile=Profile(profile) if profile else None
    )

    def human() -> None:
        for finding in posture.findings:
            if verbose or finding.result in {Result.FAIL, Result.UNKNOWN}:
                result = click.style(f"{finding.result.value:<14}", fg=_COLOURS[finding.result])
                click.echo(f"{finding.id:<8}{result}{finding.severity.value:<9}{finding.title}")
                if finding.detail:
                    click.echo(f"{'':<31}{finding.detail}")
                if finding.fix and finding.result is Result.FAIL:
                    click.echo(f"{'':<31}fix: {finding.fix}")
        click.echo(posture_line(posture))

    session.emit(predicate(posture), human)
    critical = any(
        finding.result is Result.FAIL and finding.severity is Severity.CRITICAL
        for finding in posture.findings
    )
    return ExitCode.REFUSED if critical else ExitCode.PASSED
