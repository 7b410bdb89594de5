"""`pratique vex`: statements about vulnerabilities that do no harm here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("vex")
def command() -> None:
    """Read statements about vulnerabilities, as OpenVEX, CSAF or CycloneDX."""


@command.command("convert")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option(
    "--product",
    "products",
    multiple=True,
    metavar="ID=PURL|DIGEST",
    help="What a product's id in the documents stands for.  [repeatable]",
)
@click.option("--author", required=True, help="Who answers for the OpenVEX document.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [default: stdout]"
)
@session_options
def convert(
    session: Session,
    *,
    files: tuple[Path, ...],
    products: tuple[str, ...],
    author: str,
    output: Path | None,
) -> int:
    """Write what FILES say as one OpenVEX document.

    FILES are OpenVEX, CSAF or CycloneDX documents. Sign the result for an artifact, and it counts for whom
    the policy trusts with it: pratique attest --type vex --predicate FILE --key KEY. What could not be taken
    over (products without a package URL or digest, ranges of versions) is said, and then the exit code is 3.
    """
    from pratique.flow.contents import write_document  # noqa: PLC0415 - slow to import
    from pratique.flow.vex_convert import convert_vex  # noqa: PLC0415
    from pratique.model.clock import system_clock  # noqa: PLC0415
    from pratique.model.strict_json import canonical_json  # noqa: PLC0415

    named: dict[str, str] = {}
    for text in products:
        product, separator, identity = text.rpartition("=")
        if not separator or not identity.startswith(("pkg:", "sha256:")):
            raise UsageError(f"--product {text!r} is not ID=PURL or ID=sha256:…")
        named[product] = identity
    converted = convert_vex(files, author=author, created=system_clock(), products=named)
    if output:
        write_document(converted.document, output)
    elif not session.as_json:
        click.echo(canonical_json(converted.document).decode())
    body: dict[str, Any] = {"statements": converted.statements, "skipped": list(converted.skipped)}
    if not output:
        body["document"] = converted.document

    def human() -> None:
        click.echo(f"{converted.statements} statements", err=True)
        for line in converted.skipped:
            click.echo(f"  skipped  {line}", err=True)

    session.emit(body, human)
    return ExitCode.UNKNOWN if converted.skipped else ExitCode.PASSED
