"""A layer's bytes, uncompressed on the way, digested and counted: constant memory, no bombs."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import CouldNotCheckError, MalformedError
from pratique.image import zstandard
from pratique.image.descriptor import LAYER, LAYER_GZIP, LAYER_ZSTD, Descriptor, oci_media_type
from pratique.image.tarread import CHUNK
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from pratique.image.tarread import Readable

MAX_LAYER_BYTES: Final = 16 << 30
MAX_RATIO: Final = 400  # zeros deflate at about 1000:1; a whole file system never comes near 400:1
RATIO_FLOOR: Final = 64 << 20


class BombError(MalformedError):
    """A layer that uncompresses to absurdly more than it is."""


class LayerStream:
    """Reads a layer's tar; `diff_id` is right once everything has been read."""

    def __init__(self, source: Readable, compressed: int, what: str) -> None:
        self._source = source
        self._hasher = hashlib.sha256()
        self._limit = min(MAX_LAYER_BYTES, max(RATIO_FLOOR, MAX_RATIO * compressed))
        self._what = what
        self.length = 0

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes.

        Raises:
            BombError: more than any honest layer holds.
            MalformedError: the compressed data is damaged.
        """
        try:
            data = self._source.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error, *zstandard.ERRORS) as error:
            raise MalformedError(f"{self._what}: damaged compressed data: {error}") from error
        self._hasher.update(data)
        self.length += len(data)
        if self.length > self._limit:
            raise BombError(f"{self._what}: uncompresses to more than {self._limit} bytes")
        return data

    @property
    def diff_id(self) -> Digest:
        """The digest of what was read so far."""
        return Digest(self._hasher.hexdigest())

    def drain(self) -> None:
        """Read what is left."""
        while self.read(CHUNK):
            pass


def open_layer(blob: IO[bytes], descriptor: Descriptor) -> LayerStream:
    """Read a layer's blob by its media type.

    Raises:
        CouldNotCheckError: encrypted, or of a kind nobody knows here.
    """
    what = f"layer {descriptor.digest.short}"
    match oci_media_type(descriptor.media_type):
        case media_type if media_type == LAYER_GZIP:
            return LayerStream(gzip.GzipFile(fileobj=blob, mode="rb"), descriptor.size, what)
        case media_type if media_type == LAYER:
            return LayerStream(blob, descriptor.size, what)
        case media_type if media_type == LAYER_ZSTD:
            return LayerStream(zstandard.open_zstd(blob), descriptor.size, what)
        case media_type:
            raise CouldNotCheckError(f"{what} is of a type that is not read here: {media_type[:100]!r}")
