"""`pratique log`: look into the journal, check it, rebuild its index."""

from __future__ import annotations

import click

from pratique.cli.session import Session, given_digest, session_options
from pratique.model.predicate import SHORT_NAMES, short_name


@click.group("log")
def command() -> None:
    """Look into the journal, check it, rebuild its index."""


@command.command("list")
@click.option("--about", help="Only evidence about this artifact digest.")
@click.option("--type", "predicate_type", help="Only this predicate type, by short name or URI.")
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(min=1), help="How many.")
@session_options
def list_entries(session: Session, *, about: str | None, predicate_type: str | None, limit: int) -> None:
    """List the newest entries. They are not verified here; see: pratique verify."""
    digest = None if about is None else given_digest(about)
    kind = None if predicate_type is None else SHORT_NAMES.get(predicate_type, predicate_type)
    found = session.workspace().journal.find(subject=digest, predicate_type=kind)[:limit]
    body = [
        {
            "index": item.index,
            "evidence": str(item.digest),
            "predicateType": item.predicate_type,
            "subjects": [{"name": subject.name, "digest": subject.digest} for subject in item.subjects],
        }
        for item in found
    ]

    def human() -> None:
        for item in found:
            names = ", ".join(subject.name for subject in item.subjects)
            click.echo(f"{item.index:>6}  {item.digest.short}  {short_name(item.predicate_type):<15} {names}")

    session.emit({"entries": body}, human)


@command.command("check")
@session_options
def check(session: Session) -> None:
    """Check the whole log: entries, tiles, checkpoint, and the evidence of every entry.

    Nothing that the journal says about itself is believed; everything is hashed and compared anew.
    """
    report = session.workspace().journal.verify()
    body = {"origin": report.origin, "size": report.size, "root": report.root.hex()}
    session.emit(
        body,
        lambda: click.echo(
            f"the log {report.origin} is whole: {report.size} entries, root {report.root.hex()}"
        ),
    )


@command.command("repair")
@session_options
def repair(session: Session) -> None:
    """Complete what a killed writer left undone: tiles, checkpoint, bundles, index.

    Every command that opens the journal does this too; nothing that was committed is changed.
    """
    journal = session.workspace().journal
    journal.recover()
    head = journal.head()
    session.emit({"size": head.size}, lambda: click.echo(f"the journal is complete: {head.size} entries"))


@command.command("reindex")
@session_options
def reindex(session: Session) -> None:
    """Throw the index away and make it again from the log and its evidence."""
    journal = session.workspace().journal
    journal.rebuild_index()
    count = len(journal.find())
    session.emit({"entries": count}, lambda: click.echo(f"the index is rebuilt: {count} entries"))


@command.command("checkpoint")
@session_options
def checkpoint(session: Session) -> None:
    """Print the log's signed checkpoint, to be kept elsewhere and compared later."""
    text = session.workspace().journal.checkpoint()
    session.emit({"checkpoint": text}, lambda: click.echo(text, nl=False))
