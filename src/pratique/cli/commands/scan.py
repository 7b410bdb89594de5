"""`pratique scan`: what is in the artifact, and what is known about it."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode


@click.command("scan")
@click.argument("artifact", required=False)
@session_options
def command(session: Session, *, artifact: str | None) -> int:
    """List what is in ARTIFACT, and match it against the advisories.

    ARTIFACT is a file or a digest; by default the newest build. Journals a CycloneDX SBOM and a vulnerability
    report. What could not be judged is listed as unknown, and then the exit code is 3: unknown is not clean.
    Whether findings matter is for the gate.
    """
    from pratique.flow.artifact import bring_artifact  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.scan import scan  # noqa: PLC0415

    workspace, project = session.open()
    found = bring_artifact(workspace, project, artifact)
    scanned = scan(workspace, project, found)
    body = {
        "artifact": {"name": found.name, "digest": str(found.digest)},
        "sbom": str(scanned.sbom),
        "vulns": str(scanned.vulns),
        "components": scanned.components,
        "vulnerabilities": list(scanned.vulnerabilities),
        "unknown": list(scanned.unknown),
    }

    def human() -> None:
        click.echo(f"{found.name}: {scanned.components} components")
        for line in scanned.vulnerabilities:
            click.echo(f"  vulnerable  {line}")
        for line in scanned.unknown:
            click.echo(f"  unknown     {line}")

    session.emit(body, human)
    return ExitCode.UNKNOWN if scanned.unknown else ExitCode.PASSED
