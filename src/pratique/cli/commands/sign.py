"""`pratique sign`: sign bytes as such, for whoever verifies blobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

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
    `sha256sum -c` checks. With the key `sigstore:` a Sigstore instance certifies and logs. To claim something
    about an artifact, use `pratique attest`.
    """
    from pratique.flow import sign  # noqa: PLC0415 - pulls in cryptography

    found = sign.signing_target(target)
    here = Path(target).parent if Path(target).exists() else Path()
    stem = found.name.replace("/", "_").replace(":", "_")
    manifest = here / f"{stem}.sha256"
    signed = manifest if found.manifest else here / stem
    file = bundle or signed.with_name(f"{signed.name}.sigstore.json")
    sign.check_absent(file, *([manifest] if found.manifest else []))
    body: dict[str, Any] = {
        "name": found.name,
        "digest": str(found.digest),
        "bundle": str(file),
        "manifest": str(manifest) if found.manifest else None,
    }
    if sign.is_keyless(key):
        data, logged = sign.sign_keyless(found, key, os.environ), "logged by the Sigstore instance"
    else:
        made = sign.sign_target(session.workspace(), found, key, ask_secret)
        data, logged = made.bundle, f"log entry {made.log_index}"
        body |= {"key": f"sha256:{made.key_id}", "logIndex": made.log_index}
    sign.write_signature(found, data, file, manifest)

    def human() -> None:
        click.echo(f"signed     {found.name}  {found.digest}")
        if found.manifest:
            click.echo(f"manifest   {manifest}, for sha256sum -c")
        click.echo(f"bundle     {file}, {logged}")

    session.emit(body, human)
