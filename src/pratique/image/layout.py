"""OCI image layouts, read as if an enemy had made them (OCI image-spec 1.1, image-layout.md).

A layout is a folder, or an archive of one.

Every blob is hashed before its first byte is used, through the same open file, so that nobody can put
another in its place; its length is the descriptor's or it is refused.
"""

from __future__ import annotations

import hashlib
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.descriptor import INDEX, MANIFEST, REF_NAME, Descriptor, Platform, oci_media_type
from pratique.image.graph import parse_links, refers_to
from pratique.image.layoutfiles import Archive, Files, Folder
from pratique.image.manifest import MAX_DOCUMENT_BYTES, Manifest, parse_config, parse_index, parse_manifest
from pratique.model.digest import Digest, parse_digest
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.image.manifest import ImageConfig

VERSION: Final = "1.0.0"
MARKER: Final = "oci-layout"
_MAX_NESTING: Final = 4
_MAX_IMAGES: Final = 10_000
_CHUNK: Final = 1 << 20


class Layout:
    """A layout for reading: a `Reader`.

    Raises:
        ConfigError: neither a folder nor an archive with an OCI layout.
        MalformedError: an archive that two readers could understand differently.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: Files = Archive(root.resolve()) if root.is_file() else Folder(root)
        try:
            marker = parse_json_object(self._small_file(MARKER), what=str(root / MARKER))
        except FileNotFoundError as error:
            raise ConfigError(
                f"{root} is not an OCI layout: no file {MARKER}",
                hint="make one with: pratique image build, or: pratique image pull REGISTRY/NAME:TAG FOLDER",
            ) from error
        if marker.get("imageLayoutVersion") != VERSION:
            raise ConfigError(f"{root}: OCI layout of another version than {VERSION}")

    def index(self) -> tuple[Descriptor, ...]:
        """Give what the layout offers, in its own order.

        Raises:
            MalformedError: index.json is not an index.
        """
        try:
            data = self._small_file("index.json")
        except FileNotFoundError as error:
            raise MalformedError(f"{self.root}: an OCI layout without index.json") from error
        return parse_index(data, str(self.root / "index.json"))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """Open a blob after hashing it through.

        Raises:
            EvidenceInvalidError: it is missing, no plain file, or not what the descriptor says.
            InfrastructureError: it cannot be read.
        """
        name = blob_name(descriptor.digest)
        try:
            stream, size = self.files.open(name)
        except FileNotFoundError as error:
            raise EvidenceInvalidError(f"{self.root}: blob {descriptor.digest} is missing") from error
        try:
            _verify(stream, size, descriptor, f"{self.root}/{name}")
        except BaseException:
            stream.close()
            raise
        return stream

    def has(self, descriptor: Descriptor) -> bool:
        """Say whether a blob is here, and intact."""
        try:
            self.open(descriptor).close()
        except EvidenceInvalidError:
            return False
        return True

    def read(self, descriptor: Descriptor, limit: int = MAX_DOCUMENT_BYTES) -> bytes:
        """Read a document or another small blob whole.

        Raises:
            MalformedError: larger than `limit`.
            EvidenceInvalidError: as `open`.
        """
        if descriptor.size > limit:
            raise MalformedError(f"{descriptor.digest}: {descriptor.size} bytes, more than {limit}")
        with self.open(descriptor) as stream:
            return stream.read(descriptor.size)

    def document(self, descriptor: Descriptor) -> bytes:
        """Read a manifest or an index."""
        return self.read(descriptor)

    def content(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a blob whole."""
        return self.read(descriptor, limit)

    def blob(self, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
        """Read a blob in pieces."""
        with self.open(descriptor) as stream:
            while chunk := stream.read(_CHUNK):
                write(chunk)

    def resolve(self, name: str, digest: Digest | None) -> Descriptor:
        """Find what the layout offers by a digest or a reference name: an image, an index or an artifact.

        Raises:
            UsageError: there is none, or without either there are several.
        """
        offered = self.index()
        if digest is not None:
            named = [item for item in offered if item.digest == digest]
            return plain(named[0] if named else self.find(digest))
        if name:
            named = [item for item in offered if item.annotations.get(REF_NAME) == name]
            if not named:
                raise UsageError(f"{self.root} has nothing called {name!r}")
            return plain(named[0])
        images = [item for item in offered if not self._refers(item)]
        if len({item.digest for item in images}) == 1:
            return plain(images[0])
        listed = ", ".join(f"{one.digest}{_label(one)}" for one in images[:8])
        raise UsageError(
            f"{self.root} offers {len(images)} images{f': {listed}' if listed else ''}",
            hint=f"name one: oci:{self.root}@{images[0].digest}" if images else "",
        )

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List the manifests of the index whose subject is this one."""
        found = {}
        for item in self.index():
            if oci_media_type(item.media_type) not in {MANIFEST, INDEX}:
                continue
            links = parse_links(self.read(item), item.media_type, f"manifest {item.digest.short}")
            if refers_to(links, digest):
                found[item.digest] = links.listed(item)
        return tuple(found.values())

    def _refers(self, item: Descriptor) -> bool:
        """Say whether a manifest refers to another: evidence, not an image."""
        if oci_media_type(item.media_type) not in {MANIFEST, INDEX}:
            return False
        return parse_links(self.read(item), item.media_type, str(item.digest)).subject is not None

    def _small_file(self, name: str) -> bytes:
        stream, _ = self.files.open(name)
        with stream:
            data = stream.read(MAX_DOCUMENT_BYTES + 1)
        if len(data) > MAX_DOCUMENT_BYTES:
            raise MalformedError(f"{self.root / name}: larger than {MAX_DOCUMENT_BYTES} bytes")
        return data

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Read a manifest."""
        return parse_manifest(self.read(descriptor), f"manifest {descriptor.digest.short}")

    def config(self, manifest: Manifest) -> ImageConfig:
        """Read an image's configuration.

        Raises:
            MalformedError: it is not one, or does not fit the manifest's layers.
        """
        what = f"configuration {manifest.config.digest.short}"
        config = parse_config(self.read(manifest.config), what)
        if len(config.diff_ids) != len(manifest.layers):
            raise MalformedError(
                f"{what}: {len(config.diff_ids)} diff_ids for the manifest's {len(manifest.layers)} layers"
            )
        return config

    def find(self, digest: Digest | None = None, platform: Platform | None = None) -> Descriptor:
        """Find an image's manifest.

        Args:
            digest: of a manifest, or of an index with one; None when the layout offers just one image.
            platform: chooses where an index offers several.

        Raises:
            UsageError: there is no such image, or more than one.
        """
        offered = self._images(self.index(), 0)
        if digest is not None:
            named = [item for item in offered if item[-1].digest == digest]
            offered = named or [item for item in offered if any(above.digest == digest for above in item)]
        found = list(dict.fromkeys(item[-1].digest for item in offered))
        chosen = {item[-1].digest: item[-1] for item in offered}
        if len(found) > 1 and platform is not None:
            found = [one for one in found if chosen[one].platform == platform]
        if len(found) == 1:
            return chosen[found[0]]
        wanted = f"{digest}" if digest else "image"
        if not found:
            raise UsageError(f"{self.root} has no {wanted}{f' for {platform}' if platform else ''}")
        listed = ", ".join(f"{one}{_label(chosen[one])}" for one in found[:8])
        raise UsageError(
            f"{self.root} has {len(found)} images: {listed}", hint=f"name one: {self.root}@{found[0]}"
        )

    def _images(self, offered: tuple[Descriptor, ...], depth: int) -> list[tuple[Descriptor, ...]]:
        """Give a path of descriptors to every image manifest, through indexes within the index."""
        if depth > _MAX_NESTING:
            raise MalformedError(f"{self.root}: indexes within indexes, more than {_MAX_NESTING} deep")
        found: list[tuple[Descriptor, ...]] = []
        for item in offered:
            kind = oci_media_type(item.media_type)
            if kind == INDEX:
                inner = parse_index(self.read(item), f"index {item.digest.short}")
                found += [(item, *below) for below in self._images(inner, depth + 1)]
            elif kind == MANIFEST and not item.artifact_type and str(item.platform) != "unknown/unknown":
                found.append((item,))
            if len(found) > _MAX_IMAGES:
                raise MalformedError(f"{self.root}: more than {_MAX_IMAGES} images")
        return found


def _label(descriptor: Descriptor) -> str:
    return f" ({descriptor.platform})" if descriptor.platform else ""


def blob_name(digest: Digest) -> str:
    """Say where in a layout a blob is."""
    return f"blobs/sha256/{parse_digest(str(digest)).hex}"


def plain(descriptor: Descriptor) -> Descriptor:
    """Give a descriptor without what an index says beside it: names, platform."""
    return Descriptor(media_type=descriptor.media_type, digest=descriptor.digest, size=descriptor.size)


def _verify(stream: IO[bytes], size: int, descriptor: Descriptor, path: str) -> None:
    if size != descriptor.size:
        raise EvidenceInvalidError(f"{path}: {size} bytes, where its descriptor says {descriptor.size}")
    try:
        found = Digest(hashlib.file_digest(stream, "sha256").hexdigest())  # type: ignore[arg-type] # it has readinto
        stream.seek(0)
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
    if not found.matches(descriptor.digest):
        raise EvidenceInvalidError(
            f"{path} is damaged: its name says {descriptor.digest}, its bytes are {found}"
        )
