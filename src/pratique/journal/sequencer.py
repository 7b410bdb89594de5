"""The sequencer: which entry comes when, and every tree head ever signed, in one SQLite file.

A batch of entries and the checkpoint over it are committed in one transaction, on the disk before anything is
published. A head's size is a primary key, and a new head is accepted only on top of the one it was computed
from, so no second checkpoint for one size can be kept, and only what is kept is published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest
from pratique.store.sqlite import KeptConnection, transaction, translated

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

SCHEMA_VERSION: Final = 3
_SCHEMA: Final = (
    "CREATE TABLE log (origin TEXT NOT NULL, key_id BLOB NOT NULL) STRICT",
    "CREATE TABLE heads (size INTEGER PRIMARY KEY, root BLOB NOT NULL, checkpoint TEXT NOT NULL) STRICT",
    """CREATE TABLE entries (position INTEGER PRIMARY KEY, leaf BLOB NOT NULL, bundle BLOB NOT NULL)
       STRICT""",  # bundle: its SHA-256
    # what bundles are made of, until it is known that they are stored
    """CREATE TABLE pending (position INTEGER PRIMARY KEY, tree_size INTEGER NOT NULL, signed BLOB NOT NULL)
       STRICT""",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class Head(msgspec.Struct, frozen=True):
    """A signed tree head.

    Attributes:
        size: number of entries.
        root: 32-byte root hash.
        checkpoint: the signed note.
    """

    size: int
    root: bytes
    checkpoint: str


class NewEntry(msgspec.Struct, frozen=True):
    """An entry to be sequenced.

    Attributes:
        leaf: its bytes.
        bundle: digest of its bundle, which is stored as soon as the entry is committed.
        signed: the encoded `Signed` that the bundle is made of.
    """

    leaf: bytes
    bundle: Digest
    signed: bytes


class Pending(msgspec.Struct, frozen=True):
    """An entry that is committed, and whose bundle is not known to be stored; see `NewEntry`."""

    position: int
    leaf: bytes
    bundle: Digest
    signed: bytes


class Sequencer:
    """The sequencing database of one log. Use it only while holding the journal's writer lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept = KeptConnection(path, synchronous="FULL")
        self._connection = self._kept.connection
        self.is_in_place = self._kept.is_in_place
        self.close = self._kept.close

    def initialise(self, origin: str, key_id: bytes, former: Collection[bytes] = ()) -> None:
        """Make the tables of a new log, or see that this file is of the log expected.

        Args:
            origin: the log's name.
            key_id: its key's id.
            former: ids of keys that it had before; see `hand_over`.

        Raises:
            EvidenceInvalidError: the file is of another log, or of a newer version of this program.
        """
        if self.is_new:
            with transaction(self._connection, self.path):
                for statement in _SCHEMA:
                    self._connection.execute(statement)
                self._connection.execute("INSERT INTO log VALUES (?, ?)", (origin, key_id))
        with translated(self.path):
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA_VERSION:
                raise EvidenceInvalidError(
                    f"{self.path}: schema version {version}; this program reads {SCHEMA_VERSION}",
                    hint="use the version of pratique that wrote it, or a newer one",
                )
            found = self._connection.execute("SELECT origin, key_id FROM log").fetchone()
            if found not in [(origin, one) for one in (key_id, *former)]:
                raise EvidenceInvalidError(
                    f"{self.path} is of a log with another origin or key than {origin}",
                    hint="use the trust folder that this journal was made with",
                )

    @property
    def is_new(self) -> bool:
        """Whether the file has no tables yet."""
        with translated(self.path):
            return bool(self._connection.execute("PRAGMA user_version").fetchone() == (0,))

    def head(self, size: int | None = None) -> Head | None:
        """Give the newest signed head, or that of one size; None when there is none."""
        query = "SELECT size, root, checkpoint FROM heads"
        with translated(self.path):
            found = (
                self._connection.execute(f"{query} ORDER BY size DESC LIMIT 1")
                if size is None
                else self._connection.execute(f"{query} WHERE size = ?", (size,))
            ).fetchone()
        return None if found is None else Head(*found)

    def key_id(self) -> bytes:
        """Give the id of the key that signs this log's heads."""
        with translated(self.path):
            (found,) = self._connection.execute("SELECT key_id FROM log").fetchone()
        return bytes(found)

    def hand_over(self, key_id: bytes, checkpoint: str) -> None:
        """Note that the log has another key from now on, which signed the newest head as well.

        Args:
            key_id: of the key.
            checkpoint: the newest head's, with both signatures.
        """
        with transaction(self._connection, self.path):
            self._connection.execute(
                "UPDATE heads SET checkpoint = ? WHERE size = (SELECT max(size) FROM heads)", (checkpoint,)
            )
            self._connection.execute("UPDATE log SET key_id = ?", (key_id,))

    def sizes(self) -> list[int]:
        """Give the sizes of all signed heads, ascending."""
        with translated(self.path):
            rows = self._connection.execute("SELECT size FROM heads ORDER BY size").fetchall()
        return [size for (size,) in rows]

    def commit(self, old_size: int | None, head: Head, entries: Sequence[NewEntry]) -> None:
        """Commit a batch with the head over it, durably, if the newest head is still the one of `old_size`.

        Raises:
            InfrastructureError: it is not: somebody else appended without the lock.
        """
        first = old_size or 0
        rows = list(enumerate(entries, first))
        with transaction(self._connection, self.path):
            (newest,) = self._connection.execute("SELECT max(size) FROM heads").fetchone()
            if newest != old_size:
                raise InfrastructureError(
                    f"{self.path}: at size {newest}, not {old_size}: another writer came between",
                    hint="see that the file system supports flock; then try again",
                )
            self._connection.executemany(
                "INSERT INTO entries VALUES (?, ?, ?)",
                ((position, entry.leaf, bytes.fromhex(entry.bundle.hex)) for position, entry in rows),
            )
            self._connection.executemany(
                "INSERT INTO pending VALUES (?, ?, ?)",
                ((position, head.size, entry.signed) for position, entry in rows),
            )
            self._connection.execute(
                "INSERT INTO heads VALUES (?, ?, ?)", (head.size, head.root, head.checkpoint)
            )

    def pending(self) -> list[int]:
        """Give the tree sizes of batches whose bundles are not known to be stored yet, ascending."""
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT DISTINCT tree_size FROM pending ORDER BY tree_size"
            ).fetchall()
        return [size for (size,) in rows]

    def batch(self, tree_size: int) -> list[Pending]:
        """Give the pending entries published at a tree size."""
        with translated(self.path):
            rows = self._connection.execute(
                "SELECT position, leaf, bundle, signed FROM pending JOIN entries USING (position) "
                "WHERE tree_size = ? ORDER BY position",
                (tree_size,),
            ).fetchall()
        return [
            Pending(position, leaf, Digest(bundle.hex()), signed) for position, leaf, bundle, signed in rows
        ]

    def complete(self, tree_size: int) -> None:
        """Note that the bundles of a batch are stored, and let go of what they were made of.

        Not synced: if a power cut undoes it, the bundles are made again, with the same bytes.
        """
        with translated(self.path):
            self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with transaction(self._connection, self.path):
                found = self._connection.execute(
                    "SELECT DISTINCT tree_size FROM pending WHERE position IN "
                    "((SELECT min(position) FROM pending), (SELECT max(position) FROM pending))"
                ).fetchall()
                if found == [(tree_size,)]:  # a table that is emptied whole is not rewritten page by page
                    self._connection.execute("DELETE FROM pending")
                else:
                    self._connection.execute("DELETE FROM pending WHERE tree_size = ?", (tree_size,))
        finally:
            with translated(self.path):
                self._connection.execute("PRAGMA synchronous = FULL")

    def leaves(self, start: int, end: int) -> Iterator[bytes]:
        """Give the leaf bytes of entries `start` to `end` (exclusive).

        Raises:
            EvidenceInvalidError: a row is missing.
        """
        expected = start
        with translated(self.path):
            for position, leaf in self._connection.execute(
                "SELECT position, leaf FROM entries WHERE position >= ? AND position < ? ORDER BY position",
                (start, end),
            ):
                if position != expected:
                    break
                expected += 1
                yield leaf
        if expected < end:
            raise EvidenceInvalidError(f"{self.path} is damaged: entry {expected} is missing")

    def digests(self, start: int, end: int) -> list[Digest]:
        """Give the bundle digests of entries `start` to `end` (exclusive).

        Raises:
            EvidenceInvalidError: one is missing.
        """
        query = "SELECT bundle FROM entries WHERE position >= ? AND position < ? ORDER BY position"
        with translated(self.path):
            rows = self._connection.execute(query, (start, end)).fetchall()
        if len(rows) != end - start:
            raise EvidenceInvalidError(
                f"{self.path} is damaged: one of entries {start} to {end - 1} is missing"
            )
        return [Digest(bundle.hex()) for (bundle,) in rows]

    def restore(self, head: Head, entries: Iterable[tuple[bytes, Digest]]) -> None:
        """Begin with a log that was published elsewhere: its head, and each entry with its bundle's digest.

        Raises:
            InfrastructureError: this log has entries of its own.
        """
        rows = (
            (position, leaf, bytes.fromhex(digest.hex)) for position, (leaf, digest) in enumerate(entries)
        )
        with transaction(self._connection, self.path):
            if self._connection.execute("SELECT count(*) FROM heads").fetchone() != (0,):
                raise InfrastructureError(f"{self.path} has a log already; nothing was restored")
            self._connection.executemany("INSERT INTO entries VALUES (?, ?, ?)", rows)
            self._connection.execute(
                "INSERT INTO heads VALUES (?, ?, ?)", (head.size, head.root, head.checkpoint)
            )

    def bundles(self) -> Iterator[tuple[int, bytes, Digest]]:
        """Give (position, leaf, bundle digest) of every entry."""
        with translated(self.path):
            for position, leaf, bundle in self._connection.execute(
                "SELECT position, leaf, bundle FROM entries ORDER BY position"
            ):
                yield position, leaf, Digest(bundle.hex())
