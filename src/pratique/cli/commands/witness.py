"""`pratique witness`: vouch for somebody else's log."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.session import Session, read_bounded, session_options
from pratique.errors import UsageError
from pratique.model.clock import system_clock

_MAX_BYTES = 256 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group("witness")
def command() -> None:
    """Vouch for somebody else's log: that it only ever grew, and shows everyone the same."""


@command.command("init")
@click.argument("witness_folder", metavar="FOLDER", type=_FOLDER)
@click.option("--name", required=True, help="The witness's name: a URL without its scheme.")
@session_options
def init(session: Session, *, witness_folder: Path, name: str) -> None:
    """Make a witness in FOLDER: a key of its own, and what it remembers.

    Keep the folder on another machine than the log's, and never restore an old copy of it. Hand out
    FOLDER/witness.vkey.
    """
    from pratique.journal.witness import Witness  # noqa: PLC0415 - pulls in cryptography

    witness = Witness.create(witness_folder, name)
    body = {"name": name, "vkey": str(witness.vkey), "folder": str(witness_folder)}
    session.emit(body, lambda: click.echo(str(witness.vkey)))


@command.command("cosign")
@click.argument("witness_folder", metavar="FOLDER", type=_FOLDER)
@click.argument("checkpoint", type=_FILE)
@click.option("--log", "logs", multiple=True, required=True, metavar="ORIGIN=FILE|ROOT",
              help="A log to cosign for: its name and key (PEM or verifier key), or a trusted root.  "
              "[repeatable]")  # fmt: skip
@click.option("--proof", type=_FILE, help="Consistency proof, where CHECKPOINT does not begin with it.")
@session_options
def cosign(
    session: Session, *, witness_folder: Path, checkpoint: Path, logs: tuple[str, ...], proof: Path | None
) -> None:
    """Cosign CHECKPOINT with the witness in FOLDER, if it continues all that was cosigned before.

    Prints the checkpoint with the cosignature, for `pratique log collect`. A fork, a log that shrank and a
    proof that does not hold end with exit code 4, and both checkpoints stay in FOLDER/misbehaviour.
    """
    from pratique.flow.witness import answer, logs_given  # noqa: PLC0415 - pulls in cryptography

    cosigned = answer(
        witness_folder,
        read_bounded(checkpoint, _MAX_BYTES),
        read_bounded(proof, _MAX_BYTES) if proof else None,
        logs=logs_given(logs, system_clock),
        clock=system_clock,
    )
    body = {
        "origin": cosigned.head.origin,
        "size": cosigned.head.size,
        "root": cosigned.head.root.hex(),
        "timestamp": cosigned.timestamp,
        "cosignature": cosigned.line,
        "checkpoint": cosigned.checkpoint,
    }
    session.emit(body, lambda: click.echo(cosigned.checkpoint, nl=False))


@command.command("serve")
@click.argument("witness_folder", metavar="FOLDER", type=_FOLDER)
@click.option("--log", "logs", multiple=True, required=True, metavar="ORIGIN=FILE|ROOT",
              help="A log to cosign for, as in witness cosign.  [repeatable]")  # fmt: skip
@click.option("--listen", default="127.0.0.1:8444", show_default=True, help="HOST:PORT, or unix:PATH.")
@click.option("--tls", "tls_files", nargs=2, type=_FILE, metavar="CERTIFICATE KEY",
              help="PEM files. Without them: plain HTTP, on loopback or a Unix socket alone.")  # fmt: skip
@session_options
def serve(
    session: Session,  # noqa: ARG001 - every verb has it
    *,
    witness_folder: Path,
    logs: tuple[str, ...],
    listen: str,
    tls_files: tuple[Path, Path] | None,
) -> None:
    """Cosign over HTTP (C2SP tlog-witness) with the witness in FOLDER, until stopped.

    Logs ask at /add-checkpoint, as `pratique log collect --from` does; monitors read
    /<hex SHA-256 of the log's origin>/checkpoint.
    """
    from pratique.flow.witness import logs_given  # noqa: PLC0415 - pulls in cryptography

    try:
        from pratique.server.asgi import Tls  # noqa: PLC0415 - an extra
        from pratique.server.config import is_local  # noqa: PLC0415 - an extra
        from pratique.server.witness import run  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError(
            f"the server's libraries are not installed ({error.name})", hint="pip install 'pratique[server]'"
        ) from error
    if tls_files is None and not is_local(listen):
        raise UsageError(f"plain HTTP on {listen}", hint="give --tls CERTIFICATE KEY, or listen on loopback")
    run(
        witness_folder,
        logs_given(logs, system_clock),
        listen=listen,
        tls=Tls(*tls_files) if tls_files else None,
        clock=system_clock,
        ready=lambda at: click.echo(f"serving on {at}", err=True),
    )
