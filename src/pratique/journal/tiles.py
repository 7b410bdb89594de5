"""A log's files: tiles, entry bundles and the published checkpoint, as any static server could serve them.

Readers need no lock: a full tile never changes, a partial one stays until the full one is there, and the
checkpoint is published after all that it covers.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.journal.layout import (
    CHECKPOINT,
    HASH_BYTES,
    HEIGHT,
    WIDTH,
    Tile,
    decode_entries,
    encode_entries,
)
from pratique.journal.tree import (
    HashTile,
    consistency_proof,
    inclusion_proof,
    prove_range,
    pyramid,
    subtree_root,
)
from pratique.store.atomic import write_all_atomic, write_atomic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_CACHED_TILES = 256
_REPAIR = "restore it from a copy, or delete it: `pratique log repair` renders it again from the sequencer"


class Tiles:
    """The folder of one log. Making the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._cache: OrderedDict[Tile, list[list[bytes]]] = OrderedDict()

    def path(self, tile: Tile) -> Path:
        """Say where a tile is, or would be."""
        return self.root / tile.path

    @property
    def checkpoint_path(self) -> Path:
        """Where the checkpoint is published."""
        return self.root / CHECKPOINT

    def checkpoint(self) -> str | None:
        """Read the published checkpoint, not verified; None when there is none.

        Raises:
            EvidenceInvalidError: it is not text.
            InfrastructureError: it cannot be read.
        """
        try:
            return self.checkpoint_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError as error:
            raise EvidenceInvalidError(f"{self.checkpoint_path} is damaged: not UTF-8 text") from error
        except OSError as error:
            raise InfrastructureError(f"cannot read {self.checkpoint_path}: {error.strerror}") from error

    def publish_checkpoint(self, text: str) -> None:
        """Put a signed checkpoint in place, after the tiles it covers."""
        write_atomic(self.checkpoint_path, text.encode())

    def hashes(self, tile: Tile) -> tuple[bytes, ...]:
        """Read a tile's hashes.

        Raises:
            EvidenceInvalidError: it is missing, or of the wrong length.
        """
        data = self.read(tile)
        if len(data) < tile.width * HASH_BYTES or len(data) % HASH_BYTES:
            raise EvidenceInvalidError(
                f"{self.path(tile)} is damaged: {len(data)} bytes for {tile.width} hashes", hint=_REPAIR
            )
        return tuple(data[i * HASH_BYTES : (i + 1) * HASH_BYTES] for i in range(tile.width))

    def entries(self, tile: Tile) -> list[bytes]:
        """Read an entry bundle.

        Raises:
            EvidenceInvalidError: it is missing, damaged, or holds too few entries.
        """
        found = decode_entries(self.read(tile), what=str(self.path(tile)))
        if len(found) < tile.width:
            raise EvidenceInvalidError(
                f"{self.path(tile)} is damaged: {len(found)} entries of {tile.width}", hint=_REPAIR
            )
        return found[: tile.width]

    def leaves(self, start: int, end: int, *, published: int) -> Iterator[bytes]:
        """Give the bytes of entries `start` to `end` (exclusive).

        Here and below, `published` is the size of a checkpoint that was published, at least as large as the
        sizes asked about: only for such sizes are there partial tiles.
        """
        for index in range(start // WIDTH, -(-end // WIDTH)):
            first = index * WIDTH
            bundle = self.entries(Tile(None, index, min(WIDTH, published - first)))
            yield from bundle[max(0, start - first) : end - first]

    def root_at(self, size: int, *, published: int) -> bytes:
        """Compute the root that the first `size` entries had."""
        return subtree_root(_Nodes(self, published), 0, size)

    def prove_inclusion(self, index: int, size: int, *, published: int) -> tuple[bytes, ...]:
        """Prove entry `index` to be in the tree of `size` entries; see `tree.inclusion_proof`."""
        return inclusion_proof(_Nodes(self, published), index, size)

    def prove_appended(self, leaves: Sequence[bytes], start: int) -> tuple[bytes, list[tuple[bytes, ...]]]:
        """Prove leaf hashes to be in the tree that has them last; see `tree.prove_range`.

        The tiles are those of the `start` entries before them: none of their own have to be there yet.
        """
        return prove_range(_Nodes(self, start), leaves, start, start + len(leaves))

    def prove_consistency(self, old: int, new: int, *, published: int) -> tuple[bytes, ...]:
        """Prove the tree of `new` entries to continue that of `old`; see `tree.consistency_proof`."""
        return consistency_proof(_Nodes(self, published), old, new)

    def write(self, tiles: Iterable[HashTile], bundles: Iterable[tuple[Tile, Sequence[bytes]]]) -> None:
        """Write tiles and entry bundles durably; writing them again writes the same bytes."""
        files = [(self.path(item.tile), b"".join(item.hashes)) for item in tiles]
        files += [(self.path(tile), encode_entries(entries)) for tile, entries in bundles]
        write_all_atomic(files)

    def drop_partials(self, tile: Tile) -> None:
        """Remove the partial tiles that a full one has taken the place of (tlog-tiles, Partial Tiles)."""
        folder = self.root / f"{tile.folder}.p"
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)

    def read(self, tile: Tile) -> bytes:
        """Read a tile's file, or the full one's in place of a partial one that is gone.

        Raises:
            EvidenceInvalidError: it is missing.
            InfrastructureError: it cannot be read.
        """
        for candidate in (tile, tile.full):
            try:
                return self.path(candidate).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise InfrastructureError(f"cannot read {self.path(candidate)}: {error.strerror}") from error
        raise EvidenceInvalidError(f"{self.path(tile)} is missing", hint=_REPAIR)

    def rows(self, tile: Tile) -> list[list[bytes]]:
        """Give a tile's hashes with the nodes above them, from a small cache: tiles do not change."""
        rows = self._cache.get(tile)
        if rows is None:
            rows = pyramid(self.hashes(tile))
            self._cache[tile] = rows
            if len(self._cache) > _CACHED_TILES:
                self._cache.popitem(last=False)
        return rows


class _Nodes:
    """Complete subtrees, found in the tiles of a tree of a published size."""

    def __init__(self, tiles: Tiles, size: int) -> None:
        self._tiles = tiles
        self._size = size

    def __call__(self, height: int, position: int) -> bytes:
        level, row = divmod(height, HEIGHT)
        index, offset = divmod(position << row, WIDTH)
        width = min(WIDTH, (self._size >> (HEIGHT * level)) - index * WIDTH)
        return self._tiles.rows(Tile(level, index, width))[row][offset >> row]
