"""`pratique log`: look into the journal, check it, rebuild its index."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from pratique.cli.commands.log_send import send
from pratique.cli.commands.log_storage import fetch, push, restore, store
from pratique.cli.session import Session, given_digest, read_bounded, session_options
from pratique.errors import MalformedError, UsageError
from pratique.model.clock import format_time, system_clock
from pratique.model.predicate import SHORT_NAMES, short_name

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MAX_NOTE_BYTES = 256 * 1024


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
@click.option("--with-proof-from", "old", type=click.IntRange(min=0), metavar="SIZE",
              help="Put before it, for a witness, the proof that it continues the log of SIZE.")  # fmt: skip
@session_options
def checkpoint(session: Session, *, old: int | None) -> None:
    """Print the log's signed checkpoint, to be kept elsewhere and compared later.

    With a proof it is what a witness is asked (C2SP tlog-witness, add-checkpoint); SIZE is the size that the
    witness saw last, 0 the first time.
    """
    journal = session.workspace().journal
    if old is None:
        text = journal.checkpoint()
        session.emit({"checkpoint": text}, lambda: click.echo(text, nl=False))
        return
    from pratique.flow.witness import request_from  # noqa: PLC0415 - only witnesses need it

    request = request_from(journal, old)
    session.emit({"request": request}, lambda: click.echo(request, nl=False))


@command.command("collect")
@click.argument("cosigned", type=_FILE, required=False)
@click.option("--from", "url", help="Ask the witness at this address instead (C2SP tlog-witness).")
@click.option("--ca", type=_FILE, help="PEM of the authorities to believe there, in place of the system's.")
@click.option("--witness", "witnesses", multiple=True, required=True, type=_FILE,
              help="File with the verifier keys of witnesses to believe.  [repeatable]")  # fmt: skip
@session_options
def collect(
    session: Session, *, cosigned: Path | None, url: str | None, ca: Path | None, witnesses: tuple[Path, ...]
) -> None:
    """Keep a cosigned checkpoint that a witness gave back, or ask one for it over HTTP."""
    from pratique.flow.askwitness import ask_witness  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.witness import cosignatures, witnesses_given  # noqa: PLC0415 - as above

    if (cosigned is None) == (url is None):
        raise UsageError("it takes a file, or --from with an address", hint="pratique log collect --help")
    workspace, known = session.workspace(), witnesses_given(witnesses)
    if cosigned is None:
        held = ask_witness(workspace, url or "", known, ca_file=None if ca is None else str(ca))
    else:
        try:
            note = read_bounded(cosigned, _MAX_NOTE_BYTES).decode()
        except UnicodeDecodeError as error:
            raise MalformedError(f"{cosigned} is not UTF-8 text") from error
        held = cosignatures(workspace).collect(note, known, workspace.journal)
    body = {"size": held[0].size, "witnesses": [item.witness.name for item in held]}
    names = ", ".join(item.witness.name for item in held)
    session.emit(body, lambda: click.echo(f"size {held[0].size} is cosigned by {names}"))


@command.command("witnesses")
@session_options
def list_witnesses(session: Session) -> None:
    """List which witness cosigned which size of the log, and when; each is verified anew."""
    from pratique.flow.witness import cosignatures  # noqa: PLC0415 - pulls in cryptography

    rows = [
        {
            "size": item.size,
            "witness": item.witness.name,
            "vkey": str(item.witness),
            "cosignedAt": format_time(datetime.fromtimestamp(item.timestamp, UTC)),
        }
        for item in cosignatures(session.workspace()).held()
    ]

    def human() -> None:
        for row in rows:
            click.echo(f"{row['size']:>8}  {row['cosignedAt']}  {row['witness']}")
        if not rows:
            click.echo("nobody cosigned this log yet; see: pratique witness --help")

    session.emit({"cosignatures": rows}, human)


@command.command("prove")
@click.argument("evidence")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
              help="File to write, by custom NAME.tlog-proof.")  # fmt: skip
@session_options
def prove(session: Session, *, evidence: str, output: Path) -> None:
    """Write one file that proves EVIDENCE (a digest) to be in the log, and who witnessed it.

    The format is C2SP tlog-proof. It takes the checkpoint over the entry that most witnesses cosigned.
    """
    from pratique.flow.witness import prove as prove_evidence  # noqa: PLC0415 - pulls in cryptography
    from pratique.store.atomic import write_atomic  # noqa: PLC0415 - as above

    digest = given_digest(evidence)
    write_atomic(output, prove_evidence(session.workspace(), digest).encode(), mode=0o644)
    session.emit({"evidence": str(digest), "file": str(output)}, lambda: click.echo(f"wrote {output}"))


@command.command("follow")
@click.argument("log", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--state", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="What the monitor remembers; made by the first round.")  # fmt: skip
@click.option("--trusted-root", required=True, type=_FILE, help="Names the log's key.")
@click.option("--expect-identity", "expected", multiple=True, metavar="GLOB",
              help="Signers that may appear: spiffe://…, an e-mail address, or 'key <hex id>'.  "
              "[repeatable; default: anyone]")  # fmt: skip
@session_options
def follow(
    session: Session, *, log: Path, state: Path, trusted_root: Path, expected: tuple[str, ...]
) -> None:
    """Monitor LOG (its tiles, or a state directory, of this machine or a copy): one round, fit for cron.

    Everything new is hashed into the tree that was signed, and must continue what was seen before. A fork, a
    log that shrank, a changed entry and an unexpected signer end with exit code 4, and are not remembered.
    """
    from pratique.flow.monitor import follow_log  # noqa: PLC0415 - pulls in cryptography
    from pratique.trust.rootfile import load_root  # noqa: PLC0415 - as above

    root = load_root(trusted_root)
    found = follow_log(log, state=state, root=root, expected=expected, clock=system_clock).round
    body = {
        "origin": found.head.origin,
        "before": found.before,
        "size": found.head.size,
        "root": found.head.root.hex(),
    }
    new = found.head.size - found.before
    session.emit(
        body, lambda: click.echo(f"{found.head.origin}: {found.head.size} entries, {new} new; all as signed")
    )


for _command in (store, push, fetch, restore, send):
    command.add_command(_command)
