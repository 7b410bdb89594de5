"""`pratique trust`: the root of it all, and the people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pratique.cli.commands import trust_repository, trust_revoke, trust_rotate
from pratique.cli.secrets import ask_secret, new_passphrase
from pratique.cli.session import Session, session_options
from pratique.model.clock import format_time, system_clock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.trust.root import TrustedRoot


@click.group("trust")
def command() -> None:
    """Make the trust root; enrol the people who approve."""


command.add_command(trust_repository.export)
command.add_command(trust_repository.use)
command.add_command(trust_rotate.command)
command.add_command(trust_revoke.command)


@command.command("init")
@click.option(
    "--domain",
    default="pratique.local",
    show_default=True,
    help="Trust domain: names identities and the log.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME=KEY",
    help="Key of the authority (ca, tsa, ctlog) that is elsewhere, by URI.  [repeatable]",
)
@session_options
def init(session: Session, *, domain: str, keys: tuple[str, ...]) -> None:
    """Make a private trust root: certificate authority, timestamp authority, log.

    The keys stay in the state directory, readable by you alone, or in a token, an HSM or a key service where
    --key says so. Nothing is ever overwritten.
    """
    from pratique.flow.trust import init_trust  # noqa: PLC0415 - pulls in cryptography

    remote = trust_rotate.remote_keys(keys)
    root = init_trust(session.home, trust_domain=domain, clock=system_clock, remote=remote, ask=ask_secret)
    _print_root(session, root)


@command.command("show")
@session_options
def show(session: Session) -> None:
    """Show the trust root's fingerprint, which an auditor needs, others' roots in use, and nothing secret.

    Each key with its time: a root keeps the keys that were replaced.
    """
    from pratique.flow.trust import show_trust  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.trust_repository import other_roots  # noqa: PLC0415 - likewise

    _print_root(session, show_trust(session.home), other_roots(session.home))


def _print_root(session: Session, root: TrustedRoot, others: Mapping[str, TrustedRoot] | None = None) -> None:
    domain, file = root.tlogs[0].origin, session.home / "trust" / "trusted_root.json"
    body = {
        "fingerprint": str(root.fingerprint),
        "trustDomain": domain,
        "file": str(file),
        "keys": _keys(root),
        "others": {
            name: {"fingerprint": str(other.fingerprint), "keys": _keys(other)}
            for name, other in (others or {}).items()
        },
    }

    def human() -> None:
        click.echo(f"trust root   {root.fingerprint}")
        click.echo(f"trust domain {domain}")
        click.echo(f"file         {file}")
        for key in _keys(root):
            if key["until"]:
                click.echo(f"former key   {key['name']} {key['key']}, {key['since']} to {key['until']}")
        for name, other in (others or {}).items():
            click.echo(f"root {name:<7} {other.fingerprint}")
            click.echo(f"{'':<12} logs of {', '.join(sorted({log.origin for log in other.tlogs}))}")

    session.emit(body, human)


def _keys(root: TrustedRoot) -> list[dict[str, str | None]]:
    """List what a root names, and what each is believed for: `ca`, `tsa`, `ctlog`, `log`."""
    from pratique.trust.root import instance_key, instances  # noqa: PLC0415 - as above

    return [
        {
            "name": name,
            "key": str(instance_key(item)),
            "since": format_time(item.valid_for.start),
            "until": format_time(item.valid_for.end) if item.valid_for.end else None,
        }
        for name, found in instances(root).items()
        for item in found
    ]


@command.command("keygen")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase, or take $PRATIQUE_PASSPHRASE_FILE.")
@session_options
def keygen(session: Session, *, file: Path, encrypt: bool) -> None:
    """Make a key for a person: FILE, and FILE.pub to hand to the administrator."""
    from pratique.flow.trust import generate_key_pair  # noqa: PLC0415 - pulls in cryptography

    pair = generate_key_pair(file, passphrase=new_passphrase() if encrypt else None)
    body = {"private": str(pair.private), "public": str(pair.public), "key": f"sha256:{pair.key_id}"}
    session.emit(body, lambda: click.echo(f"made {pair.private} (keep it) and {pair.public} (hand it over)"))


@command.command("enrol")
@click.argument("person")
@click.option(
    "--key",
    required=True,
    metavar="KEY",
    help="The person's public key: a file (PEM, SSH or OpenPGP), or a key URI.",
)
@click.option("--email", "emails", multiple=True, help="Address the person commits under.  [repeatable]")
@click.option("--role", "roles", multiple=True, required=True, help="Role the person holds.  [repeatable]")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Last day, in UTC, on which it holds.")
@session_options
def enrol(
    session: Session,
    *,
    person: str,
    key: str,
    emails: tuple[str, ...],
    roles: tuple[str, ...],
    until: datetime | None,
) -> None:
    """Enrol PERSON: record whose key this is, and what they may approve.

    Name every address the person commits under: authors of a change cannot approve it.
    """
    from pratique.flow import trust  # noqa: PLC0415 - pulls in cryptography

    not_after = until.replace(tzinfo=UTC, hour=23, minute=59, second=59) if until else None
    enrolment, recorded = trust.enrol(
        session.workspace(),
        person,
        public_key=key,
        ask=ask_secret,
        emails=emails,
        roles=roles,
        not_after=not_after,
    )
    body = {
        "person": person,
        "key": f"sha256:{enrolment.key_id}",
        "roles": list(roles),
        "evidence": str(recorded.digest),
        "logIndex": recorded.index,
    }
    what = f"enrolled {person} as {', '.join(roles)}, with key {enrolment.key_id[:16]}"
    session.emit(body, lambda: click.echo(what))


@command.command("people")
@session_options
def people(session: Session) -> None:
    """List the people enrolled now."""
    community = session.workspace().community
    now = system_clock()
    listed: list[dict[str, Any]] = [
        {
            "person": key.person,
            "emails": list(key.emails),
            "roles": list(key.roles_at(now)),
            "key": f"sha256:{key_id}",
            "valid": key.valid_at(now),
            "notAfter": format_time(key.not_after) if key.not_after else None,
        }
        for key_id, key in sorted(community.keys.items(), key=lambda item: item[1].person)
    ]

    def human() -> None:
        for row in listed:
            held = ", ".join(row["roles"]) or "no role"
            state = held if row["valid"] else f"no longer valid, since {row['notAfter']}"
            click.echo(f"{row['person']:<16} {state}")
            click.echo(
                f"{'':<16} {', '.join(row['emails']) or 'no address, so no approval of theirs counts'}"
            )
            click.echo(f"{'':<16} {row['key']}")
        if not listed:
            click.echo("nobody is enrolled; see: pratique trust enrol --help")

    session.emit({"people": listed}, human)
