"""The Merkle tree's arithmetic over tiles: growing it, and proving things about it (RFC 6962 §2.1).

Pure: hashes come in through arguments. Verifying proofs is the business of `trust.merkle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from pratique.journal.layout import HEIGHT, WIDTH, Tile, partial_tiles
from pratique.trust.merkle import EMPTY_ROOT, leaf_hash, node_hash

Node = Callable[[int, int], bytes]
"""Gives the root of the complete subtree of 2^height leaves at a position: `node(height, position)`."""


class HashTile(msgspec.Struct, frozen=True):
    """A tile with its hashes."""

    tile: Tile
    hashes: tuple[bytes, ...]


class Frontier(msgspec.Struct, frozen=True):
    """The right edge of a tree: all that is needed to append to it and to know its root.

    Attributes:
        size: number of leaves.
        levels: per level, the hashes of its partial tile (fewer than 256 each).
    """

    size: int = 0
    levels: tuple[tuple[bytes, ...], ...] = ()

    @property
    def root(self) -> bytes:
        """The Merkle tree hash of the tree."""
        right: bytes | None = None
        for hashes in self.levels:
            right = _fold(hashes, right)
        return EMPTY_ROOT if right is None else right

    def extended(self, leaves: Iterable[bytes]) -> tuple[Frontier, list[HashTile]]:
        """Append leaf hashes; give the new edge, and every tile that became full."""
        levels = [list(hashes) for hashes in self.levels]
        tiles: list[HashTile] = []
        size = self.size
        for leaf in leaves:
            size += 1
            _push(levels, tiles, leaf, size)
        return Frontier(size, tuple(tuple(hashes) for hashes in levels)), tiles


class Rendering(msgspec.Struct, frozen=True):
    """What a batch adds to a log's files.

    Attributes:
        frontier: the new edge.
        hashes: leaf hashes of the entries appended.
        tiles: hash tiles that are new or wider.
        bundles: entry bundles that are new or longer.
    """

    frontier: Frontier
    hashes: list[bytes]
    tiles: list[HashTile]
    bundles: list[tuple[Tile, Sequence[bytes]]]


def render(frontier: Frontier, edge: Sequence[bytes], leaves: Sequence[bytes], final: int) -> Rendering:
    """Append entries and give the files that change; the same input gives the same bytes, always.

    Args:
        frontier: the edge of the tree before.
        edge: the entries, `frontier.size % 256` of them, of the entry bundle that is not full yet.
        leaves: the entries to append.
        final: the size that the log has in the end; partial tiles it has full ones for are left out.
    """
    hashes = [leaf_hash(leaf) for leaf in leaves]
    grown, tiles = frontier.extended(hashes)
    for tile in sorted(
        set(partial_tiles(grown.size)) - set(partial_tiles(frontier.size)), key=lambda t: t.path
    ):
        if tile.level is not None:
            tiles.append(HashTile(tile, grown.levels[tile.level]))
    pool, first = [*edge, *leaves], frontier.size // WIDTH
    chunks = [pool[start : start + WIDTH] for start in range(0, len(pool), WIDTH)] if leaves else []
    bundles = [(Tile(None, first + offset, len(chunk)), chunk) for offset, chunk in enumerate(chunks)]
    return Rendering(
        grown,
        hashes,
        [item for item in tiles if not item.tile.superseded(final)],
        [item for item in bundles if not item[0].superseded(final)],
    )


def load_frontier(size: int, read: Callable[[Tile], Sequence[bytes]]) -> Frontier:
    """Read the edge of a tree of `size` leaves from its partial tiles."""
    levels: list[tuple[bytes, ...]] = []
    for tile in partial_tiles(size):
        if tile.level is not None:
            levels.extend([()] * (tile.level - len(levels)))
            levels.append(tuple(read(tile)))
    return Frontier(size, tuple(levels))


def pyramid(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """Give the complete subtrees within a tile: row h holds the roots of 2^h neighbouring hashes."""
    rows = [list(hashes)]
    for _ in range(HEIGHT):
        pairs = zip(rows[-1][::2], rows[-1][1::2], strict=False)
        # merkle.node_hash, without a call for each node: reading tiles does little else
        rows.append([sha256(b"\x01" + left + right).digest() for left, right in pairs])
    return rows


def subtree_root(node: Node, start: int, end: int) -> bytes:
    """Give MTH(D[start:end]), for a range that occurs in the recursion of RFC 6962 §2.1."""
    width = end - start
    if width == 0:
        return EMPTY_ROOT
    if width & (width - 1) == 0:
        height = width.bit_length() - 1
        return node(height, start >> height)
    split = start + _split(width)
    return node_hash(subtree_root(node, start, split), subtree_root(node, split, end))


def inclusion_proof(node: Node, index: int, size: int) -> tuple[bytes, ...]:
    """Give PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf upward; `0 <= index < size`."""
    start, end, path = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree_root(node, middle, end))
            end = middle
        else:
            path.append(subtree_root(node, start, middle))
            start = middle
    return tuple(reversed(path))


def prove_range(
    node: Node, leaves: Sequence[bytes], start: int, size: int
) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """Prove a run of neighbouring leaves at once; every inner node of theirs is hashed once, from the leaves.

    The proofs lead to the root that is given with them, whatever `node` answered: if that root is the signed
    one, none of them needs a check of its own.

    Args:
        node: the complete subtrees beside the run.
        leaves: leaf hashes of the run.
        start: position of the first.
        size: of the tree.
    """
    end = start + len(leaves)
    known: dict[tuple[int, int], bytes] = {}

    def root(low: int, high: int) -> bytes:
        if high <= start or low >= end:
            value = subtree_root(node, low, high)
        elif high - low == 1:
            value = leaves[low - start]
        else:
            middle = low + _split(high - low)
            value = node_hash(root(low, middle), root(middle, high))
        known[low, high] = value
        return value

    whole = root(0, size)
    proofs: list[tuple[bytes, ...]] = []
    pending: list[tuple[int, int, tuple[bytes, ...]]] = [(0, size, ())]
    while pending:
        low, high, path = pending.pop()
        if high - low == 1:
            proofs.append(path)
            continue
        middle = low + _split(high - low)
        if middle < end:
            pending.append((middle, high, (known[low, middle], *path)))
        if middle > start:
            pending.append((low, middle, (known[middle, high], *path)))
    return whole, proofs


def consistency_proof(node: Node, old: int, new: int) -> tuple[bytes, ...]:
    """Give PROOF(old, D[new]) of RFC 6962 §2.1.2; `0 <= old <= new`, and empty where nothing is to prove."""
    if old in (0, new):
        return ()
    start, end, path = 0, new, []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree_root(node, middle, end))
            end = middle
        else:
            path.append(subtree_root(node, start, middle))
            start = middle
    if start:  # the old tree is not itself a complete subtree of the new one
        path.append(subtree_root(node, start, end))
    return tuple(reversed(path))


def _split(width: int) -> int:
    """The largest power of two smaller than `width`."""
    return 1 << ((width - 1).bit_length() - 1)


def _index(size: int, level: int) -> int:
    return size >> (HEIGHT * (level + 1))


def _push(levels: list[list[bytes]], tiles: list[HashTile], leaf: bytes, size: int) -> None:
    """Add one leaf hash; a tile that fills up is given out, and its root goes to the level above."""
    level, item = 0, leaf
    while True:
        if level == len(levels):
            levels.append([])
        levels[level].append(item)
        if len(levels[level]) < WIDTH:
            return
        hashes = tuple(levels[level])
        tiles.append(HashTile(Tile(level, _index(size, level) - 1, WIDTH), hashes))
        levels[level] = []
        level, item = level + 1, pyramid(hashes)[HEIGHT][0]


def _fold(hashes: Sequence[bytes], right: bytes | None) -> bytes | None:
    """Hash neighbouring complete subtrees, given left to right, onto what lies to their right."""
    position = len(hashes)
    while position:
        width = position & -position
        root = pyramid(hashes[position - width : position])[width.bit_length() - 1][0]
        right = root if right is None else node_hash(root, right)
        position -= width
    return right
