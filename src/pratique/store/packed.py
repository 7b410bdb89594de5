"""Many small blobs in one file: what a batch stores costs one durable commit, not a file for each blob.

A plain SQLite table, with a rollback journal rather than a write-ahead log: a batch is written once, and a
copy of the one file on read-only media can be read. `synchronous = EXTRA`, since a commit that a power cut
undoes would take blobs away that others were told of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.model.digest import Digest
from pratique.store.sqlite import connect, reading, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS blobs (digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL) STRICT"
_PUT: Final = """INSERT INTO blobs VALUES (?, ?)
    ON CONFLICT (digest) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data"""


class PackedBlobs:
    """One file of blobs by digest. Making the object touches nothing; what is read was not hashed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put_all(self, blobs: Mapping[Digest, bytes]) -> None:
        """Store blobs durably, all of them or none; one whose bytes differ from what is here replaces it.

        Raises:
            EvidenceInvalidError: the file is damaged.
            InfrastructureError: the disk refused.
        """
        connection = connect(self.path, journal_mode="DELETE", synchronous="EXTRA")
        try:
            with transaction(connection, self.path):
                connection.execute(_SCHEMA)
                rows = ((bytes.fromhex(digest.hex), data) for digest, data in blobs.items())
                connection.executemany(_PUT, rows)
        finally:
            connection.close()

    def get(self, digest: Digest) -> bytes | None:
        """Read a blob; None when it is not here.

        Raises:
            EvidenceInvalidError: the file is damaged.
            InfrastructureError: it cannot be read.
        """
        found = self._one("SELECT data FROM blobs WHERE digest = ?", digest)
        return None if found is None else bytes(found)

    def size(self, digest: Digest) -> int | None:
        """Give a blob's size in bytes; None when it is not here.

        Raises:
            EvidenceInvalidError: the file is damaged.
            InfrastructureError: it cannot be read.
        """
        found = self._one("SELECT length(data) FROM blobs WHERE digest = ?", digest)
        return None if found is None else int(found)

    def digests(self) -> Iterator[Digest]:
        """Give every digest, in order.

        Raises:
            EvidenceInvalidError: the file is damaged.
            InfrastructureError: it cannot be read.
        """
        if not self.path.exists():
            return
        with reading(self.path) as connection:
            for (digest,) in connection.execute("SELECT digest FROM blobs ORDER BY digest"):
                yield Digest(digest.hex())

    def _one(self, query: str, digest: Digest) -> bytes | int | None:
        if not self.path.exists():
            return None
        with reading(self.path) as connection:
            row = connection.execute(query, (bytes.fromhex(digest.hex),)).fetchone()
        return None if row is None else row[0]
