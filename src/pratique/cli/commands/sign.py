"""`pratique sign`: sign bytes as such, for whoever verifies blobs."""

from __future__ import annotations

from pathlib import Path

import click

from pratique.cli.secrets import ask_secret, key_option
from pratique.cli.session import Session, session_options


@click.command("sign")
@click.argument("target")
@key_option
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the bundle goes.  [default: beside the file, as NAME.sigstore.json]",
)
@session_options
def command(session: Session, *, target: str, key: str, bundle: Path | None) -> None:
    """Sign TARGET: a file, a directory, or a digest (sha256:… or NAME@sha256:…).

    Writes a Sigstore bundle with a message signature, timestamped and logged, which `pratique verify`,
    `cosign verify-blob` and the like take. Of a directory the manifest is signed, NAME.sha256, which
    `sha256sum -c` checks. To claim something about an artifact, use `pratique attest`.
    """
    from pratique.flow import sign  # noqa: PLC0415 - pulls in cryptography

    found = sign.signing_target(target)
    here = Path(target).parent if Path(target).exists() else Path()
    stem = found.name.replace("/", "_").replace(":", "_")
    manifest = here / f"{stem}.sha256"
    signed = manifest if found.manifest else here / stem
    file = bundle or signed.with_name(f"{signed.name}.sigstore.json")
    sign.check_absent(file, *([manifest] if found.manifest else []))
    made = sign.sign_target(session.workspace(), found, key, ask_secret)
    sign.write_signature(made, file, manifest)
    body = {
        "name": found.name,
        "digest": str(found.digest),
        "key": f"sha256:{made.key_id}",
        "bundle": str(file),
        "manifest": str(manifest) if found.manifest else None,
        "logIndex": made.log_index,
    }

    def human() -> None:
        click.echo(f"signed     {found.name}  {found.digest}")
        if found.manifest:
            click.echo(f"manifest   {manifest}, for sha256sum -c")
        click.echo(f"bundle     {file}, log entry {made.log_index}")

    session.emit(body, human)
