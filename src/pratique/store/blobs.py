"""Content-addressed bytes on a disk, checked on every read: a file each, or one file for many small ones.

Any number of processes may write and read at once. A blob's name is its content, so two writers of one blob
agree; it appears by rename, so nobody sees half of it; and what is read back is hashed again, so a damaged
disk is noticed where it matters.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import itertools
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest, parse_digest, sha256_bytes
from pratique.store.atomic import (
    LockBusyError,
    locked,
    make_folder,
    remove_temporary,
    sync_paths,
    temporary_name,
    write_all_atomic,
)
from pratique.store.packed import PackedBlobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import BinaryIO

_MODE = 0o400
_CHUNK = 1024 * 1024
_SMALL = 128 * 1024
_PACK_FROM = 64
"""So many small blobs at once go into one file: from here on a file each is what a batch would wait for."""
_NAME = re.compile(r"[0-9a-f]{64}\Z")


class BlobStore:
    """A folder of blobs. Making the object touches nothing, so a store on read-only media can be read.

    Layout: `sha256/ab/<hex>` blobs (0400), `packed.sqlite` small blobs that came in large batches, `tmp/`
    files being written, `lock` held shared by writers, so that the one who gets it alone knows everything in
    `tmp/` for a dead writer's leftovers.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "sha256"
        self._scratch = root / "tmp"
        self._lock = root / "lock"
        self._packed = PackedBlobs(root / "packed.sqlite")
        self._cleaned = False

    def path(self, digest: Digest) -> Path:
        """Say which file a blob has, or would have for itself.

        Raises:
            MalformedError: a digest that was built from something other than 64 hex digits.
        """
        hex_digest = parse_digest(str(digest)).hex
        return self._blobs / hex_digest[:2] / hex_digest

    def has(self, digest: Digest) -> bool:
        """Say whether a blob is here; not whether it is intact."""
        return self.size(digest) is not None

    def size(self, digest: Digest) -> int | None:
        """Give a blob's size in bytes; None when it is not here."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return self._packed.size(digest)

    def put(self, data: bytes) -> Digest:
        """Store bytes durably and give their digest; putting them again changes nothing.

        Raises:
            InfrastructureError: the disk refused.
        """
        return self.put_all([data])[0]

    def put_all(self, blobs: Sequence[bytes], known: Sequence[Digest] | None = None) -> list[Digest]:
        """Store many blobs with one durability barrier for all of them.

        Args:
            blobs: their bytes.
            known: their digests, where the caller computed them from these very bytes.

        Raises:
            InfrastructureError: the disk refused; some of the blobs may be there.
        """
        digests = [sha256_bytes(data) for data in blobs] if known is None else list(known)
        content = dict(zip(digests, blobs, strict=True))
        small = {digest: data for digest, data in content.items() if len(data) <= _SMALL}
        if len(small) >= _PACK_FROM:
            self._packed.put_all(small)
            content = {digest: data for digest, data in content.items() if digest not in small}
        self._put_files(content)
        return digests

    def _put_files(self, content: Mapping[Digest, bytes]) -> None:
        wanted = {
            self.path(digest): data for digest, data in content.items() if not self._is_intact_file(digest)
        }
        self._clean_once()
        with locked(self._lock, shared=True):
            write_all_atomic(list(wanted.items()), _MODE, scratch=self._scratch)
        # A blob that was here already may have been renamed by a writer that has not synced the folder yet.
        present = {self.path(digest).parent for digest in content if self.path(digest) not in wanted}
        self._sync(sorted(present))

    def put_file(self, source: Path) -> Digest:
        """Store a file's content, streamed: memory stays constant whatever its size.

        The digest is of the bytes that were stored, also when somebody writes to the file meanwhile.

        Raises:
            InfrastructureError: it cannot be read or stored.
        """
        try:
            with source.open("rb") as stream:
                return self._put_chunks(iter(lambda: stream.read(_CHUNK), b""))
        except OSError as error:
            raise InfrastructureError(f"cannot store {source}: {error.strerror}") from error

    def _put_chunks(self, chunks: Iterable[bytes], expected: Digest | None = None) -> Digest:
        """Store what comes in pieces, durably, if it has the digest expected."""
        self._clean_once()
        with locked(self._lock, shared=True):
            make_folder(self._scratch)
            temporary = temporary_name(self._scratch)
            try:
                digest = _write(chunks, temporary)
                if expected is not None and not digest.matches(expected):
                    raise EvidenceInvalidError(f"blob {expected} has bytes of {digest}")
                target = self.path(digest)
                if not self._is_intact_file(digest):
                    make_folder(target.parent)
                    sync_paths([temporary])
                    temporary.replace(target)
                sync_paths([target.parent])
            finally:
                temporary.unlink(missing_ok=True)
        return digest

    def get(self, digest: Digest) -> bytes:
        """Read a blob whole.

        Raises:
            EvidenceInvalidError: it is missing, or its bytes are not what its name says.
            InfrastructureError: it cannot be read.
        """
        with self.open(digest) as stream:
            return stream.read()

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob for reading, after hashing it through.

        Raises:
            EvidenceInvalidError: it is missing, or its bytes are not what its name says.
            InfrastructureError: it cannot be read.
        """
        path = self.path(digest)
        stream: BinaryIO
        try:
            stream = path.open("rb")
        except FileNotFoundError as error:
            data = self._packed.get(digest)
            if data is None:
                raise EvidenceInvalidError(
                    f"blob {digest} is missing: no file {path}", hint="restore it from a copy of the journal"
                ) from error
            stream, path = io.BytesIO(data), self._packed.path
        except OSError as error:
            raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
        try:
            _verify(stream, digest, path)
        except BaseException:
            stream.close()
            raise
        return stream

    def __iter__(self) -> Iterator[Digest]:
        """Give the digest of every blob once, in order; files that are not blobs are passed over."""
        merged = heapq.merge(self._files(), self._packed.digests())
        yield from (digest for digest, _ in itertools.groupby(merged))

    def _files(self) -> Iterator[Digest]:
        if not self._blobs.is_dir():
            return
        for folder in sorted(self._blobs.iterdir()):
            names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ()
            yield from (Digest(name) for name in names if _NAME.match(name) and name[:2] == folder.name)

    def clean(self) -> None:
        """Remove what killed writers left, unless a writer is at work; then the next one will."""
        self._cleaned = True
        if not self._scratch.is_dir():
            return
        with suppress(LockBusyError), locked(self._lock, wait=0):
            remove_temporary(self._scratch)

    def _clean_once(self) -> None:
        if not self._cleaned:
            self.clean()

    def _is_intact_file(self, digest: Digest) -> bool:
        """Say whether the blob's own file has the right bytes; a damaged one is written again by a put."""
        path = self.path(digest)
        try:
            with path.open("rb") as stream:
                _verify(stream, digest, path)
        except (FileNotFoundError, EvidenceInvalidError):
            return False
        return True

    def _sync(self, folders: Sequence[Path]) -> None:
        try:
            sync_paths(folders)
        except OSError as error:
            raise InfrastructureError(f"cannot sync {self._blobs}: {error.strerror}") from error


def _verify(stream: BinaryIO, digest: Digest, path: Path) -> None:
    """Hash a stream through and rewind it; the same open file is read afterwards, so no other can slip in."""
    try:
        found = Digest(hashlib.file_digest(stream, "sha256").hexdigest())  # type: ignore[arg-type] # typeshed asks for less than a BinaryIO
        stream.seek(0)
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
    if not found.matches(digest):
        raise EvidenceInvalidError(
            f"{path} is damaged: blob {digest} has bytes of {found}",
            hint="restore it from a copy of the journal",
        )


def _write(chunks: Iterable[bytes], target: Path) -> Digest:
    hasher = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    with os.fdopen(handle, "wb") as output:
        for chunk in chunks:
            hasher.update(chunk)
            output.write(chunk)
    return Digest(hasher.hexdigest())
