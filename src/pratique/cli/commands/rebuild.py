"""`pratique rebuild`: build again, differently, and compare."""

from __future__ import annotations

import click

from pratique.cli.render import verdict
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode


@click.command("rebuild")
@session_options
def command(session: Session) -> int:
    """Build again in a different environment, and compare bit by bit.

    Path, time zone, locale, umask, processors, host name and order differ. Equal or not, the result is
    evidence; the members that differ are named.
    """
    from pratique.flow.build import build, prepare  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.rebuild import rebuild  # noqa: PLC0415
    from pratique.flow.turn import turn  # noqa: PLC0415

    workspace, project = session.open()
    with turn(workspace, project):
        workbench = prepare(workspace, project)
        built = build(workspace, project, workbench)
        result = rebuild(workspace, workbench, built)
    body = {
        "artifact": {"name": built.artifact.name, "digest": str(built.artifact.digest)},
        "evidence": str(result.evidence),
        "identical": result.identical,
        "differences": list(result.differences),
    }

    def human() -> None:
        word, colour = ("IDENTICAL", "green") if result.identical else ("DIFFERENT", "red")
        click.echo(f"{verdict(word, colour)} {built.artifact.name}  {built.artifact.digest}")
        for name in result.differences:
            click.echo(f"  differs    {name}")

    session.emit(body, human)
    return ExitCode.PASSED if result.identical else ExitCode.REFUSED
