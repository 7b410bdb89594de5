"""`pratique trust rotate`: new keys for the embedded root."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pratique.cli.secrets import ask_secret
from pratique.cli.session import Session, session_options
from pratique.errors import UsageError
from pratique.model.clock import format_time

if TYPE_CHECKING:
    from pratique.flow.rotate import Rotated


def remote_keys(texts: tuple[str, ...]) -> dict[str, str]:
    """Read NAME=URI options.

    Raises:
        UsageError: a key is given twice, or without its URI.
    """
    pairs = [(name, uri) for name, _, uri in (text.partition("=") for text in texts)]
    remote = dict(pairs)
    if len(remote) != len(pairs) or not all(remote.values()):
        raise UsageError("a key is given twice, or without its URI", hint="--key ca=pkcs11:token=T;object=ca")
    return remote


@click.command("rotate")
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(["ca", "tsa", "ctlog", "log"]),
    help="Replace this key alone; without it, all four.  [repeatable]",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME=KEY",
    help="New key that is elsewhere, by URI.  [repeatable]",
)
@click.option(
    "--keep-old",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Copy the old keys there first, to be taken offline; without it, they are gone.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be replaced, and change nothing.")
@session_options
def command(
    session: Session, *, names: tuple[str, ...], keys: tuple[str, ...], keep_old: Path | None, dry_run: bool
) -> None:
    """Give the private trust root new keys; what the old ones signed stays evidence.

    The trusted root keeps the old keys with an end to their time, so that everything signed before verifies
    as it did. Its fingerprint changes: the old root names the new one in the journal, and an auditor who has
    the old fingerprint follows that.
    """
    from pratique.flow.rotate import ALL, Plan, foresee_rotation, rotate  # noqa: PLC0415 - cryptography

    plan = Plan(tuple(dict.fromkeys(names)) or ALL, remote_keys(keys), keep=keep_old)
    workspace = session.workspace()
    if dry_run:
        show_rotated(session, foresee_rotation(workspace, plan), keep_old)
        return
    done = rotate(workspace, plan, ask=ask_secret)
    session.workspace()  # opening it has the log's new key sign the head that the old one signed
    show_rotated(session, done, keep_old)


def show_rotated(session: Session, done: Rotated, kept: Path | None) -> None:
    """Print what a rotation did, or would do."""
    body: dict[str, Any] = {
        "previous": str(done.old),
        "fingerprint": str(done.new) if done.new else None,
        "rotatedAt": format_time(done.moment),
        "replaced": {
            name: {"previous": str(old), "key": str(new) if new else None}
            for name, (old, new) in done.replaced.items()
        },
        "oldKeys": str(kept) if kept else "destroyed",
        "evidence": str(done.evidence) if done.evidence else None,
    }

    def human() -> None:
        click.echo(f"old root   {done.old}")
        click.echo(f"new root   {done.new or 'nothing was changed'}")
        for name, (old, new) in done.replaced.items():
            then = f" until {format_time(done.moment)}, then {new.short}" if new else ""
            click.echo(f"  {name:<8} {old.short}{then}")
        if done.new is None:
            return
        click.echo(f"old keys   {f'copied to {kept}: take them offline' if kept else 'destroyed'}")
        click.echo("tell auditors the new fingerprint; whoever has the old one can follow it in the journal")
        click.echo("publish it again where others use it: pratique trust export; restart pratique serve")

    session.emit(body, human)
