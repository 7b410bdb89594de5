"""OCI image layouts, written: blobs first and durably, the index that names them last and at once.

A killed writer leaves blobs that nothing names and temporary files that the next writer removes; the layout
is valid at every moment. Files are 0600 and folders 0700, whatever the umask.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError
from pratique.image.descriptor import INDEX, MANIFEST, REF_NAME, Descriptor, oci_media_type
from pratique.image.graph import parse_links
from pratique.image.layout import MARKER, VERSION, Layout, blob_name, plain
from pratique.image.manifest import encode_index
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.store.atomic import (
    locked,
    make_folder,
    remove_temporary,
    sync_paths,
    temporary_name,
    write_atomic,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pratique.image.place import Reader

_LOCK: Final = ".lock"
_MODE: Final = 0o600
_BLOBS: Final = "blobs/sha256"
_CHUNK: Final = 1 << 20


class BlobWriter:
    """A blob under construction; `descriptor` names it once the writer's block is left."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Take more bytes."""
        self._hasher.update(data)
        self.size += len(data)
        self._stream.write(data)

    @property
    def digest(self) -> Digest:
        """The digest of what was written so far."""
        return Digest(self._hasher.hexdigest())


class LayoutWriter:
    """A layout that this process alone writes to; made by `open_writer`."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._new: list[Path] = []
        self._offered: list[Descriptor] = []

    @contextmanager
    def blob(self) -> Iterator[BlobWriter]:
        """Write a blob in pieces; nothing is left of it when the block ends with an exception."""
        temporary = temporary_name(self.layout.root)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(temporary, flags, _MODE), "wb") as stream:
                writer = BlobWriter(stream)
                yield writer
            target = self.layout.root / blob_name(writer.digest)
            temporary.replace(target)
            self._new.append(target)
        finally:
            temporary.unlink(missing_ok=True)

    def add(self, data: bytes, media_type: str) -> Descriptor:
        """Write a small blob."""
        with self.blob() as blob:
            blob.write(data)
        return Descriptor(media_type=media_type, digest=sha256_bytes(data), size=len(data))

    def copy(self, source: IO[bytes], descriptor: Descriptor) -> None:
        """Write a blob that a descriptor announces, unless it is here and intact.

        Raises:
            EvidenceInvalidError: the bytes are not what the descriptor says; nothing is kept of them.
        """
        if self.layout.has(descriptor):
            return
        with self.blob() as blob:
            while blob.size <= descriptor.size and (chunk := source.read(_CHUNK)):
                blob.write(chunk)
            if blob.size != descriptor.size or not blob.digest.matches(descriptor.digest):
                raise EvidenceInvalidError(
                    f"{descriptor.digest}: {descriptor.size} bytes announced, {blob.size} of {blob.digest}"
                )

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Say whether a blob is here, and intact."""
        return self.layout.has(descriptor)

    def has_manifest(self, _descriptor: Descriptor) -> bool:
        """Say no: that a manifest is here says nothing of its blobs."""
        return False

    def put_blob(self, descriptor: Descriptor, source: Reader) -> bool:
        """Take a blob from a reader; nothing is kept of one that is not what the descriptor says."""
        with self.blob() as blob:
            source.blob(descriptor, blob.write)
        return True

    def put_manifest(self, descriptor: Descriptor, data: bytes, name: str | None = None) -> None:
        """Take a manifest or an index; `flush` offers it, and those that refer to others."""
        self.add(data, descriptor.media_type)
        links = parse_links(data, descriptor.media_type, f"manifest {descriptor.digest.short}")
        if name is None and links.subject is None:
            return
        annotations = {REF_NAME: name} if name else {}
        artifact_type = links.artifact_type if links.subject else ""
        self._offered.append(
            msgspec.structs.replace(plain(descriptor), annotations=annotations, artifact_type=artifact_type)
        )

    def flush(self) -> None:
        """Offer all that was put, at once."""
        self.publish(*self._offered)
        self._offered.clear()

    def publish(self, *descriptors: Descriptor) -> None:
        """Name images in the index; one that had one of their reference names loses it.

        Everything written before is on the disk first.
        """
        sync_paths([*self._new, self.layout.root / _BLOBS])
        self._new.clear()
        offered = self.layout.index()
        for descriptor in descriptors:
            name = descriptor.annotations.get(REF_NAME)
            others = tuple(
                item
                for item in offered
                if not _replaced(item, descriptor)
                and (name is None or item.annotations.get(REF_NAME) != name)
            )
            offered = (*others, descriptor)
        self._write_index(offered)

    def remove(self, name: str, digests: Collection[Digest]) -> None:
        """Take a name out of the index, or without a name manifests; then remove blobs that nothing needs.

        A manifest that loses its last name is gone, too: nothing else would lead to it.
        """
        offered = self.layout.index()
        if name:
            kept = tuple(item for item in offered if item.annotations.get(REF_NAME) != name)
        else:
            kept = tuple(item for item in offered if item.digest not in digests)
        needed = _reachable(self.layout, kept)
        self._write_index(kept)
        for path in (self.layout.root / _BLOBS).iterdir():
            if path.name not in needed:
                path.unlink()

    def _write_index(self, offered: tuple[Descriptor, ...]) -> None:
        write_atomic(self.layout.root / "index.json", encode_index(offered), _MODE)


def _reachable(layout: Layout, offered: tuple[Descriptor, ...]) -> set[str]:
    """Give the names of all blobs that the index leads to."""
    found: set[str] = set()
    pending = list(offered)
    while pending:
        item = pending.pop()
        if item.digest.hex in found:
            continue
        found.add(item.digest.hex)
        if oci_media_type(item.media_type) in {MANIFEST, INDEX}:
            links = parse_links(layout.read(item), item.media_type, f"manifest {item.digest.short}")
            pending.extend(links.manifests)
            found.update(blob.digest.hex for blob in links.blobs)
    return found


def _replaced(item: Descriptor, by: Descriptor) -> bool:
    """Say whether a descriptor is the same image under the same name."""
    return item.digest == by.digest and item.annotations.get(REF_NAME) == by.annotations.get(REF_NAME)


@contextmanager
def open_writer(root: Path) -> Iterator[LayoutWriter]:
    """Open a layout for writing, making it when the folder is missing or empty.

    Raises:
        ConfigError: the folder holds something else.
        InfrastructureError: the disk refused, or another process writes to it.
    """
    try:
        if (
            root.exists()
            and not (root / MARKER).exists()
            and any(path.name != _LOCK for path in root.iterdir())
        ):
            raise ConfigError(
                f"{root} holds something other than an OCI layout", hint="name a new or empty folder"
            )
        make_folder(root)
        with locked(root / _LOCK):
            remove_temporary(root)
            make_folder(root / _BLOBS)
            if not (root / "index.json").exists():
                write_atomic(root / "index.json", encode_index(()), _MODE)
            if not (root / MARKER).exists():
                write_atomic(root / MARKER, canonical_json({"imageLayoutVersion": VERSION}), _MODE)
            yield LayoutWriter(Layout(root))
    except OSError as error:
        raise InfrastructureError(f"cannot write {root}: {error.strerror or error}") from error
