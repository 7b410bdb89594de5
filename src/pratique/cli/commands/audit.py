"""`pratique audit`: the proof as one file, and its verification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.render import verdict
from pratique.cli.session import Session, given_digest, session_options
from pratique.errors import ExitCode
from pratique.model.clock import format_time

if TYPE_CHECKING:
    from pratique.policy.engine.choose import EngineName

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("audit")
def command() -> None:
    """Export the proof as one file, or verify such a file."""


@command.command("export")
@click.argument("artifacts", nargs=-1, metavar="[ARTIFACT]...")
@click.option("-o", "--output", type=_FILE, default=Path("pratique.audit"), show_default=True,
              help="File to write.")  # fmt: skip
@click.option("--with-artifacts", is_flag=True, help="Bring the artifacts' own bytes along.")
@session_options
def export(session: Session, *, artifacts: tuple[str, ...], output: Path, with_artifacts: bool) -> None:
    """Write everything that proves the chains of ARTIFACTs (by default the newest build) as one file.

    It holds the whole log, the evidence, policies, decisions and their inputs, and is sealed by the
    administrator. Give the auditor the trust root's fingerprint by another way than this file.
    """
    from pratique.flow.account import export_audit  # noqa: PLC0415 - pulls in everything
    from pratique.flow.artifact import find_artifact  # noqa: PLC0415

    project = None if artifacts else session.project
    workspace = session.workspace()
    found = [find_artifact(workspace, project, given) for given in artifacts or (None,)]
    written = export_audit(workspace, found, output.absolute(), with_artifacts=with_artifacts)
    fingerprint = workspace.root.fingerprint
    body = {
        "file": str(output.absolute()),
        "digest": str(written.digest),
        "bytes": written.size,
        "root": str(fingerprint),
        "seal": str(written.seal),
        "leftOut": {str(digest): reason for digest, reason in written.left_out.items()},
    }

    def human() -> None:
        click.echo(
            f"wrote {output}: {written.size} bytes, {sum(written.audit.counts.values())} pieces of evidence"
        )
        for digest, reason in written.left_out.items():
            click.echo(f"  left out   {digest.short}: {reason}")
        click.echo(f"  verify it  pratique audit verify {output} --fingerprint {fingerprint}")

    session.emit(body, human)


@command.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--fingerprint",
    required=True,
    metavar="DIGEST",
    help="The trust root's fingerprint, as its owner gave it.",
)
@click.option(
    "--engine",
    type=click.Choice(["regorus", "opa", "both"]),
    default="regorus",
    show_default=True,
    help="What makes the decisions again.",
)
@click.option(
    "--opa", default="opa", metavar="PROGRAM", show_default=True, help="OPA, where it is asked for."
)
@session_options
def verify(session: Session, *, file: Path, fingerprint: str, engine: EngineName, opa: str) -> int:
    """Verify an audit package: from FILE and the trust root's fingerprint alone.

    Needs no state directory and no network. Recomputes the log, verifies every piece of evidence and every
    reference, and makes every decision again, whatever engine made it first. Any changed byte is refused.
    """
    from pratique.flow.account import verify_audit  # noqa: PLC0415 - pulls in everything
    from pratique.policy.engine.choose import engine_named  # noqa: PLC0415

    audited = verify_audit(file, given_digest(fingerprint), engine_named(engine, opa=opa))
    result = audited.result
    chains = [item.chain for item in result.artifacts]
    body = {
        "trustRoot": fingerprint,
        "logEntries": result.log_size,
        "evidence": result.counts,
        "decisionsReplayed": audited.replayed,
        "engine": audited.engine,
        "otherEngines": list(audited.others),
        "sealedBy": str(result.seal.signer),
        "sealedAt": format_time(result.seal.signed_at),
        "artifacts": [
            {
                "name": chain.artifact.name,
                "digest": str(chain.artifact.digest),
                "environments": {state.environment: state.phase for state in chain.environments},
                "missing": [kind.value for kind in chain.missing],
            }
            for chain in chains
        ],
        "warnings": list(result.warnings),
    }

    def human() -> None:
        click.echo(f"{verdict('HOLDS', 'green')} {file}")
        click.echo(f"  log        {result.log_size} entries, root recomputed, checkpoint signed")
        counted = ", ".join(f"{count} {kind}" for kind, count in sorted(result.counts.items()))
        click.echo(f"  evidence   {counted}")
        click.echo(f"  decisions  {audited.replayed} made again, each with the same result")
        if audited.others:
            click.echo(f"  note       made by {', '.join(audited.others)}; made again by {audited.engine}")
        click.echo(f"  sealed     {format_time(result.seal.signed_at)} by {result.seal.signer}")
        for chain in chains:
            states = ", ".join(f"{state.phase} in {state.environment}" for state in chain.environments)
            click.echo(f"  artifact   {chain.artifact.name}  {chain.artifact.digest}  {states}")
            if chain.missing:
                click.echo(f"             no evidence of: {', '.join(kind.value for kind in chain.missing)}")
        for warning in result.warnings:
            click.echo(f"  note       {warning}")

    session.emit(body, human)
    return ExitCode.PASSED
