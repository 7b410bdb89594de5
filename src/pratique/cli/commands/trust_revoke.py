"""`pratique trust revoke`: what no longer counts, and from when on."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from pratique.cli.commands.trust_rotate import remote_keys
from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.model.clock import format_time


@click.command("revoke")
@click.argument("what")
@click.option(
    "--compromised-since",
    "since",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]),
    help="What is proven to be older still counts, in UTC; without it, nothing does.",
)
@click.option("--reason", default="", help="For people.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME=KEY",
    help="New key that is elsewhere, by URI, where WHAT is one of the root's.  [repeatable]",
)
@session_options
def command(
    session: Session, *, what: str, since: datetime | None, reason: str, keys: tuple[str, ...]
) -> None:
    """Revoke WHAT: ca, tsa, ctlog, log, key:sha256:…, certificate:sha256:… or evidence:sha256:….

    The revocation is signed evidence in the journal, and gate, deployment and audit go by it. A key that
    signs here now is replaced, as by trust rotate, and ends at that time in the trusted root.
    """
    from pratique.flow.revoke import revoke  # noqa: PLC0415 - pulls in cryptography

    done = revoke(
        session.workspace(),
        what,
        since=since.replace(tzinfo=UTC) if since else None,
        reason=reason,
        reopen=session.workspace,
        remote=remote_keys(keys),
        ask=ask_secret,
    )
    said = done.revocation
    body = {
        "kind": said.kind,
        "digest": str(said.digest),
        "since": format_time(said.since) if said.since else None,
        "logSize": said.log_size,
        "evidence": str(done.evidence),
        "previousRoot": str(done.rotated.old) if done.rotated else None,
        "fingerprint": str(done.rotated.new) if done.rotated else None,
        "enrolAgain": list(done.people),
    }

    def human() -> None:
        when = f"since {format_time(said.since)}" if said.since else "altogether"
        click.echo(f"revoked    {said.kind} {said.digest} {when}")
        if done.rotated:
            click.echo(f"old root   {done.rotated.old}")
            click.echo(f"new root   {done.rotated.new}")
            click.echo(
                "tell auditors the new fingerprint by another way: whoever has stolen keys can name a root"
            )
            click.echo("publish it again where others use it: pratique trust export; restart pratique serve")
        for person in done.people:
            click.echo(f"enrol again: {person}, whose enrolment no longer counts")

    session.emit(body, human)
