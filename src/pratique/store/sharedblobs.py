"""Blobs that several machines share: the local folder, and object storage behind it.

What is put is here *and* there before the call returns. What is not here is taken from there, hashed, kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest, parse_digest
from pratique.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.store.objects import Objects

FOLDER: Final = "blobs/sha256"
_LARGE: Final = 1024 * 1024


class SharedBlobs(BlobStore):
    """A blob store whose every blob is in a bucket too, as `blobs/sha256/ab/<hex>`.

    Iterating gives the digests of what is here: checking a journal needs nobody else.
    """

    def __init__(self, root: Path, objects: Objects) -> None:
        super().__init__(root)
        self._objects = objects

    def size(self, digest: Digest) -> int | None:
        """Give a blob's size in bytes; None when it is neither here nor there."""
        here = super().size(digest)
        return self._objects.size(object_name(digest)) if here is None else here

    def put_all(self, blobs: Sequence[bytes], known: Sequence[Digest] | None = None) -> list[Digest]:
        """See `BlobStore.put_all`; then the bucket has them too."""
        digests = super().put_all(blobs, known)
        self._objects.put_all([(object_name(d), data) for d, data in zip(digests, blobs, strict=True)])
        return digests

    def put_file(self, source: Path) -> Digest:
        """See `BlobStore.put_file`; a large one that the bucket has already is not sent again."""
        digest = super().put_file(source)
        name, path = object_name(digest), self.path(digest)
        if path.stat().st_size < _LARGE or self._objects.size(name) != path.stat().st_size:
            self._objects.put_file(name, path)
        return digest

    def open(self, digest: Digest) -> BinaryIO:
        """See `BlobStore.open`; a blob that is missing or damaged here is taken from the bucket."""
        try:
            return super().open(digest)
        except EvidenceInvalidError:
            if not self._take(digest):
                raise
        return super().open(digest)

    def send_all(self) -> int:
        """Put every blob that is only here into the bucket; give how many there were."""
        there = {name.rpartition("/")[2] for name in self._objects.names(FOLDER)}
        missing = [digest for digest in self if digest.hex not in there]
        for digest in missing:
            if self.path(digest).is_file():
                super().open(digest).close()  # a damaged one must not spread
                self._objects.put_file(object_name(digest), self.path(digest))
            else:
                self._objects.put_all([(object_name(digest), self.get(digest))])
        return len(missing)

    def _take(self, digest: Digest) -> bool:
        name = object_name(digest)
        chunks = self._objects.chunks(name)
        if chunks is None:
            return False
        try:
            self._put_chunks(chunks, expected=digest)
        except EvidenceInvalidError as error:
            raise EvidenceInvalidError(
                f"{self._objects.url}/{name} is damaged: {error.message}",
                hint="delete it there; then, on a machine that has it intact: pratique log push",
            ) from error
        except OSError as error:
            raise InfrastructureError(f"cannot keep blob {digest}: {error.strerror}") from error
        return True


def object_name(digest: Digest) -> str:
    """Say how a blob's object is called.

    Raises:
        MalformedError: a digest that was built from something other than 64 hex digits.
    """
    text = parse_digest(str(digest)).hex
    return f"{FOLDER}/{text[:2]}/{text}"
