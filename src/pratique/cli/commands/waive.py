"""`pratique waive`: accept a violation for a while, with your own key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.secrets import ask_secret, key_option
from pratique.cli.session import Session, session_options
from pratique.errors import MalformedError, UsageError
from pratique.model.clock import format_time, parse_time

if TYPE_CHECKING:
    from datetime import datetime

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("waive")
@click.argument("code")
@click.option("--term", multiple=True, help="The violation's whole term, part by part.")
@click.option("--purl", help="Instead: any violation of the code about this package URL.")
@click.option("--artifact", help="A file, a digest, or the word `any`.  [default: the newest build]")
@click.option("--reason", required=True, help="Why it is acceptable; the decision shows it.")
@click.option("--ticket", help="Where the cure is being worked on.")
@click.option("--severity-limit", type=click.Choice(["critical", "high", "medium", "low"]),
              help="Do not cover it if it becomes graver.")  # fmt: skip
@click.option("--until", required=True, metavar="DATE", help="Last day (UTC), or an RFC 3339 time.")
@key_option
@session_options
def command(
    session: Session,
    *,
    code: str,
    term: tuple[str, ...],
    purl: str | None,
    artifact: str | None,
    reason: str,
    ticket: str | None,
    severity_limit: str | None,
    until: str,
    key: str,
) -> None:
    """Accept the violation CODE of the newest decision on an artifact, for a reason and for a while.

    The violation stays in every decision, marked as waived, with your name. Grave ones take several people.
    With `--artifact any`, whatever today's policy refuses for it is covered, until the policy changes.
    """
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.waive import Wish, waive  # noqa: PLC0415
    from pratique.policy.waivers.waiver import ANY_ARTIFACT, Scope  # noqa: PLC0415

    workspace, project = session.open()
    every = artifact == ANY_ARTIFACT
    found = find_artifact(workspace, project, None if every else artifact)
    meant = ANY_ARTIFACT if every else str(found.digest)
    scope = Scope(code=code, artifact=meant, term=term or None, purl=purl)
    wish = Wish(
        scope=scope, reason=reason, not_after=_end(until), ticket=ticket, severity_limit=severity_limit
    )
    waived = waive(workspace, project, found, wish, key, ask=ask_secret)
    covered = [
        {"code": item.finding.code, "term": item.finding.term, "severity": item.finding.severity,
         "owed": item.owed}
        for item in waived.covered
    ]  # fmt: skip
    body = {
        "person": waived.waiver.person,
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "scope": waived.waiver.to_predicate()["scope"],
        "notAfter": format_time(waived.waiver.not_after),
        "evidence": str(waived.evidence),
        "covered": covered,
    }

    def human() -> None:
        click.echo(f"{waived.waiver.person} waives {code} of {'any artifact' if every else found.name}")
        click.echo(f"  holds      until {format_time(waived.waiver.not_after)}")
        for item in waived.covered:
            missing = f"{item.owed} more people owed" if item.owed else "enough people"
            about = " ".join(item.finding.term) or item.finding.code
            click.echo(f"  covers     {about} ({item.finding.severity}): {missing}")
        click.echo("  next       pratique gate")

    session.emit(body, human)


def _end(text: str) -> datetime:
    """Read a moment; a day alone means its last second in UTC."""
    try:
        if len(text) == len("2026-12-31"):
            return parse_time(f"{text}T23:59:59Z")
        return parse_time(text)
    except (MalformedError, OverflowError) as error:
        raise UsageError(f"--until: {text[:40]!r} is no date", hint="write 2026-12-31") from error
