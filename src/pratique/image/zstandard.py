"""Zstandard (RFC 8878), written the same way everywhere and read within bounds.

`compression.zstd` of Python 3.14, or its backport. What is written depends on the libzstd underneath, as gzip
does on zlib: what is promised of a compressed layer is its `diff_id`.
"""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from pratique.image.tarread import Readable

LEVEL: Final = 3
_MAX_WINDOW_LOG: Final = 25
"""32 MiB, which no level below 21 exceeds; a frame that wants more is refused."""

ERRORS: Final = (zstd.ZstdError,)


class ZstdWriter:
    """Compresses what is written to it; complete only once its block is left without an exception."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._sink = write
        parameter = zstd.CompressionParameter
        options: dict[int, int] = {parameter.compression_level: LEVEL, parameter.checksum_flag: 1}
        self._compressor = zstd.ZstdCompressor(options=options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        if error is None:
            self._sink(self._compressor.flush())

    def write(self, data: bytes) -> None:
        """Take more data."""
        if packed := self._compressor.compress(data):
            self._sink(packed)


def open_zstd(source: IO[bytes]) -> Readable:
    """Read a stream of frames, uncompressed on the way.

    Raises:
        ZstdError: on reading, for damaged data or a window that is too large (see `ERRORS`).
    """
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return zstd.ZstdFile(source, options=options)
