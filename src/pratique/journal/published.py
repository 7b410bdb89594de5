"""The log on object storage: as anyone may read it there, never ahead of this machine, and never forked.

Below `journal/` in the bucket lie the checkpoint, tiles and entry bundles of C2SP tlog-tiles, and beside each
entry bundle (`tile/entries/…`) the digests of its entries' evidence (`bundles/…`, 32 bytes each). The
checkpoint is replaced last, and only if it still is the one that was read: two machines that hold the same
log key cannot both publish. That also makes the bucket the witness against an old copy of this machine's
state: a sequencer that is behind what was published, or of another history, publishes nothing and appends
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError
from pratique.journal.layout import CHECKPOINT, HEIGHT, MAX_LEVEL, WIDTH, Tile, full_tiles, partial_tiles
from pratique.journal.sequencer import Head
from pratique.journal.tiles import Tiles
from pratique.journal.tree import Frontier
from pratique.model.digest import Digest
from pratique.store.atomic import write_all_atomic
from pratique.store.objects import ConflictError
from pratique.trust.merkle import leaf_hash
from pratique.trust.note import Checkpoint, verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.journal.sequencer import Sequencer
    from pratique.store.objects import Objects

FOLDER: Final = "journal"
_DIGEST_BYTES: Final = 32
_AT_ONCE: Final = 512


class Publisher:
    """Brings a bucket in step with this machine's log. Its method expects the writer lock to be held."""

    def __init__(
        self, objects: Objects, tiles: Tiles, *, origin: str, keys: Sequence[Ed25519PublicKey]
    ) -> None:
        self.objects = objects
        self._tiles = tiles
        self._origin = origin
        self._keys = keys
        self._known: tuple[int, str] | None = None

    def push(self, sequencer: Sequencer) -> int:
        """Publish what the bucket has not; give the size published now. The log must have nothing pending.

        Raises:
            EvidenceInvalidError: the bucket has entries that this machine has not, or another history.
            InfrastructureError: the service did not answer, or somebody else publishes to the same bucket.
        """
        head = sequencer.head()
        if head is None:
            return 0
        if self._known is not None and self._known[0] != head.size:
            try:
                return self._publish(sequencer, head, *self._known)
            except ConflictError:  # perhaps another process of this machine published; look again
                self._known = None
        if self._known is None:
            self._publish(sequencer, head, *self._published(sequencer, head))
        return head.size

    def _publish(self, sequencer: Sequencer, head: Head, published: int, version: str) -> int:
        if published < head.size or not version:
            for tiles in _portions(sorted(_changed(published, head.size), key=lambda tile: tile.path)):
                self.objects.put_all([item for tile in tiles for item in self._objects_of(tile, sequencer)])
            version = self._replace_checkpoint(head, version)
        self._known = (head.size, version)
        for tile in partial_tiles(published):
            if tile.superseded(head.size):
                self._drop_partials(tile)
        return head.size

    def _replace_checkpoint(self, head: Head, version: str) -> str:
        try:
            return self.objects.replace(f"{FOLDER}/{CHECKPOINT}", head.checkpoint.encode(), version or None)
        except ConflictError as error:
            raise ConflictError(
                error.message,
                hint="another machine appends to this log: two must not hold one log key. "
                "Stop one of them, then: pratique log check",
            ) from error

    def _published(self, sequencer: Sequencer, head: Head) -> tuple[int, str]:
        """Give the published size and the checkpoint's version, having seen that this machine signed it."""
        found = self.objects.get(f"{FOLDER}/{CHECKPOINT}")
        if found is None:
            return 0, ""
        where = f"{self.objects.url}/{FOLDER}/{CHECKPOINT}"
        checkpoint = _verified(found.data, where, self._origin, *self._keys)
        signed = sequencer.head(checkpoint.size) if checkpoint.size <= head.size else None
        if signed is None or signed.root != checkpoint.root:
            raise EvidenceInvalidError(
                f"{where} is at size {checkpoint.size}, and this machine's log at {head.size} is an old copy "
                "or of another history; refusing to sign anything",
                hint="put back the newest state of this machine, or: pratique log restore",
            )
        return checkpoint.size, found.version

    def _objects_of(self, tile: Tile, sequencer: Sequencer) -> Iterator[tuple[str, bytes]]:
        yield f"{FOLDER}/{tile.path}", self._tiles.read(tile)
        if tile.level is None:
            first = tile.index * WIDTH
            digests = sequencer.digests(first, first + tile.width)
            yield _digests_name(tile), b"".join(bytes.fromhex(digest.hex) for digest in digests)

    def _drop_partials(self, tile: Tile) -> None:
        folders = [f"{FOLDER}/{tile.folder}.p"]
        if tile.level is None:
            folders.append(f"{_digests_name(tile.full)}.p")
        for folder in folders:
            self.objects.remove(list(self.objects.names(folder)))


def fetch_log(objects: Objects, folder: Path, *, origin: str, keys: Sequence[Ed25519PublicKey]) -> Head:
    """Copy a published log into an empty folder, as `Tiles` reads it, and verify it against its checkpoint.

    Raises:
        EvidenceInvalidError: there is none, or it is not what its key signed.
        InfrastructureError: the service did not answer, or the disk refused.
    """
    where = f"{objects.url}/{FOLDER}"
    found = objects.get(f"{FOLDER}/{CHECKPOINT}")
    if found is None:
        raise EvidenceInvalidError(f"{where} has no log: there is no checkpoint")
    checkpoint = _verified(found.data, f"{where}/{CHECKPOINT}", origin, *keys)
    wanted = [*full_tiles(checkpoint.size), *partial_tiles(checkpoint.size)]
    for tiles in _portions(wanted):
        write_all_atomic([(folder / tile.path, _read(objects, tile)) for tile in tiles])
    copy = Tiles(folder)
    leaves = map(leaf_hash, copy.leaves(0, checkpoint.size, published=checkpoint.size))
    if Frontier().extended(leaves)[0].root != checkpoint.root:
        raise EvidenceInvalidError(f"{where}: the entries do not lead to the root that was signed")
    text = found.data.decode()
    copy.publish_checkpoint(text)
    return Head(checkpoint.size, checkpoint.root, text)


def fetch_digests(objects: Objects, size: int) -> list[Digest]:
    """Read which evidence belongs to which entry of a published log; nothing here is verified.

    Raises:
        EvidenceInvalidError: some of it is missing.
        InfrastructureError: the service did not answer.
    """
    digests: list[Digest] = []
    for index in range(-(-size // WIDTH)):
        tile = Tile(None, index, min(WIDTH, size - index * WIDTH))
        found = objects.get(_digests_name(tile)) or objects.get(_digests_name(tile.full))
        if found is None or len(found.data) < tile.width * _DIGEST_BYTES:
            raise EvidenceInvalidError(f"{objects.url}/{_digests_name(tile)} is missing or too short")
        digests += [
            Digest(found.data[start : start + _DIGEST_BYTES].hex())
            for start in range(0, tile.width * _DIGEST_BYTES, _DIGEST_BYTES)
        ]
    return digests


def _read(objects: Objects, tile: Tile) -> bytes:
    found = objects.get(f"{FOLDER}/{tile.path}") or objects.get(f"{FOLDER}/{tile.full.path}")
    if found is None:
        raise EvidenceInvalidError(f"{objects.url}/{FOLDER}/{tile.path} is missing")
    return found.data


def _verified(data: bytes, where: str, origin: str, *keys: Ed25519PublicKey) -> Checkpoint:
    try:
        return verify_checkpoint(data.decode("utf-8"), origin, *keys)
    except (EvidenceInvalidError, UnicodeDecodeError) as error:
        raise EvidenceInvalidError(
            f"{where} is not a checkpoint of this log: {error}",
            hint="is the bucket another log's? give each log a prefix of its own",
        ) from error


def _changed(old: int, new: int) -> Iterator[Tile]:
    """Give the tiles that a tree of `new` entries has and one of `old` has not, entry bundles included."""
    for level in range(MAX_LEVEL + 1):
        shift = HEIGHT * (level + 1)
        for index in range(old >> shift, new >> shift):
            yield Tile(level, index, WIDTH)
            if level == 0:
                yield Tile(None, index, WIDTH)
    yield from set(partial_tiles(new)) - set(partial_tiles(old))


def _digests_name(tile: Tile) -> str:
    return f"{FOLDER}/bundles/{tile.path.removeprefix('tile/entries/')}"


def _portions(tiles: Sequence[Tile]) -> Iterator[Sequence[Tile]]:
    for start in range(0, len(tiles), _AT_ONCE):
        yield tiles[start : start + _AT_ONCE]
