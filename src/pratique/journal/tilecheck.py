"""Check entries, tiles and checkpoint against each other, and say which of them is wrong.

Two trees are grown side by side, one from the entries and one from the leaf hashes in the level-0 tiles. The
one that has the signed root is right, so where the two differ, the other's file is the damaged one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import PratiqueError
from pratique.journal.layout import HASH_BYTES, HEIGHT, WIDTH, Tile, encode_entries, partial_tiles
from pratique.journal.tree import Frontier, HashTile, pyramid, subtree_root
from pratique.trust.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.journal.tiles import Tiles
    from pratique.trust.note import Checkpoint

_UNKNOWN = bytes(HASH_BYTES)


class Tree:
    """A tree grown bundle by bundle in memory, from whichever source of leaf hashes."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self.full: list[HashTile] = []
        self._levels: list[list[bytes]] = [[]]

    @property
    def leaves(self) -> list[bytes]:
        """All leaf hashes."""
        return self._levels[0]

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append leaf hashes."""
        self.leaves.extend(leaves)
        self.frontier, full = self.frontier.extended(leaves)
        for item in full:
            above = (item.tile.level or 0) + 1
            if above == len(self._levels):
                self._levels.append([])
            self._levels[above].append(pyramid(item.hashes)[HEIGHT][0])
            if item.tile.level:
                self.full.append(item)

    def root_problem(self, size: int, root: bytes) -> str:
        """Give what is wrong with a root claimed for the first `size` leaves; empty when nothing is."""
        if subtree_root(self._node, 0, size) == root:
            return ""
        return f"its root {root.hex()} is not that of the first {size} entries"

    def _node(self, height: int, position: int) -> bytes:
        level, row = divmod(height, HEIGHT)
        return pyramid(self._levels[level][position << row : (position + 1) << row])[row][0]


class TileFindings(msgspec.Struct, frozen=True):
    """What the files of a log came to.

    Attributes:
        tree: the tree that was signed, as far as it can be told.
        problems: what is wrong, one sentence for each file or entry.
    """

    tree: Tree
    problems: list[str]


def check_tiles(tiles: Tiles, checkpoint: Checkpoint) -> TileFindings:
    """Recompute the tree of a verified checkpoint from the files."""
    check = _TileCheck(tiles)
    for first in range(0, checkpoint.size, WIDTH):
        check.bundle(first // WIDTH, min(WIDTH, checkpoint.size - first))
    return check.judged(checkpoint)


class _TileCheck:
    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles
        self._unreadable: list[str] = []
        self._if_entries_wrong: list[str] = []
        self._if_hashes_wrong: list[str] = []
        self._from_entries = Tree()
        self._from_hashes = Tree()

    def bundle(self, index: int, width: int) -> None:
        """Take in 256 entries, or the fewer at the edge, and the tile over them."""
        bundle, tile = Tile(None, index, width), Tile(0, index, width)
        stored = self._hashes(tile)
        computed = self._entries(bundle)
        for offset, (ours, theirs) in enumerate(zip(computed or (), stored or (), strict=False)):
            if ours != theirs:
                entry = f"entry {index * WIDTH + offset}"
                self._if_entries_wrong.append(f"{self._tiles.path(bundle)}: {entry} is not what was logged")
                self._if_hashes_wrong.append(f"{self._tiles.path(tile)}: the hash of {entry} is wrong")
        leaves = computed or stored or [_UNKNOWN] * width
        self._from_entries.extend(leaves)
        self._from_hashes.extend(stored or leaves)
        if computed:
            self._older(tile, b"".join(computed), [HASH_BYTES * w for w in range(width)])

    def judged(self, checkpoint: Checkpoint) -> TileFindings:
        """Judge, now that all entries are in."""
        for tree, at_fault in (
            (self._from_entries, self._if_hashes_wrong),
            (self._from_hashes, self._if_entries_wrong),
        ):
            if tree.frontier.root == checkpoint.root:
                upper = self._upper(tree)
                return TileFindings(tree, self._unreadable + at_fault + upper)
        computed = self._from_entries.frontier.root.hex()
        contradiction = (
            f"{self._tiles.checkpoint_path}: its root {checkpoint.root.hex()} is not that of the "
            f"{checkpoint.size} entries, {computed}"
        )
        found = [*self._unreadable, *self._if_entries_wrong, *self._if_hashes_wrong, contradiction]
        return TileFindings(self._from_entries, found)

    def _hashes(self, tile: Tile) -> list[bytes] | None:
        data = self._read(tile)
        if data is None:
            return None
        if len(data) != tile.width * HASH_BYTES:
            self._unreadable.append(
                f"{self._tiles.path(tile)}: {len(data)} bytes, not {tile.width} hashes of {HASH_BYTES}"
            )
            return None
        return [data[i * HASH_BYTES : (i + 1) * HASH_BYTES] for i in range(tile.width)]

    def _entries(self, bundle: Tile) -> list[bytes] | None:
        data = self._read(bundle)
        if data is None:
            return None
        try:
            entries = self._tiles.entries(bundle)
        except PratiqueError as error:
            self._unreadable.append(error.message)
            return None
        if encode_entries(entries) != data:
            self._unreadable.append(f"{self._tiles.path(bundle)}: more than its {bundle.width} entries")
            return None
        ends = [0]
        for entry in entries:
            ends.append(ends[-1] + len(encode_entries([entry])))
        self._older(bundle, data, ends)
        return [leaf_hash(entry) for entry in entries]

    def _read(self, tile: Tile) -> bytes | None:
        try:
            return self._tiles.path(tile).read_bytes()
        except FileNotFoundError:
            self._unreadable.append(f"{self._tiles.path(tile)} is missing")
        except OSError as error:
            self._unreadable.append(f"{self._tiles.path(tile)} cannot be read: {error.strerror}")
        return None

    def _older(self, tile: Tile, data: bytes, ends: Sequence[int]) -> None:
        """Check the narrower partial tiles of older checkpoints: each is a beginning of the present one."""
        if not (self._tiles.root / f"{tile.folder}.p").is_dir():
            return
        for width in range(1, min(tile.width, len(ends))):
            path = self._tiles.path(Tile(tile.level, tile.index, width))
            if path.exists() and path.read_bytes() != data[: ends[width]]:
                self._unreadable.append(f"{path} is not the beginning of {self._tiles.path(tile)}")

    def _upper(self, grown: Tree) -> list[str]:
        """Compare the tiles above level 0 with those of the right tree."""
        problems: list[str] = []
        edge = [
            HashTile(tile, grown.frontier.levels[tile.level])
            for tile in partial_tiles(grown.frontier.size)
            if tile.level
        ]
        for item in [*grown.full, *edge]:
            stored = self._hashes(item.tile)
            for offset, (ours, theirs) in enumerate(zip(item.hashes, stored or (), strict=False)):
                if ours != theirs:
                    problems.append(f"{self._tiles.path(item.tile)}: hash {offset} is wrong")
            self._older(item.tile, b"".join(item.hashes), [HASH_BYTES * w for w in range(item.tile.width)])
        return problems
