"""`pratique log send`: hand evidence over to the team's server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.session import Session, read_bounded, session_options
from pratique.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from pratique.flow.send import Sent, Team


@click.command("send")
@click.argument("bundles", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--about", metavar="ARTIFACT", help="What roles signed here about a file or a digest.")
@session_options
def send(session: Session, *, bundles: tuple[Path, ...], about: str | None) -> None:
    """Hand BUNDLEs over to the server that pratique.toml names ([trust] server), for its journal.

    It takes statements that a token's identity signed under its own root at most 15 minutes ago. What it
    gives back, with its journal's proof, replaces each file. With --about, what this installation's roles
    signed goes there, where the server knows its root; `ship` does that by itself.
    """
    if bool(bundles) == bool(about):
        raise UsageError("what is to be sent?", hint="bundles' files, or --about ARTIFACT")
    whom = team(session)
    if whom is None:
        raise UsageError("no server is named", hint='[trust] server = "https://…" and root in pratique.toml')
    if about is None:
        done = [(str(file), hand_over(whom, file)) for file in bundles]
    else:
        done = _own(session, whom, about)
    body = [{"bundle": file, "evidence": str(sent.digest), "logIndex": sent.index} for file, sent in done]

    def human() -> None:
        for file, sent in done:
            click.echo(f"{file}: {sent.digest}, entry {sent.index} at {whom.url}")

    session.emit({"server": whom.url, "sent": body}, human)


def _own(session: Session, whom: Team, about: str) -> list[tuple[str, Sent]]:
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.send import send_own  # noqa: PLC0415 - likewise

    workspace = session.workspace()
    found = find_artifact(workspace, session.project, about)
    return [(str(digest), sent) for digest, sent in send_own(workspace, whom, found.digest)]


def team(session: Session) -> Team | None:
    """Give the server that the project around the folder names, if any.

    Raises:
        ConfigError: it names one whose trusted root is not in use here.
    """
    from pratique.flow.config import find_file  # noqa: PLC0415 - only verbs that need it pay for it
    from pratique.flow.send import team_of  # noqa: PLC0415 - pulls in cryptography

    return team_of(session.project, session.home) if find_file(session.folder) else None


def hand_over(whom: Team, file: Path) -> Sent:
    """Hand a bundle's file over, and write what came back in its place.

    Raises:
        EvidenceInvalidError, PolicyRefusedError, InfrastructureError: see `flow.send.send`; the file stays.
    """
    from pratique.flow.send import send as send_bundle  # noqa: PLC0415 - pulls in cryptography
    from pratique.store.atomic import write_atomic  # noqa: PLC0415 - likewise
    from pratique.trust.bundle import MAX_BUNDLE_BYTES  # noqa: PLC0415 - likewise

    try:
        sent = send_bundle(whom, read_bounded(file, MAX_BUNDLE_BYTES), what=str(file))
    except InfrastructureError as error:
        raise InfrastructureError(
            f"{error.message}; it is not known to be in the journal of {whom.url}",
            hint=f"{file} has the signature: within 15 minutes of it, pratique log send {file}",
        ) from error
    write_atomic(file, sent.bundle)
    return sent
