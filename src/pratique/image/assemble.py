"""Images, assembled without a daemon, a Dockerfile or root: the same recipe and bytes give the same digest.

Nothing of the machine goes in: not its time, user, umask, paths or locale. Each source is a layer of its own,
so what did not change keeps its digest. Folders that the base has stay as the base has them.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.image.descriptor import (
    CONFIG,
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    MANIFEST,
    REF_NAME,
    Descriptor,
    Platform,
    oci_media_type,
)
from pratique.image.environment import Environment, environment_entries
from pratique.image.gzipped import GzipWriter
from pratique.image.layerread import open_layer
from pratique.image.layout import Layout  # noqa: TC001 - msgspec reads the annotations
from pratique.image.layoutwrite import open_writer
from pratique.image.manifest import ImageConfig, Manifest, Step
from pratique.image.member import Kind
from pratique.image.slim import Dropped, Slimmer
from pratique.image.source import Entry, Source, directory_entry, entries, sort_key
from pratique.image.tarread import read_tar
from pratique.image.tarwrite import TarWriter
from pratique.image.tree import Tree, split_path
from pratique.image.zstandard import ZstdWriter
from pratique.model.clock import format_time
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.image.layoutwrite import BlobWriter, LayoutWriter

Compression = Literal["gzip", "zstd", "none"]
_MEDIA_TYPES: Final[dict[Compression, str]] = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}
NON_ROOT: Final = "65532:65532"
_ANNOTATION: Final = "org.opencontainers."
_IMAGE_KEYS: Final = "org.opencontainers.image."
_BASE_DIGEST: Final = "org.opencontainers.image.base.digest"
_CREATED: Final = "org.opencontainers.image.created"


class Base(msgspec.Struct, frozen=True):
    """An image to build on: in which layout, and its manifest's descriptor."""

    layout: Layout
    descriptor: Descriptor


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an image depends on.

    Attributes:
        sources: application layers, lowest first.
        base: what they lie on; None is scratch.
        created: seconds since 1970, for the image and every file of its application layers.
        platform: None takes the base's, or linux/amd64.
        user: `uid[:gid]` or a name.
        entrypoint: empty keeps the base's; else the base's command is dropped, too, as every builder does.
        cmd: empty keeps the base's.
        env: set beside the base's, replacing equal names.
        workdir: empty keeps the base's.
        labels: beside the base's own; those the image-spec defines become annotations, too.
        ports: `8080/tcp`, beside the base's.
        compression: of the layers; with `none` the image's digest does not depend on a library underneath.
        name: reference name in the layout, may be empty.
        slim: keep out what is not needed at run time; see `slim`.
    """

    sources: tuple[Source | Environment, ...]
    base: Base | None = None
    created: int = 0
    platform: Platform | None = None
    user: str = NON_ROOT
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = {}
    workdir: str = ""
    labels: dict[str, str] = {}
    ports: tuple[str, ...] = ()
    compression: Compression = "gzip"
    name: str = ""
    slim: bool = False


class Assembled(msgspec.Struct, frozen=True):
    """An image that was written: its manifest's descriptor, its two documents, and what was kept out."""

    descriptor: Descriptor
    manifest: Manifest
    config: ImageConfig
    dropped: tuple[Dropped, ...] = ()


def assemble(recipe: Recipe, output: Path) -> Assembled:
    """Write an image into an OCI layout and name it in the layout's index, last.

    Raises:
        UsageError: a source has no place in an image, or its target not on this base.
        EvidenceInvalidError: the base is not what its descriptors and its configuration say.
        CouldNotCheckError: the base has a layer that cannot be read here.
        InfrastructureError: the disk refused.
    """
    if not recipe.sources:
        raise UsageError("an image needs at least one source", hint="name an archive, a directory or a file")
    tree, slimmer = Tree(), Slimmer()
    with open_writer(output) as writer:
        below = _copy_base(recipe.base, writer, tree) if recipe.base else None
        layers, diff_ids = [], []
        for source in recipe.sources:
            tree.begin_layer()
            layer, diff_id = _write_layer(
                _placed(_entries(source, recipe, slimmer), tree, recipe), writer, recipe
            )
            layers.append(layer)
            diff_ids.append(diff_id)
        config = _config(recipe, below[1] if below else None, tuple(diff_ids))
        manifest = Manifest(
            config=writer.add(config.encode(), CONFIG),
            layers=(*(below[0].layers if below else ()), *layers),
            annotations=_annotations(recipe, config),
        )
        written = writer.add(manifest.encode(), MANIFEST)
        descriptor = msgspec.structs.replace(
            written, platform=config.platform, annotations={REF_NAME: recipe.name} if recipe.name else {}
        )
        writer.publish(descriptor)
    return Assembled(descriptor, manifest, config, slimmer.dropped())


def _copy_base(base: Base, writer: LayoutWriter, tree: Tree) -> tuple[Manifest, ImageConfig]:
    """Copy the base's layers, each read through: its digest, its diff_id, and what it has where."""
    manifest = base.layout.manifest(base.descriptor)
    config = base.layout.config(manifest)
    layers = []
    for descriptor, diff_id in zip(manifest.layers, config.diff_ids, strict=True):
        tree.begin_layer()
        with base.layout.open(descriptor) as blob:
            layer = open_layer(blob, descriptor)
            for member, _ in read_tar(layer, f"layer {descriptor.digest.short}"):
                tree.apply(member)
            layer.drain()
            if not layer.diff_id.matches(diff_id):
                raise EvidenceInvalidError(
                    f"layer {descriptor.digest} uncompresses to {layer.diff_id}, not to the diff_id {diff_id}"
                )
            blob.seek(0)
            writer.copy(blob, descriptor)
        # The bytes stay; Docker's name for them becomes OCI's, as the new manifest is OCI's.
        layers.append(
            Descriptor(
                media_type=oci_media_type(descriptor.media_type),
                digest=descriptor.digest,
                size=descriptor.size,
            )
        )
    return msgspec.structs.replace(manifest, layers=tuple(layers)), config


def _entries(source: Source | Environment, recipe: Recipe, slimmer: Slimmer) -> list[Entry]:
    drops = slimmer.drops if recipe.slim else lambda _path, _size: False
    if isinstance(source, Environment):
        return environment_entries(source, recipe.created, drops)
    found = entries(source, recipe.created)
    return [one for one in found if not drops(one.member.path, one.member.size)] if recipe.slim else found


def _placed(found: list[Entry], tree: Tree, recipe: Recipe) -> list[Entry]:
    """Fit a source's entries onto the layers below: add missing folders, leave existing ones alone."""
    placed: dict[str, Entry] = {}
    for entry in found:
        parts = split_path(entry.member.path)
        for depth in range(1, len(parts) + 1):
            path, last = parts[:depth], depth == len(parts)
            there = tree.get(path)
            kind = there.member.kind if there else Kind.DIRECTORY if tree.is_directory(path) else None
            wanted = entry.member.kind if last else Kind.DIRECTORY
            if Kind.DIRECTORY in {kind, wanted} and kind not in {None, wanted}:
                raise UsageError(
                    f"/{'/'.join(path)} would be a {wanted} over a {kind} of the layers below",
                    hint="give the source another target",
                )
            if wanted is Kind.DIRECTORY and kind is Kind.DIRECTORY:
                continue
            name = "/".join(path)
            placed[name] = entry if last else directory_entry(name, recipe.created)
            tree.apply(placed[name].member)
    return sorted(placed.values(), key=lambda entry: sort_key(entry.member.path))


def _write_layer(found: list[Entry], writer: LayoutWriter, recipe: Recipe) -> tuple[Descriptor, Digest]:
    with writer.blob() as blob:
        if recipe.compression == "none":
            diff_id = _write_tar(found, blob)
        else:
            with (GzipWriter if recipe.compression == "gzip" else ZstdWriter)(blob.write) as packed:
                diff_id = _write_tar(found, packed)
    media_type = _MEDIA_TYPES[recipe.compression]
    return Descriptor(media_type=media_type, digest=blob.digest, size=blob.size), diff_id


def _write_tar(found: list[Entry], sink: GzipWriter | ZstdWriter | BlobWriter) -> Digest:
    hasher = hashlib.sha256()
    archive = TarWriter(_both(hasher.update, sink.write))
    for entry in found:
        archive.add(entry.member, entry.read())
    archive.close()
    return Digest(hasher.hexdigest())


def _both(first: Callable[[bytes], object], second: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        first(data)
        second(data)

    return write


def _config(recipe: Recipe, base: ImageConfig | None, diff_ids: tuple[Digest, ...]) -> ImageConfig:
    created = format_time(datetime.fromtimestamp(recipe.created, UTC))
    below = base or ImageConfig(platform=recipe.platform or Platform("linux", "amd64"), diff_ids=())
    if recipe.platform not in {None, below.platform}:
        raise UsageError(f"the base is for {below.platform}, not for {recipe.platform}")
    steps = tuple(
        Step(created=created, created_by=f"pratique image build: {source.target}")
        for source in recipe.sources
    )
    return ImageConfig(
        platform=below.platform,
        diff_ids=below.diff_ids + diff_ids,
        created=created,
        user=recipe.user,
        env=_merged(below.env, recipe.env),
        entrypoint=recipe.entrypoint or below.entrypoint,
        cmd=recipe.cmd or (() if recipe.entrypoint else below.cmd),
        workdir=recipe.workdir or below.workdir,
        # What the base says of itself with the image-spec's own keys is not true of this image.
        labels={k: v for k, v in below.labels.items() if not k.startswith(_IMAGE_KEYS)} | recipe.labels,
        ports=tuple(sorted({*below.ports, *recipe.ports})),
        volumes=below.volumes,
        stop_signal=below.stop_signal,
        history=below.history + steps,
    )


def _merged(below: tuple[str, ...], env: dict[str, str]) -> tuple[str, ...]:
    """Set variables over the base's; a replaced one keeps its place."""
    merged = {line.partition("=")[0]: line.partition("=")[2] for line in below} | env
    return tuple(f"{name}={value}" for name, value in merged.items())


def _annotations(recipe: Recipe, config: ImageConfig) -> dict[str, str]:
    annotations = {key: value for key, value in recipe.labels.items() if key.startswith(_ANNOTATION)}
    annotations[_CREATED] = config.created
    if recipe.base:
        annotations[_BASE_DIGEST] = str(recipe.base.descriptor.digest)
    return annotations
