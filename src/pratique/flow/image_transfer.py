"""Images to and from registries, layouts and archives: pushed, pulled, copied, listed, deleted.

A tag is resolved once; from then on everything is by digest.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import UsageError
from pratique.flow.progress import Outcome
from pratique.image.archivewrite import open_archive_writer
from pratique.image.copy import Plan, missing, plan_copy, run_copy
from pratique.image.descriptor import REF_NAME, Descriptor, oci_media_type
from pratique.image.graph import parse_links
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.reference import Kind, Reference
from pratique.image.registry.client import Repository
from pratique.image.registry.connections import Connections
from pratique.image.registry.credentials import load_credentials
from pratique.image.registry.fallback import is_fallback_tag
from pratique.image.registry.http import Http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pratique.flow.progress import Progress
    from pratique.image.descriptor import Platform
    from pratique.image.layoutwrite import LayoutWriter
    from pratique.image.place import Reader, Writer
    from pratique.model.digest import Digest

_TIMEOUT: Final = 30.0
_WORKERS: Final = 8
_MAX_LISTED: Final = 10_000


class Access(msgspec.Struct, frozen=True):
    """How registries are reached: the file with credentials, and further certificate authorities."""

    auth: Path | None = None
    authorities: tuple[Path, ...] = ()


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy did, or would do.

    Attributes:
        source: where from, with the digest its name led to.
        target: where to.
        digest: of the image or index.
        referrers: how many manifests go along because they refer to another.
        sent: blobs that were sent (or would be).
        sent_bytes: their bytes.
        present: blobs that the target had already.
        done: whether it was done, or only tried out.
    """

    source: str
    target: str
    digest: Digest
    referrers: int
    sent: int
    sent_bytes: int
    present: int
    done: bool


class Listed(msgspec.Struct, frozen=True):
    """One name in a place, or one manifest without; with what kind of thing it is."""

    name: str
    digest: Digest
    kind: str
    size: int


def open_reader(reference: Reference, access: Access) -> Reader:
    """Open the place that a reference names, for reading.

    Raises:
        ConfigError: no layout there, or credentials or certificates that cannot be used.
    """
    if reference.kind is Kind.REGISTRY:
        return open_repository(reference, access)
    return Layout(Path(reference.place))


def open_repository(reference: Reference, access: Access) -> Repository:
    """Open a repository of a registry.

    Raises:
        UsageError: not a repository's name.
        ConfigError: credentials or certificates that cannot be used.
    """
    credentials = load_credentials(access.auth, reference.host, reference.repository)
    connections = Connections(_TIMEOUT, access.authorities)
    return Repository(Http(reference.host, credentials, connections=connections), reference.repository)


@contextmanager
def open_target(reference: Reference, access: Access) -> Iterator[Writer]:
    """Open the place that a reference names, for writing.

    Raises:
        ConfigError: something else is there.
        InfrastructureError: it cannot be written, or another process writes to it.
    """
    if reference.kind is Kind.REGISTRY:
        yield open_repository(reference, access)
        return
    with open_local(reference) as writer:
        yield writer


@contextmanager
def open_local(reference: Reference) -> Iterator[LayoutWriter]:
    """Open a layout's folder or archive for writing; see `open_target`."""
    path = Path(reference.place)
    if reference.kind is Kind.ARCHIVE or (reference.kind is Kind.PATH and path.is_file()):
        with open_archive_writer(path) as writer:
            yield writer
    else:
        with open_writer(path) as writer:
            yield writer


def resolve(reference: Reference, reader: Reader, progress: Progress) -> Descriptor:
    """Find what a reference names, and show it.

    Raises:
        UsageError: there is none.
    """
    progress.begin("resolve", str(reference))
    found = reader.resolve(reference.name, reference.digest)
    progress.end(Outcome.DONE, f"{reference} is {found.digest}")
    return found


def choose(reader: Reader, found: Descriptor, platform: Platform, what: str) -> Descriptor:
    """Choose the image of an index for a platform; an image is what it is.

    Raises:
        UsageError: the index has none, or several.
    """
    links = parse_links(reader.document(found), found.media_type, what)
    if not links.manifests:
        return found
    named = [one for one in links.manifests if one.platform == platform]
    if len(named) != 1:
        listed = ", ".join(sorted({str(one.platform) for one in links.manifests if one.platform}))
        raise UsageError(f"{what} has {len(named)} images for {platform}", hint=f"it has: {listed}")
    return Descriptor(media_type=named[0].media_type, digest=named[0].digest, size=named[0].size)


def transfer(
    source: Reference,
    target: Reference,
    access: Access,
    progress: Progress,
    *,
    platform: Platform | None = None,
    referrers: bool = True,
    dry_run: bool = False,
    check: Callable[[Reader, Digest], None] | None = None,
) -> Transfer:
    """Copy an image or index with all that refers to it.

    Args:
        source: which.
        target: where to; without a name the image has none there.
        access: see `Access`.
        progress: hears of it.
        platform: of an index this image alone.
        referrers: whether what refers to it goes along.
        dry_run: find out what there is to do, and do nothing.
        check: asked about what the name led to, before anything else of it is read; raises to refuse it.

    Raises:
        UsageError: no such image.
        EvidenceInvalidError: bytes that are not what they are called; the target offers nothing new.
        InfrastructureError: a registry or the disk failed.
    """
    if target.digest is not None:
        raise UsageError(
            f"{target}: a digest is what comes of a copy", hint="name the target by a tag, or not at all"
        )
    reader = open_reader(source, access)
    root = resolve(source, reader, progress)
    if check is not None:
        check(reader, root.digest)
    if platform is not None:
        root = choose(reader, root, platform, str(source))
    progress.begin("plan", f"{root.digest.short}: its parts{' and what refers to them' if referrers else ''}")
    plan = plan_copy(reader, root, referrers=referrers)
    progress.end(Outcome.DONE, _plan_line(plan))
    if dry_run:
        return _dry(plan, source, target, access)
    progress.begin("copy", f"{source} to {target}")

    def note(done: int, total: int) -> None:
        progress.note(f"{done / 1e6:.1f} of {total / 1e6:.1f} MB")

    with open_target(target, access) as writer:
        copied = run_copy(plan, reader, writer, target.name, note)
    there = f"{copied.present} already there"
    progress.end(Outcome.DONE, f"{copied.sent} blobs, {copied.sent_bytes / 1e6:.1f} MB sent; {there}")
    return Transfer(
        source=str(source),
        target=str(target),
        digest=root.digest,
        referrers=plan.referrers,
        sent=copied.sent,
        sent_bytes=copied.sent_bytes,
        present=copied.present,
        done=True,
    )


def _dry(plan: Plan, source: Reference, target: Reference, access: Access) -> Transfer:
    """Say what is missing at the target, without making anything there."""
    wanted: Sequence[Descriptor] = plan.blobs
    if target.kind is Kind.REGISTRY:
        wanted = missing(plan, open_repository(target, access))
    elif Path(target.place).exists():
        layout = Layout(Path(target.place))
        wanted = [blob for blob in plan.blobs if not layout.has(blob)]
    return Transfer(
        source=str(source),
        target=str(target),
        digest=plan.root.descriptor.digest,
        referrers=plan.referrers,
        sent=len(wanted),
        sent_bytes=sum(blob.size for blob in wanted),
        present=len(plan.blobs) - len(wanted),
        done=False,
    )


def _plan_line(plan: Plan) -> str:
    along = f", {plan.referrers} referring" if plan.referrers else ""
    return f"{len(plan.items)} manifests{along}; {len(plan.blobs)} blobs, {plan.size / 1e6:.1f} MB"


def list_place(reference: Reference, access: Access, *, everything: bool) -> list[Listed]:
    """List what a place offers: names with their digests; for a layout what has no name, too.

    Args:
        reference: the place; a name or digest in it is not looked at.
        access: see `Access`.
        everything: the tags of the referrers tag schema, too.

    Raises:
        UsageError: no such repository, or more names than are listed.
    """
    if reference.kind is Kind.REGISTRY:
        repository = open_repository(reference, access)
        tags = []
        for tag in repository.tags():
            if everything or not is_fallback_tag(tag):
                tags.append(tag)
            if len(tags) > _MAX_LISTED:
                raise UsageError(f"{repository.name}: more than {_MAX_LISTED} tags")
        with ThreadPoolExecutor(_WORKERS) as pool:
            found = list(pool.map(lambda tag: (tag, repository.resolve(tag, None)), tags))
        return [Listed(tag, one.digest, oci_media_type(one.media_type), one.size) for tag, one in found]
    return [
        Listed(
            item.annotations.get(REF_NAME, ""), item.digest, item.artifact_type or item.media_type, item.size
        )
        for item in Layout(Path(reference.place)).index()
    ]


def list_referrers(
    reference: Reference, access: Access, progress: Progress
) -> tuple[Digest, list[tuple[int, Listed]]]:
    """List what refers to an image, recursively: each with its depth.

    Raises:
        UsageError: no such image.
        EvidenceInvalidError: a list that is not true.
    """
    reader = open_reader(reference, access)
    root = resolve(reference, reader, progress)
    return root.digest, list(_referring(reader, root.digest, 0, set()))


def _referring(reader: Reader, digest: Digest, depth: int, seen: set[Digest]) -> Iterator[tuple[int, Listed]]:
    for one in reader.referrers(digest):
        if one.digest in seen or len(seen) > _MAX_LISTED:
            continue
        seen.add(one.digest)
        title = one.annotations.get("dev.sigstore.bundle.predicateType", "")
        yield depth, Listed(title, one.digest, one.artifact_type, one.size)
        yield from _referring(reader, one.digest, depth + 1, seen)


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be: a tag alone, or a manifest by digest with what refers to it."""

    place: str
    tag: str
    digest: Digest
    referrers: tuple[Digest, ...]
    done: bool


def delete(
    reference: Reference, access: Access, progress: Progress, *, referrers: bool, dry_run: bool
) -> Deleted:
    """Delete a tag of a registry, or a manifest by its digest; in a layout the blobs nobody needs go, too.

    Args:
        reference: a tag, or a digest.
        access: see `Access`.
        progress: hears of it.
        referrers: with the manifest, delete what refers to it.
        dry_run: only say what would be deleted.

    Raises:
        UsageError: neither is given, there is no such thing, or the registry does not delete.
    """
    if bool(reference.name) == (reference.digest is not None):
        raise UsageError(
            f"{reference}: one tag, or one digest, is what can be deleted",
            hint=f"see which there are: pratique image list {reference.place}",
        )
    if reference.name and referrers:
        raise UsageError(
            "--referrers goes with a digest: a tag is deleted alone",
            hint=f"name it by @sha256:…: {reference}",
        )
    reader = open_reader(reference, access)
    found = resolve(reference, reader, progress)
    along = [one.digest for _, one in _referring(reader, found.digest, 0, set())] if referrers else []
    deleted = Deleted(
        place=reference.place,
        tag=reference.name,
        digest=found.digest,
        referrers=tuple(along),
        done=not dry_run,
    )
    if dry_run:
        return deleted
    if isinstance(reader, Repository):
        for digest in reversed(along):  # what refers goes before what it refers to
            reader.delete(digest)
        reader.delete(reference.name or found.digest)
        return deleted
    with open_local(reference) as writer:
        writer.remove(reference.name, (found.digest, *along))
    return deleted
