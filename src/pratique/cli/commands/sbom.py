"""`pratique sbom`: bills of materials, whoever wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode

if TYPE_CHECKING:
    from pratique.flow.contents import Contents, Format

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHOWN = 5
_output = click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [default: stdout]"
)
_format = click.option(
    "--format",
    "written",
    type=click.Choice(["cyclonedx", "cyclonedx-1.7", "spdx"]),
    default="cyclonedx",
    show_default=True,
    help="Format to write.",
)


@click.group("sbom")
def command() -> None:
    """List what is in something; merge, compare, judge and convert such lists.

    CycloneDX 1.2 to 1.7 and SPDX 2.2 and 2.3 (JSON) are read, whoever wrote them. No project is needed.
    """


@command.command("make")
@click.argument("target")
@click.option("--platform", help="Which of several images, as os/architecture.")
@_output
@_format
@session_options
def make(session: Session, *, target: str, platform: str | None, output: Path | None, written: Format) -> int:
    """List what is in TARGET: a file, a folder, or an image as oci:LAYOUT[:NAME][@DIGEST].

    Ends with 3 where something was recognised and could not be read.
    """
    from pratique.flow.contents import contents_of  # noqa: PLC0415 - slow to import

    return _emit(session, contents_of(target, platform, session.progress), output, written)


@command.command("convert")
@click.argument("file", type=_FILE)
@_output
@_format
@session_options
def convert(session: Session, *, file: Path, output: Path | None, written: Format) -> int:
    """Write FILE in another format.

    Parts without a package URL are listed as unknown, and then the exit code is 3.
    """
    from pratique.flow.bills import merge_bills, read_bill  # noqa: PLC0415 - slow to import

    return _emit(session, merge_bills([read_bill(file)], ""), output, written)


@command.command("merge")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--name", default="", help="What the merged list is of.  [default: what the first is of]")
@_output
@_format
@session_options
def merge(
    session: Session, *, files: tuple[Path, ...], name: str, output: Path | None, written: Format
) -> int:
    """Make one list of FILES: each package once, with all that is known of it."""
    from pratique.flow.bills import merge_bills, read_bill  # noqa: PLC0415 - slow to import

    return _emit(session, merge_bills([read_bill(file) for file in files], name), output, written)


@command.command("diff")
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@session_options
def diff(session: Session, *, before: Path, after: Path) -> int:
    """Say how BEFORE became AFTER. Ends with 1 where they differ.

    Altered is a package of the same name and version with other bytes: look at it first.
    """
    import msgspec  # noqa: PLC0415 - for commands that work

    from pratique.flow.bills import read_bill  # noqa: PLC0415 - slow to import
    from pratique.scan.bill import difference  # noqa: PLC0415

    found = difference(read_bill(before).components, read_bill(after).components)
    body = msgspec.to_builtins(found)

    def human() -> None:
        for purl in found.altered:
            click.echo(f"altered  {purl}")
        for purl in found.added:
            click.echo(f"added    {purl}")
        for purl in found.removed:
            click.echo(f"removed  {purl}")
        for old, new in found.changed:
            click.echo(f"changed  {old} -> {new}")

    session.emit(body, human)
    return ExitCode.REFUSED if any(body.values()) else ExitCode.PASSED


@command.command("quality")
@click.argument("file", type=_FILE)
@click.option("--least", type=click.FloatRange(0, 100), help="Score below which to end with 1.")
@session_options
def quality(session: Session, *, file: Path, least: float | None) -> int:
    """Say how complete FILE is, by CISA's minimum elements, and what is lacking.

    The score is the mean share of components (or of the one document) that have each of eleven data fields,
    in percent. See docs/scan.md.
    """
    from pratique.flow.bills import read_bill  # noqa: PLC0415 - slow to import
    from pratique.scan.quality import quality_of  # noqa: PLC0415

    bill = read_bill(file)
    judged = quality_of(bill)
    body = {
        "format": bill.format,
        "score": judged.score,
        "elements": [
            {"name": item.name, "present": item.present, "of": item.of, "lacking": list(item.lacking)}
            for item in judged.elements
        ],
    }

    def human() -> None:
        click.echo(f"{file}: {judged.score} of 100 ({bill.format}, {len(bill.components)} components)")
        for item in judged.elements:
            few = ", ".join(item.lacking[:_SHOWN]) + (", …" if item.of - item.present > _SHOWN else "")
            line = f"  {item.name:<24}{item.present:>6} of {item.of:<6}"
            click.echo(f"{line}  lacking: {few}" if few else line.rstrip())

    session.emit(body, human)
    return ExitCode.REFUSED if least is not None and judged.score < least else ExitCode.PASSED


def _emit(session: Session, contents: Contents, output: Path | None, written: Format) -> int:
    from pratique.flow.contents import document_of, write_document  # noqa: PLC0415 - slow to import
    from pratique.model.clock import system_clock  # noqa: PLC0415
    from pratique.model.strict_json import canonical_json  # noqa: PLC0415

    document = document_of(contents, written, system_clock())
    if output:
        write_document(document, output)
    elif not session.as_json:
        click.echo(canonical_json(document).decode())
    unread = [f"{item.path}: {item.reason}" for item in contents.catalog.uninspected]
    body = {
        "name": contents.name,
        "digest": str(contents.digest) if contents.digest else None,
        "components": len(contents.catalog.components),
        "removed": len(contents.catalog.removed),
        "unknown": unread,
        **({} if output else {"document": document}),
    }

    def human() -> None:
        click.echo(f"{contents.name}: {len(contents.catalog.components)} components", err=True)
        for line in unread:
            click.echo(f"  unknown  {line}", err=True)

    session.emit(body, human)
    return ExitCode.UNKNOWN if unread else ExitCode.PASSED
