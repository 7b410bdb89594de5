"""`pratique image`: container images assembled without a daemon, looked at, checked, and brought about."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.cli.commands.image_evidence import attach, verify
from pratique.cli.commands.image_transfer import (
    access_of,
    access_options,
    copy,
    delete,
    index,
    list_,
    pull,
    push,
)
from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError
from pratique.model.clock import system_clock
from pratique.model.finding import Result
from pratique.model.predicate import short_name

if TYPE_CHECKING:
    from pratique.image.descriptor import Platform

_COLOURS = {Result.PASS: "green", Result.FAIL: "red", Result.UNKNOWN: "yellow", Result.NOT_APPLICABLE: "cyan"}
_platform_option = click.option("--platform", help="Which one of several, as os/architecture.")


@click.group("image")
def command() -> None:
    """Assemble container images without a daemon; inspect and check them; push, pull and copy them."""


for verb in (index, push, pull, copy, list_, delete, attach, verify):
    command.add_command(verb)


@command.command("build")
@click.argument("sources", metavar="[SOURCE[:/PATH]]...", nargs=-1)
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="OCI layout to write to; made when missing.",
)
@click.option(
    "--base",
    metavar="IMAGE@DIGEST",
    help="Image to build on, in a layout, archive or registry.  [default: scratch]",
)
@click.option("--entrypoint", multiple=True, help="Program, then its arguments.  [repeatable]")
@click.option("--cmd", multiple=True, help="Default arguments.  [repeatable]")
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="Environment.  [repeatable]")
@click.option("--label", multiple=True, metavar="NAME=VALUE", help="Label.  [repeatable]")
@click.option("--user", default="65532:65532", show_default=True, help="Who it runs as.")
@click.option("--workdir", default="", help="Absolute working directory.")
@click.option("--port", multiple=True, help="Port to expose, as 8080/tcp.  [repeatable]")
@click.option("--name", default="", help="Reference name in the layout.")
@click.option(
    "--created",
    type=click.IntRange(min=0, max=8**11 - 1),
    envvar="SOURCE_DATE_EPOCH",
    default=0,
    help="Time of the image and its files, seconds since 1970.  [default: $SOURCE_DATE_EPOCH, or 0]",
)
@click.option(
    "--compression",
    type=click.Choice(["gzip", "zstd", "none"]),
    default="gzip",
    show_default=True,
    help="Of the layers.",
)
@click.option(
    "--wheels",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Wheel, or folder of wheels, for a virtual environment: a layer each.  [repeatable]",
)
@click.option("--venv", default="/app/venv", show_default=True, help="Where the environment is.")
@click.option("--python", default="/usr/bin/python3.11", show_default=True, help="The image's interpreter.")
@click.option(
    "--lock",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lock file that has to name the first --wheels by hash.",
)
@click.option("--slim", is_flag=True, help="Keep out what is not needed at run time, and say what.")
@click.option("--attest", is_flag=True, help="Sign provenance and SBOM, journal and attach them.")
@_platform_option
@access_options
@session_options
def build(
    session: Session,
    *,
    sources: tuple[str, ...],
    output: Path,
    base: str | None,
    env: tuple[str, ...],
    label: tuple[str, ...],
    port: tuple[str, ...],
    platform: str | None,
    wheels: tuple[Path, ...],
    venv: str,
    python: str,
    lock: Path | None,
    attest: bool,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
    **plain: str,
) -> None:
    """Assemble an image from application archives, folders and files.

    The same sources and options give the same image on every machine. Each source is a layer: an application
    archive (.tar) or a folder brings its content, to /app or to the path named. With --wheels, wheels become
    a virtual environment, without anything being run: each is checked against its RECORD, and all that they
    need has to be among them.
    """
    from pratique.flow import image_build as flow  # noqa: PLC0415 - slow to import
    from pratique.flow.image import parse_source  # noqa: PLC0415 - slow to import
    from pratique.image.assemble import Recipe  # noqa: PLC0415

    if not plain["user"] or (plain["workdir"] and not plain["workdir"].startswith("/")):
        raise UsageError("--user must not be empty, and --workdir must be absolute")
    workspace = session.workspace() if attest else None  # first, so that nothing is built in vain
    wanted, access = _platform(platform), access_of(auth_file, authorities)
    fitting = wanted or flow.DEFAULT_PLATFORM
    below = flow.wheel_layers(wheels, venv=venv, python=python, platform=fitting, lock=lock) if wheels else ()
    if lock and not wheels:
        raise UsageError("--lock goes with --wheels")
    recipe = Recipe(
        sources=(*below, *(parse_source(source) for source in sources)),
        base=flow.bring_base(base, wanted, access, output, session.progress) if base else None,
        platform=wanted,
        env=_pairs("--env", env),
        labels=_pairs("--label", label),
        ports=tuple(_port(one) for one in port),
        **plain,  # type: ignore[arg-type] # click has given each option its type
    )
    started, digests = system_clock(), flow.source_digests(recipe) if workspace else {}
    made = flow.build_image(recipe, output, session.progress)
    attested = (
        flow.attest_build(workspace, recipe, made, output, digests=digests, started=started)
        if workspace
        else None
    )
    evidence = attested.attached if attested else ()
    body = {
        "digest": str(made.descriptor.digest),
        "config": str(made.manifest.config.digest),
        "platform": str(made.config.platform),
        "layers": [
            {"digest": str(layer.digest), "size": layer.size, "diffId": str(diff_id)}
            for layer, diff_id in zip(made.manifest.layers, made.config.diff_ids, strict=True)
        ],
        "layout": str(output),
        "dropped": [{"rule": one.rule, "files": one.files, "bytes": one.size} for one in made.dropped],
        "attached": [
            {"predicateType": one.predicate_type, "manifest": str(one.manifest.digest)} for one in evidence
        ],
        **({"noSbom": attested.no_sbom} if attested and attested.no_sbom else {}),
    }

    def human() -> None:
        for left in made.dropped:
            click.echo(f"kept out {left.rule}: {left.files} files, {left.size / 1e6:.1f} MB")
        for one in evidence:
            click.echo(f"attached {short_name(one.predicate_type)} as {one.manifest.digest}")
        if attested and attested.no_sbom:
            click.echo(f"no SBOM: {attested.no_sbom}")
        click.echo(f"{output}@{made.descriptor.digest}")

    session.emit(body, human)


@command.command("check")
@click.argument("image", metavar="LAYOUT[:NAME][@DIGEST]")
@_platform_option
@click.option("-v", "--verbose", is_flag=True, help="Show the rules that pass or do not apply, too.")
@click.option("--attest", is_flag=True, help="Sign the result and journal it, as evidence for policy.")
@session_options
def check(session: Session, *, image: str, platform: str | None, verbose: bool, attest: bool) -> int:
    """Check an image's configuration, history and layers by every rule.

    Nothing is unpacked, and nothing runs. Ends with 1 if a critical or high rule failed, else with 3 if
    something could not be checked. Each rule has a section in docs/image.md.
    """
    import msgspec  # noqa: PLC0415 - for commands that work

    from pratique.flow import image as images  # noqa: PLC0415
    from pratique.image.check.run import is_refused, is_unknown  # noqa: PLC0415

    workspace = session.workspace() if attest else None  # first, so that nothing is checked in vain
    descriptor, findings = images.check(image, _platform(platform), system_clock, session.progress)
    evidence = images.attest_check(workspace, image, descriptor, findings) if workspace else None

    def human() -> None:
        for finding in findings:
            if verbose or finding.result in {Result.FAIL, Result.UNKNOWN}:
                result = click.style(f"{finding.result.value:<14}", fg=_COLOURS[finding.result])
                click.echo(f"{finding.id:<12}{result}{finding.severity.value:<9}{finding.title}")
                if finding.location or finding.detail:
                    click.echo(f"{'':<35}{': '.join(filter(None, (finding.location, finding.detail)))}")
                if finding.fix:
                    click.echo(f"{'':<35}fix: {finding.fix}")
        if evidence:
            click.echo(f"journalled test-result about {descriptor.digest} as {evidence}")

    body = {
        "image": str(descriptor.digest),
        "findings": [msgspec.to_builtins(finding) for finding in findings],
        "summary": images.summary(findings),
        **({"evidence": str(evidence)} if evidence else {}),
    }
    session.emit(body, human)
    if is_refused(findings):
        return ExitCode.REFUSED
    return ExitCode.UNKNOWN if is_unknown(findings) else ExitCode.PASSED


@command.command("inspect")
@click.argument("image", metavar="LAYOUT[:NAME][@DIGEST]")
@_platform_option
@session_options
def inspect(session: Session, *, image: str, platform: str | None) -> None:
    """Show what an image is: its digest, how it runs, its layers."""
    from pratique.flow.image import image_json, inspect_image  # noqa: PLC0415 - slow to import

    found = image_json(inspect_image(image, _platform(platform)))

    def human() -> None:
        for name, value in found.items():
            lines = [f"{key}={item}" for key, item in value.items()] if isinstance(value, dict) else value
            if name == "layers":
                lines = [f"{layer['digest']}  {layer['size']:>12}" for layer in found["layers"]]
            shown = [lines] if isinstance(lines, str) else lines
            for number, line in enumerate(shown):
                text = line if line.isprintable() else ascii(line)
                click.echo(f"{name if number == 0 else '':<12}{text}")

    session.emit(found, human)


def _platform(text: str | None) -> Platform | None:
    from pratique.image.descriptor import parse_platform  # noqa: PLC0415 - only where it is needed

    return parse_platform(text) if text else None


def _pairs(option: str, lines: tuple[str, ...]) -> dict[str, str]:
    for line in lines:
        if not line.partition("=")[0] or "=" not in line:
            raise UsageError(f"{option} {line!r} is not NAME=VALUE")
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def _port(text: str) -> str:
    number, _, protocol = text.partition("/")
    protocol = protocol or "tcp"
    if not number.isdecimal() or not 0 < int(number) < 1 << 16 or protocol not in {"tcp", "udp", "sctp"}:
        raise UsageError(f"--port {text!r} is not a port", hint="write it as 8080 or 53/udp")
    return f"{int(number)}/{protocol}"
