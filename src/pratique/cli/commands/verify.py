"""`pratique verify`: verify one evidence bundle."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.session import Session, given_digest, read_bounded, session_options
from pratique.errors import UsageError
from pratique.model.clock import format_time
from pratique.model.predicate import short_name

_MAX_BYTES = 64 * 1024 * 1024


@click.command("verify")
@click.argument("evidence")
@session_options
def command(session: Session, *, evidence: str) -> None:
    """Verify EVIDENCE: a Sigstore bundle in a file, or one in the journal by its digest.

    Checks signature, certificate or enrolled key, timestamp and log proof against the trust root, and says
    who claims what about which artifact. Whether that signer may claim it is for the gate.
    """
    from pratique.flow.attest import examine  # noqa: PLC0415 - pulls in cryptography

    file = Path(evidence)
    if not file.is_file() and not evidence.startswith("sha256:"):
        raise UsageError(
            f"{evidence!r} is neither a file nor a digest",
            hint="for the digests there are: pratique log list",
        )
    digest = None if file.is_file() else given_digest(evidence)
    workspace = session.workspace()
    data = workspace.journal.get(digest) if digest else read_bounded(file, _MAX_BYTES)
    examined = examine(workspace, data, what=str(digest or file))
    verified = examined.verified
    signer = workspace.community.name_of(verified.signer)
    subjects = [{"name": item.name, "digest": item.digest} for item in verified.statement.subjects]
    body = {
        "evidence": str(verified.digest),
        "predicateType": verified.statement.predicate_type,
        "subjects": subjects,
        "signer": str(verified.signer),
        "person": signer,
        "signedAt": format_time(verified.signed_at),
        "logIndex": verified.log_index,
        "journalled": examined.journalled,
        "predicate": verified.statement.predicate,
    }

    def human() -> None:
        click.echo(f"verified   {verified.digest}")
        click.echo(f"claims     {short_name(verified.statement.predicate_type)}")
        for subject in verified.statement.subjects:
            click.echo(f"about      {subject.name}  sha256:{subject.digest.get('sha256', '?')}")
        click.echo(f"signed by  {signer or verified.signer}")
        click.echo(f"at         {format_time(verified.signed_at)}, log entry {verified.log_index}")

    session.emit(body, human)
