"""Where a tiled log keeps what, and how entries are bundled (C2SP tlog-tiles, https://c2sp.org/tlog-tiles).

A tile of level L and index N holds up to 256 hashes, each the root of a full tile of the level below; level 0
holds leaf hashes. Entry bundles hold the leaves themselves. Paths are relative to the log's folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
HASH_BYTES: Final = 32
CHECKPOINT: Final = "checkpoint"
MAX_ENTRY_BYTES: Final = 0xFFFF
MAX_LEVEL: Final = 63
_PREFIX_BYTES: Final = 2


class Tile(msgspec.Struct, frozen=True):
    """One tile's coordinates.

    Attributes:
        level: 0 to 63; None for an entry bundle.
        index: position within the level, from 0.
        width: number of hashes or entries in it, 1 to 256; 256 is a full tile.
    """

    level: int | None
    index: int
    width: int

    @property
    def path(self) -> str:
        """The tile's path, `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`."""
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{self.folder}{partial}"

    @property
    def folder(self) -> str:
        """The path of the full tile; partial ones lie in this with `.p` appended."""
        level = "entries" if self.level is None else str(self.level)
        groups = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        return f"tile/{level}/{'/'.join(groups)}"

    @property
    def full(self) -> Tile:
        """The full tile that this one is, or will become."""
        return Tile(self.level, self.index, WIDTH)

    def superseded(self, size: int) -> bool:
        """Say whether a tree of `size` has the full tile in place of this partial one."""
        height = HEIGHT * ((self.level or 0) + 1)
        return self.width < WIDTH and size >> height > self.index


def partial_tiles(size: int) -> Iterator[Tile]:
    """Give the tiles at the right edge of a tree: per level one of width floor(size / 256^L) mod 256."""
    for level in range(MAX_LEVEL + 1):
        index, width = divmod(size >> (HEIGHT * level), WIDTH)
        if not index and not width:
            return
        if width:
            yield Tile(level, index, width)
            if level == 0:
                yield Tile(None, index, width)


def full_tiles(size: int) -> Iterator[Tile]:
    """Give every full tile and entry bundle of a tree."""
    for level in range(MAX_LEVEL + 1):
        count = size >> (HEIGHT * (level + 1))
        if not count:
            return
        for index in range(count):
            yield Tile(level, index, WIDTH)
            if level == 0:
                yield Tile(None, index, WIDTH)


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Write an entry bundle: each entry behind its length as a big-endian uint16.

    Raises:
        MalformedError: an entry is longer than 65,535 bytes.
    """
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise MalformedError(f"a log entry of {len(entry)} bytes; the format holds {MAX_ENTRY_BYTES}")
        parts += (len(entry).to_bytes(_PREFIX_BYTES, "big"), entry)
    return b"".join(parts)


def decode_entries(data: bytes, *, what: str) -> list[bytes]:
    """Read an entry bundle.

    Raises:
        MalformedError: it ends in the middle of an entry.
    """
    entries: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + _PREFIX_BYTES
        end = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or end > len(data):
            raise MalformedError(f"{what} ends in the middle of entry {len(entries)}")
        entries.append(data[start:end])
        position = end
    return entries
