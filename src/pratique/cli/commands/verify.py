"""`pratique verify`: verify one evidence bundle."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.session import Session, session_options
from pratique.errors import UsageError
from pratique.model.clock import format_time
from pratique.model.digest import parse_digest
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

    workspace = session.workspace()
    if Path(evidence).is_file():
        with Path(evidence).open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    elif evidence.startswith("sha256:"):
        data = workspace.journal.get(parse_digest(evidence))
    else:
        raise UsageError(f"{evidence}: neither a file nor a digest")
    examined = examine(workspace, data)
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
