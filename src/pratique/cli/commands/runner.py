"""`pratique runner`: the posture of the machine that builds, and its baseline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.session import Session, session_options
from pratique.errors import CouldNotCheckError, ExitCode
from pratique.model.finding import Result, Severity

if TYPE_CHECKING:
    from pratique.runner.posture import Posture

_COLOURS = {Result.PASS: "green", Result.FAIL: "red", Result.UNKNOWN: "yellow", Result.NOT_APPLICABLE: "cyan"}
_PROFILES = ("vm", "container", "kubernetes", "hosted")


@click.group("runner")
def command() -> None:
    """Check the machine that builds."""


@command.command("check")
@click.option(
    "--profile", type=click.Choice(_PROFILES), help="Judge as this kind of machine.  [default: detect]"
)
@click.option("--baseline", is_flag=True, help="Compare with the newest baseline of this machine, too.")
@click.option(
    "--sarif",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what failed and what is unknown as SARIF 2.1.0, too.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the checks that pass or do not apply, too.")
@session_options
def check(session: Session, *, profile: str | None, baseline: bool, sarif: Path | None, verbose: bool) -> int:
    """Check this machine from inside: read-only, unprivileged, without a network.

    A check that cannot be carried out is unknown, never a pass. Ends with 1 if a critical check fails. Each
    check has a section in docs/runner-checks.md.
    """
    from pratique.flow.posture import check_runner, find_baseline, posture_line  # noqa: PLC0415
    from pratique.model.clock import system_clock  # noqa: PLC0415
    from pratique.runner.check import Profile  # noqa: PLC0415
    from pratique.runner.posture import predicate  # noqa: PLC0415

    folder = session.folder.resolve()
    known = find_baseline(session.workspace(), folder) if baseline else None
    if baseline and known is None:
        raise CouldNotCheckError(
            "the journal has no baseline of this machine", hint="record one with: pratique runner baseline"
        )
    posture = check_runner(system_clock, folder, profile=Profile(profile) if profile else None, known=known)
    if sarif:
        _write_sarif(posture, sarif)

    def human() -> None:
        _table(posture, verbose=verbose)
        click.echo(posture_line(posture))

    session.emit(predicate(posture), human)
    critical = any(
        finding.result is Result.FAIL and finding.severity is Severity.CRITICAL
        for finding in posture.findings
    )
    return ExitCode.REFUSED if critical else ExitCode.PASSED


@command.command("baseline")
@session_options
def baseline(session: Session) -> None:
    """Record this machine as it is; later measurements name what changed since.

    Tools by digest, what is on the search path, setuid programs, kernel settings and accounts, signed by the
    role runner. Record it when you know the machine to be in order, and again after an update you meant.
    """
    from pratique.flow.posture import record_baseline  # noqa: PLC0415 - only verbs that work pay for it

    subject, known = record_baseline(session.workspace(), session.folder.resolve())
    held = known.baseline
    commands = sum(len(names) for names in held.commands.values())
    result = {
        "evidence": str(known.evidence),
        "machine": {"name": subject.name, "digest": subject.digest},
        "recordedAt": held.recorded_at,
        "tools": len(held.tools),
        "commands": commands,
        "setuid": len(held.setuid),
        "sysctls": len(held.sysctls),
        "accounts": len(held.accounts),
    }

    def human() -> None:
        click.echo(f"baseline of {subject.name}: {known.evidence}")
        click.echo(
            f"  {len(held.tools)} tools, {commands} commands, {len(held.setuid)} setuid programs, "
            f"{len(held.sysctls)} kernel settings, {len(held.accounts)} accounts"
        )

    session.emit(result, human)


def _table(posture: Posture, *, verbose: bool) -> None:
    for finding in posture.findings:
        if verbose or finding.result in {Result.FAIL, Result.UNKNOWN}:
            result = click.style(f"{finding.result.value:<15}", fg=_COLOURS[finding.result])
            click.echo(f"{finding.id:<8}{result}{finding.severity.value:<9}{finding.title}")
            if finding.detail:
                click.echo(f"{'':<32}{finding.detail}")
            if finding.fix and finding.result is Result.FAIL:
                click.echo(f"{'':<32}fix: {finding.fix}")


def _write_sarif(posture: Posture, path: Path) -> None:
    from pratique import __version__  # noqa: PLC0415 - only this output pays for it
    from pratique.model.sarif import Rule, sarif_log  # noqa: PLC0415
    from pratique.model.strict_json import canonical_json  # noqa: PLC0415
    from pratique.runner.help import help_of  # noqa: PLC0415
    from pratique.runner.table import CHECKS  # noqa: PLC0415
    from pratique.store.atomic import write_atomic  # noqa: PLC0415

    severity = {finding.id: finding.severity for finding in posture.findings}
    rules = [
        Rule(id=item.id, title=item.title, help="\n\n".join(help_of(item)), severity=severity[item.id])
        for item in CHECKS
    ]
    log = sarif_log(posture.findings, rules, tool="pratique runner", version=__version__)
    write_atomic(path, canonical_json(log), mode=0o644)
