"""What a registry knows beside the bytes: which repository has which blobs, manifests, tags and referrers.

One SQLite file, one writer at a time; every change is one transaction, on the disk before it is answered.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.image.descriptor import Descriptor, parse_descriptor
from pratique.model.digest import Digest
from pratique.store.sqlite import KeptConnection, transaction, translated

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.image.graph import Links

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS blobs (
    repository TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS manifests (
    repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    subject TEXT, artifact_type TEXT NOT NULL, listed TEXT NOT NULL, PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS referrers ON manifests (repository, subject, digest) WHERE subject IS NOT NULL;
CREATE TABLE IF NOT EXISTS tags (
    repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
"""


class Kept(msgspec.Struct, frozen=True):
    """A manifest that a repository has."""

    digest: Digest
    media_type: str


class Catalogue:
    """The rows of one registry. Safe to share between threads of this process.

    Raises:
        EvidenceInvalidError: the file is damaged.
        InfrastructureError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept = KeptConnection(path, synchronous="FULL")
        self._change(*((statement, ()) for statement in _SCHEMA.split(";") if statement.strip()))

    def close(self) -> None:
        """Close the file."""
        self._kept.close()

    def add_blob(self, repository: str, digest: Digest) -> None:
        """Say that a repository has a blob."""
        self._change(("INSERT OR IGNORE INTO blobs VALUES (?, ?)", (repository, digest.hex)))

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Say whether a repository has a blob."""
        query = "SELECT 1 FROM blobs WHERE repository = ? AND digest = ?"
        return bool(self._rows(query, repository, digest.hex))

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob from a repository."""
        self._change(("DELETE FROM blobs WHERE repository = ? AND digest = ?", (repository, digest.hex)))

    def is_needed(self, digest: Digest) -> bool:
        """Say whether any repository has these bytes, as a blob or a manifest."""
        query = (
            "SELECT 1 FROM blobs WHERE digest = ?1"
            " UNION ALL SELECT 1 FROM manifests WHERE digest = ?1 LIMIT 1"
        )
        return bool(self._rows(query, digest.hex))

    def add_manifest(self, repository: str, descriptor: Descriptor, links: Links, tag: str) -> None:
        """Take a manifest, under a tag if one is given, and list it with its subject's referrers."""
        listed = json.dumps(links.listed(descriptor).to_json())
        subject = links.subject.digest.hex if links.subject else None
        row = (
            repository,
            descriptor.digest.hex,
            descriptor.media_type,
            subject,
            links.artifact_type,
            listed,
        )
        changes: list[tuple[str, tuple[Any, ...]]] = [
            ("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?, ?, ?, ?)", row)
        ]
        if tag:
            changes.append(
                ("INSERT OR REPLACE INTO tags VALUES (?, ?, ?)", (repository, tag, descriptor.digest.hex))
            )
        self._change(*changes)

    def manifest(self, repository: str, reference: str | Digest) -> Kept | None:
        """Find a manifest by its digest or a tag."""
        if isinstance(reference, Digest):
            rows = self._rows(
                "SELECT digest, media_type FROM manifests WHERE repository = ? AND digest = ?",
                repository,
                reference.hex,
            )
        else:
            rows = self._rows(
                "SELECT digest, media_type FROM manifests JOIN tags USING (repository, digest)"
                " WHERE repository = ? AND tag = ?",
                repository,
                reference,
            )
        return Kept(Digest(rows[0][0]), rows[0][1]) if rows else None

    def remove_manifest(self, repository: str, digest: Digest) -> None:
        """Take a manifest from a repository, with its tags."""
        key = (repository, digest.hex)
        self._change(
            ("DELETE FROM tags WHERE repository = ? AND digest = ?", key),
            ("DELETE FROM manifests WHERE repository = ? AND digest = ?", key),
        )

    def remove_tag(self, repository: str, tag: str) -> None:
        """Take a tag away."""
        self._change(("DELETE FROM tags WHERE repository = ? AND tag = ?", (repository, tag)))

    def tags(self, repository: str, after: str, count: int) -> list[str]:
        """Give tags in order of their bytes, after one of them, at most so many."""
        query = "SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?"
        return [row[0] for row in self._rows(query, repository, after, count)]

    def is_known(self, repository: str) -> bool:
        """Say whether a repository has anything."""
        query = (
            "SELECT 1 FROM blobs WHERE repository = ?1"
            " UNION ALL SELECT 1 FROM manifests WHERE repository = ?1 LIMIT 1"
        )
        return bool(self._rows(query, repository))

    def referrers(
        self, repository: str, subject: Digest, artifact_type: str, after: str, count: int
    ) -> list[Descriptor]:
        """Give the manifests that refer to one, in order of their digests, after one of them."""
        query = (
            "SELECT listed FROM manifests WHERE repository = ? AND subject = ? AND digest > ?"
            " AND (? = '' OR artifact_type = ?) ORDER BY digest LIMIT ?"
        )
        rows = self._rows(query, repository, subject.hex, after, artifact_type, artifact_type, count)
        return [parse_descriptor(json.loads(row[0]), "catalogue") for row in rows]

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, translated(self._path):
            return self._kept.connection.execute(query, values).fetchall()

    def _change(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        with self._lock, transaction(self._kept.connection, self._path):
            for statement, values in statements:
                self._kept.connection.execute(statement, values)
