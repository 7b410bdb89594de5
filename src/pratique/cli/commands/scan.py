"""`pratique scan`: what is in the artifact, and what is known about it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from pratique.flow.contents import Format
    from pratique.flow.scan import Scanned


@click.command("scan")
@click.argument("artifact", required=False)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the SBOM to this file."
)
@click.option(
    "--format",
    "written",
    type=click.Choice(["cyclonedx", "cyclonedx-1.7", "spdx"]),
    default="cyclonedx",
    show_default=True,
    help="Format of the file.",
)
@click.option("--platform", help="Which of several images, as os/architecture.")
@click.option("--attest", is_flag=True, help="Of an image: sign the result and journal it.")
@session_options
def command(
    session: Session,
    *,
    artifact: str | None,
    output: Path | None,
    written: Format,
    platform: str | None,
    attest: bool,
) -> int:
    """List what is in ARTIFACT, and match it against the advisories.

    ARTIFACT is a file or a digest, by default the newest build: an SBOM and a vulnerability report about it
    are journalled. Or it is something not built here: a folder, or an image as oci:LAYOUT[:NAME][@DIGEST],
    which is read layer by layer; then nothing is journalled unless --attest says so.

    What could not be judged is listed as unknown, and then the exit code is 3: unknown is not clean. Whether
    findings matter is for the gate.
    """
    from pratique.flow.contents import is_foreign  # noqa: PLC0415 - pulls in cryptography

    if artifact is not None and is_foreign(artifact):
        return _foreign(session, artifact, output, written, platform, attest=attest)
    if attest or platform:
        raise UsageError("--attest and --platform are for images", hint="a build is journalled anyway")
    from pratique.flow.artifact import artifact_file, bring_artifact  # noqa: PLC0415
    from pratique.flow.contents import contents_of, document_of, write_document  # noqa: PLC0415
    from pratique.flow.progress import Silent  # noqa: PLC0415
    from pratique.flow.scan import scan  # noqa: PLC0415

    workspace, project = session.open()
    found = bring_artifact(workspace, project, artifact)
    scanned = scan(workspace, project, found)
    if output:
        with artifact_file(workspace, found) as path:
            contents = contents_of(str(path), None, Silent())
        domain = workspace.authority.trust_domain
        write_document(document_of(contents, written, workspace.clock(), domain), output)
    return _emit(session, found.name, str(found.digest), scanned)


def _foreign(
    session: Session,
    artifact: str,
    output: Path | None,
    written: Format,
    platform: str | None,
    *,
    attest: bool,
) -> int:
    from pratique.flow.contents import contents_of, document_of, write_document  # noqa: PLC0415
    from pratique.flow.scan import scan_contents  # noqa: PLC0415

    workspace, project = session.open()
    contents = contents_of(artifact, platform, session.progress)
    scanned = scan_contents(workspace, project, contents, attest=attest)
    if output:
        domain = workspace.authority.trust_domain
        write_document(document_of(contents, written, workspace.clock(), domain), output)
    return _emit(session, contents.name, str(contents.digest or ""), scanned)


def _emit(session: Session, name: str, digest: str, scanned: Scanned) -> int:
    body = {
        "artifact": {"name": name, "digest": digest or None},
        "sbom": str(scanned.sbom) if scanned.sbom else None,
        "vulns": str(scanned.vulns) if scanned.vulns else None,
        "components": scanned.components,
        "removed": scanned.removed,
        "vulnerabilities": list(scanned.vulnerabilities),
        "suppressed": list(scanned.suppressed),
        "unknown": list(scanned.unknown),
    }

    def human() -> None:
        gone = f", {scanned.removed} more in lower layers only" if scanned.removed else ""
        click.echo(f"{name}: {scanned.components} components{gone}")
        for line in scanned.vulnerabilities:
            click.echo(f"  vulnerable  {line}")
        for line in scanned.suppressed:
            click.echo(f"  answered    {line}")
        for line in scanned.unknown:
            click.echo(f"  unknown     {line}")

    session.emit(body, human)
    return ExitCode.UNKNOWN if scanned.unknown else ExitCode.PASSED
