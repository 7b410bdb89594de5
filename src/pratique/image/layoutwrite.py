"""OCI image layouts, written: blobs first and durably, the index that names them last and at once.

A killed writer leaves blobs that nothing names and temporary files that the next writer removes; the layout
is valid at every moment. Files are 0600 and folders 0700, whatever the umask.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError
from pratique.image.descriptor import REF_NAME, Descriptor
from pratique.image.layout import MARKER, VERSION, Layout
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
    from collections.abc import Iterator
    from pathlib import Path

_LOCK: Final = ".lock"
_MODE: Final = 0o600
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

    @contextmanager
    def blob(self) -> Iterator[BlobWriter]:
        """Write a blob in pieces; nothing is left of it when the block ends with an exception."""
        temporary = temporary_name(self.layout.root)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(temporary, flags, _MODE), "wb") as stream:
                writer = BlobWriter(stream)
                yield writer
            target = self.layout.path(writer.digest)
            temporary.replace(target)
            self._new.append(target)
        finally:
            temporary.unlink(missing_ok=True)

    def add(self, data: bytes, media_type: str) -> Descriptor:
        """Write a small blob."""
        with self.blob() as blob:
            blob.write(data)
        return Descriptor(media_type=media_type, digest=sha256_bytes(data), size=len(data))

    def has(self, descriptor: Descriptor) -> bool:
        """Say whether a blob is here, and intact."""
        try:
            self.layout.open(descriptor).close()
        except EvidenceInvalidError:
            return False
        return True

    def copy(self, source: IO[bytes], descriptor: Descriptor) -> None:
        """Write a blob that a descriptor announces, unless it is here and intact.

        Raises:
            EvidenceInvalidError: the bytes are not what the descriptor says; nothing is kept of them.
        """
        if self.has(descriptor):
            return
        with self.blob() as blob:
            while blob.size <= descriptor.size and (chunk := source.read(_CHUNK)):
                blob.write(chunk)
            if blob.size != descriptor.size or not blob.digest.matches(descriptor.digest):
                raise EvidenceInvalidError(
                    f"{descriptor.digest}: {descriptor.size} bytes announced, {blob.size} of {blob.digest}"
                )

    def publish(self, descriptor: Descriptor) -> None:
        """Name an image in the index; one that had its reference name loses it.

        Everything written before is on the disk first.
        """
        folder = self.layout.path(descriptor.digest).parent
        sync_paths([*self._new, folder])
        self._new.clear()
        name = descriptor.annotations.get(REF_NAME)
        others = tuple(
            item
            for item in self.layout.index()
            if not _replaced(item, descriptor) and (name is None or item.annotations.get(REF_NAME) != name)
        )
        write_atomic(self.layout.root / "index.json", encode_index((*others, descriptor)), _MODE)


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
            make_folder(root / "blobs" / "sha256")
            if not (root / "index.json").exists():
                write_atomic(root / "index.json", encode_index(()), _MODE)
            if not (root / MARKER).exists():
                write_atomic(root / MARKER, canonical_json({"imageLayoutVersion": VERSION}), _MODE)
            yield LayoutWriter(Layout(root))
    except OSError as error:
        raise InfrastructureError(f"cannot write {root}: {error.strerror or error}") from error
