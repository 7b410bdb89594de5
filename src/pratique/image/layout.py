"""OCI image layouts on a disk, read as if an enemy had made them (OCI image-spec 1.1, image-layout.md).

Every blob is hashed before its first byte is used, through the same open file, so that nobody can put
another in its place; its length is the descriptor's or it is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.descriptor import INDEX, MANIFEST, Descriptor, Platform, oci_media_type
from pratique.image.manifest import MAX_DOCUMENT_BYTES, Manifest, parse_config, parse_index, parse_manifest
from pratique.model.digest import Digest, parse_digest
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.image.manifest import ImageConfig

VERSION: Final = "1.0.0"
MARKER: Final = "oci-layout"
_MAX_NESTING: Final = 4
_MAX_IMAGES: Final = 10_000


class Layout:
    """A layout for reading.

    Raises:
        ConfigError: the folder is no OCI layout.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            marker = parse_json_object(_small_file(root / MARKER), what=str(root / MARKER))
        except FileNotFoundError as error:
            raise ConfigError(
                f"{root} is not an OCI layout: no file {MARKER}",
                hint="make one with: pratique image build, or: skopeo copy docker://<image> oci:<folder>",
            ) from error
        if marker.get("imageLayoutVersion") != VERSION:
            raise ConfigError(f"{root}: OCI layout of another version than {VERSION}")

    def path(self, digest: Digest) -> Path:
        """Say where a blob is, or would be."""
        return self.root / "blobs" / "sha256" / parse_digest(str(digest)).hex

    def index(self) -> tuple[Descriptor, ...]:
        """Give what the layout offers, in its own order.

        Raises:
            MalformedError: index.json is not an index.
        """
        try:
            data = _small_file(self.root / "index.json")
        except FileNotFoundError as error:
            raise MalformedError(f"{self.root}: an OCI layout without index.json") from error
        return parse_index(data, str(self.root / "index.json"))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """Open a blob after hashing it through.

        Raises:
            EvidenceInvalidError: it is missing, no plain file, or not what the descriptor says.
            InfrastructureError: it cannot be read.
        """
        path = self.path(descriptor.digest)
        try:
            stream = _open_plain(path)
        except FileNotFoundError as error:
            raise EvidenceInvalidError(f"{self.root}: blob {descriptor.digest} is missing") from error
        try:
            _verify(stream, descriptor, path)
        except BaseException:
            stream.close()
            raise
        return stream

    def read(self, descriptor: Descriptor) -> bytes:
        """Read a document whole.

        Raises:
            MalformedError: larger than a document may be.
            EvidenceInvalidError: as `open`.
        """
        if descriptor.size > MAX_DOCUMENT_BYTES:
            raise MalformedError(f"{descriptor.digest}: a document of {descriptor.size} bytes")
        with self.open(descriptor) as stream:
            return stream.read(descriptor.size)

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


def _open_plain(path: Path) -> IO[bytes]:
    """Open a regular file, never a link to one, and never a device or pipe that would block."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise EvidenceInvalidError(f"{path} is not a plain file")
    return os.fdopen(handle, "rb")


def _small_file(path: Path) -> bytes:
    with _open_plain(path) as stream:
        data = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(data) > MAX_DOCUMENT_BYTES:
        raise MalformedError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes")
    return data


def _verify(stream: IO[bytes], descriptor: Descriptor, path: Path) -> None:
    size = os.fstat(stream.fileno()).st_size
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
