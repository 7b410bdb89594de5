"""`pratique image push|pull|copy|list|delete`: images to and from registries, layouts and archives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pratique.cli.session import Session, session_options
from pratique.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.flow.image_transfer import Access, Deleted, Transfer
    from pratique.image.descriptor import Platform
    from pratique.image.place import Reader
    from pratique.image.reference import Reference
    from pratique.model.digest import Digest

F = TypeVar("F", bound="Callable[..., Any]")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def access_options(function: F) -> F:
    """Add --auth-file and --ca; the verb makes an `Access` of them by `access_of`."""
    for option in (
        click.option(
            "--ca",
            "authorities",
            type=_FILE,
            multiple=True,
            help="Further certificate authorities (PEM).  [repeatable]",
        ),
        click.option(
            "--auth-file",
            type=_FILE,
            help="Credentials.  [default: where podman, skopeo and docker keep them]",
        ),
    ):
        function = option(function)
    return function


def access_of(auth_file: Path | None, authorities: tuple[Path, ...]) -> Access:
    """Make what the options say."""
    from pratique.flow.image_transfer import Access  # noqa: PLC0415 - slow to import
    from pratique.image.registry.credentials import auth_file as found  # noqa: PLC0415 - slow to import

    return Access(auth_file or found(os.environ), authorities)


def given_platform(text: str | None) -> Platform | None:
    """Take --platform."""
    from pratique.image.descriptor import parse_platform  # noqa: PLC0415 - only where it is needed

    return parse_platform(text) if text else None


platform_option = click.option("--platform", help="Of several images this one alone, as os/architecture.")
_referrers = click.option(
    "--referrers/--no-referrers",
    default=True,
    help="Take along what refers to it: evidence, SBOMs.  [default: yes]",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be done.")


def _copy_options(function: F) -> F:
    for option in (_dry_run, _referrers, platform_option):
        function = option(function)
    return access_options(function)


@click.command("push")
@click.argument("source", metavar="LAYOUT[:NAME][@DIGEST]")
@click.argument("target", metavar="HOST/NAME[:TAG]")
@_copy_options
@session_options
def push(session: Session, *, source: str, target: str, **options: Any) -> None:
    """Push an image out of a layout or archive to a registry.

    Sent is what the registry does not have. An interrupted upload goes on where it was.
    """
    there = given_reference(target)
    if not _is_registry(there):
        raise UsageError(f"{target} is no place in a registry", hint="pratique image copy takes any place")
    _copy(session, given_reference(source), there, **options)


@click.command("pull")
@click.argument("source", metavar="HOST/NAME[:TAG][@DIGEST]")
@click.argument("target", metavar="LAYOUT[:NAME]")
@click.option("--verify", type=_FILE, help="Verification policy (TOML) that the image has to meet first.")
@click.option(
    "--root", help="Trusted root for that: a file, or the name of one in use.  [default: one's own]"
)
@_copy_options
@session_options
def pull(
    session: Session, *, source: str, target: str, verify: Path | None, root: str | None, **options: Any
) -> None:
    """Pull an image from a registry into a layout or archive.

    Nothing is kept of what is not as announced. With --verify, nothing is pulled of an image that the policy
    refuses, by what is attached to it.
    """
    here = given_reference(source)
    if not _is_registry(here):
        raise UsageError(f"{source} is no place in a registry", hint="pratique image copy takes any place")
    check = None
    if verify is not None:
        from pratique.cli.image_trust import checking  # noqa: PLC0415 - pulls in cryptography

        check = checking(session, source, verify, root)
    elif root is not None:
        raise UsageError("--root goes with --verify", hint="--verify FILE says who has to have signed what")
    _copy(session, here, given_reference(target), check=check, **options)


@click.command("copy")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@_copy_options
@session_options
def copy(session: Session, *, source: str, target: str, **options: Any) -> None:
    """Copy an image, by default with all that refers to it, from anywhere to anywhere.

    SOURCE, TARGET: HOST/NAME[:TAG], oci:FOLDER[:NAME], oci-archive:FILE[:NAME]; SOURCE may end in @sha256:….
    An index goes with all its images unless --platform chooses one. Digests stay the same.
    """
    _copy(session, given_reference(source), given_reference(target), **options)


@click.command("list")
@click.argument("place", metavar="PLACE")
@click.option(
    "--referrers", is_flag=True, help="List what refers to the image that PLACE names, recursively."
)
@click.option("--all", "everything", is_flag=True, help="The tags of the referrers tag schema, too.")
@access_options
@session_options
def list_(
    session: Session,
    *,
    place: str,
    referrers: bool,
    everything: bool,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
) -> None:
    """List the names in a repository, layout or archive with their digests; or what refers to an image."""
    from pratique.flow import image_transfer as flow  # noqa: PLC0415 - slow to import

    reference, access = given_reference(place), access_of(auth_file, authorities)
    if referrers:
        digest, found = flow.list_referrers(reference, access, session.progress)
        rows = [(depth, one) for depth, one in found]
        body: dict[str, Any] = {"place": place, "digest": str(digest)}
    else:
        rows = [(0, one) for one in flow.list_place(reference, access, everything=everything)]
        body = {"place": place}
    body["referrers" if referrers else "names"] = [
        {"name": one.name, "digest": str(one.digest), "type": one.kind, "size": one.size, "depth": depth}
        for depth, one in rows
    ]

    def human() -> None:
        for depth, one in rows:
            text = f"{'  ' * depth}{one.digest}  {one.name or '-':<20}  {one.kind}"
            click.echo(text if text.isprintable() else ascii(text))

    session.emit(body, human)


@click.command("delete")
@click.argument("place", metavar="PLACE")
@click.option("--referrers", is_flag=True, help="With a digest: what refers to it, too.")
@_dry_run
@access_options
@session_options
def delete(
    session: Session,
    *,
    place: str,
    referrers: bool,
    dry_run: bool,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
) -> None:
    """Delete a tag, or a manifest by its digest. In a layout, blobs that nothing needs go with it."""
    from pratique.flow import image_transfer as flow  # noqa: PLC0415 - slow to import

    access = access_of(auth_file, authorities)
    deleted = flow.delete(
        given_reference(place), access, session.progress, referrers=referrers, dry_run=dry_run
    )
    session.emit(_deleted_json(deleted), lambda: click.echo(_deleted_line(deleted)))


@click.command("index")
@click.argument("images", metavar="LAYOUT[:NAME]...", nargs=-1, required=True)
@click.option(
    "--output", required=True, metavar="TARGET", help="Where it goes: HOST/NAME[:TAG], LAYOUT[:NAME]."
)
@access_options
@session_options
def index(
    session: Session,
    *,
    images: tuple[str, ...],
    output: str,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
) -> None:
    """Put images for several platforms under one name, with what refers to each."""
    from pratique.flow.image_index import make_index  # noqa: PLC0415 - slow to import

    target, access = given_reference(output), access_of(auth_file, authorities)
    made = make_index(images, target, access, session.progress)
    session.emit(
        {"digest": str(made.digest), "target": output}, lambda: click.echo(f"{target}@{made.digest}")
    )


def _deleted_json(deleted: Deleted) -> dict[str, Any]:
    return {
        "place": deleted.place,
        "tag": deleted.tag,
        "digest": str(deleted.digest),
        "referrers": [str(digest) for digest in deleted.referrers],
        "deleted": deleted.done,
    }


def _deleted_line(deleted: Deleted) -> str:
    what = f"the tag {deleted.tag} of {deleted.digest}" if deleted.tag else str(deleted.digest)
    along = f" and {len(deleted.referrers)} that refer to it" if deleted.referrers else ""
    return f"{'deleted' if deleted.done else 'would delete'} {what}{along}"


def _copy(
    session: Session,
    source: Reference,
    target: Reference,
    *,
    platform: str | None,
    referrers: bool,
    dry_run: bool,
    auth_file: Path | None,
    authorities: tuple[Path, ...],
    check: Callable[[Reader, Digest], None] | None = None,
) -> None:
    from pratique.flow.image_transfer import transfer  # noqa: PLC0415 - slow to import

    done = transfer(
        source,
        target,
        access_of(auth_file, authorities),
        session.progress,
        platform=given_platform(platform),
        referrers=referrers,
        dry_run=dry_run,
        check=check,
    )
    session.emit(_transfer_json(done), lambda: click.echo(_transfer_line(done)))


def _transfer_json(done: Transfer) -> dict[str, Any]:
    return {
        "source": done.source,
        "target": done.target,
        "digest": str(done.digest),
        "referrers": done.referrers,
        "blobs": {"sent": done.sent, "sentBytes": done.sent_bytes, "present": done.present},
        "copied": done.done,
    }


def _transfer_line(done: Transfer) -> str:
    if done.done:
        return f"{done.target}@{done.digest}"
    return f"would send {done.sent} blobs, {done.sent_bytes} bytes: {done.target}@{done.digest}"


def given_reference(text: str) -> Reference:
    """Take a reference to an image."""
    from pratique.image.reference import parse_reference  # noqa: PLC0415 - only where it is needed

    return parse_reference(text)


def _is_registry(reference: Reference) -> bool:
    from pratique.image.reference import Kind  # noqa: PLC0415 - only where it is needed

    return reference.kind is Kind.REGISTRY
