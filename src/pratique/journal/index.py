"""The index: where evidence about an artifact is in the log. A projection: losing it loses nothing.

Every row follows from one bundle and its log index, so a rebuilt index equals the one that grew
(`Index.dump` before and after). Readers open it for one query at a time and need no lock.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest
from pratique.model.strict_json import canonical_json
from pratique.store.sqlite import KeptConnection, reading, transaction
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SCHEMA_VERSION: Final = 2
_REINDEX: Final = "pratique log reindex"
_TABLES: Final = ("state", "subjects", "evidence")
_SCHEMA: Final = (
    "CREATE TABLE state (size INTEGER NOT NULL) STRICT",
    """CREATE TABLE evidence (position INTEGER PRIMARY KEY, digest TEXT NOT NULL,
       predicate_type TEXT NOT NULL, key_id TEXT) STRICT""",
    """CREATE TABLE subjects (position INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL,
       sha256 TEXT, digests TEXT NOT NULL, PRIMARY KEY (position, ordinal)) STRICT, WITHOUT ROWID""",
    "CREATE INDEX evidence_by_type ON evidence (predicate_type, position)",
    "CREATE INDEX subjects_by_digest ON subjects (sha256, position)",
)


class EvidenceRef(msgspec.Struct, frozen=True):
    """Where a piece of evidence is, and what it speaks of; nothing here is verified.

    Attributes:
        digest: SHA-256 of the bundle's bytes; get them from the blobs.
        index: its position in the log, from 0.
        predicate_type: what kind of claim it makes.
        subjects: what it is about.
        key_id: hex SHA-256 of the key that signed, or None when a certificate did.
    """

    digest: Digest
    index: int
    predicate_type: str
    subjects: tuple[Subject, ...]
    key_id: str | None


def reference(digest: Digest, index: int, statement: Statement, key_id: str | None) -> EvidenceRef:
    """Project one bundle: its digest, log index, statement and signing key."""
    return EvidenceRef(digest, index, statement.predicate_type, statement.subjects, key_id)


class Index:
    """The index file. Making the object touches nothing; `close` one that was written to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: KeptConnection | None = None

    def close(self) -> None:
        """Close the file, if it was written to; nothing is lost without it."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def size(self) -> int | None:
        """Say how many entries it covers; None when it is missing, damaged or of another version."""
        if not self.path.exists():
            return None
        try:
            with reading(self.path) as connection:
                if connection.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):
                    return None
                (size,) = connection.execute("SELECT size FROM state").fetchone()
                return int(size)
        except (EvidenceInvalidError, InfrastructureError):
            return None

    def add(self, references: Sequence[EvidenceRef], size: int) -> None:
        """Insert a batch and note that the index covers `size` entries now. Writers hold the journal's lock.

        Raises:
            InfrastructureError: the file is damaged; the hint says how to rebuild it.
        """
        try:
            with self._writing() as connection:
                _insert(connection, references)
                connection.execute("UPDATE state SET size = ?", (size,))
        except (EvidenceInvalidError, InfrastructureError) as error:
            raise InfrastructureError(f"cannot write the index: {error.message}", hint=_REINDEX) from error

    def rebuild(self, references: Sequence[EvidenceRef], size: int) -> None:
        """Replace the whole content in one transaction; readers see the old content or the new.

        A file that is no sound database is deleted first. Writers hold the journal's lock.
        """
        try:
            self._replace(references, size)
        except (EvidenceInvalidError, InfrastructureError):
            self.close()
            for suffix in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self._replace(references, size)

    def find(self, subject: Digest | None = None, predicate_type: str | None = None) -> list[EvidenceRef]:
        """Look evidence up by subject, by predicate type, by both or neither; newest first.

        Raises:
            InfrastructureError: the index is missing or damaged; the hint says how to rebuild it.
        """
        where, values = ["1"], []
        if subject is not None:
            where.append("position IN (SELECT position FROM subjects WHERE sha256 = ?)")
            values.append(subject.hex)
        if predicate_type is not None:
            where.append("predicate_type = ?")
            values.append(predicate_type)
        condition = " AND ".join(where)
        evidence = f"SELECT position, digest, predicate_type, key_id FROM evidence WHERE {condition}"  # noqa: S608 - fixed texts
        subjects = (
            "SELECT position, name, digests FROM subjects WHERE position IN "  # noqa: S608 - fixed texts
            f"(SELECT position FROM evidence WHERE {condition}) ORDER BY position, ordinal"
        )
        try:
            with reading(self.path) as connection:
                connection.execute("BEGIN")  # both queries see one state
                found = connection.execute(f"{evidence} ORDER BY position DESC", values).fetchall()
                about: dict[int, list[Subject]] = {}
                for position, name, digests in connection.execute(subjects, values):
                    about.setdefault(position, []).append(Subject(name, json.loads(digests)))
        except (EvidenceInvalidError, InfrastructureError) as error:
            raise InfrastructureError(f"cannot use the index: {error.message}", hint=_REINDEX) from error
        return [
            EvidenceRef(Digest(digest), position, kind, tuple(about.get(position, ())), key_id)
            for position, digest, kind, key_id in found
        ]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Give the whole content in a fixed order, for comparing two indexes."""
        with reading(self.path) as connection:
            connection.execute("BEGIN")
            return {table: sorted(connection.execute(f"SELECT * FROM {table}")) for table in _TABLES}  # noqa: S608 - fixed names

    def _replace(self, references: Sequence[EvidenceRef], size: int) -> None:
        with self._writing() as connection:
            for table in _TABLES:
                connection.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO state VALUES (?)", (size,))
            _insert(connection, references)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write with the connection kept from before, as closing it would cost each batch a checkpoint."""
        if self._kept is not None and not self._kept.is_in_place():
            self.close()
        if self._kept is None:
            self._kept = KeptConnection(self.path, synchronous="NORMAL")
        with transaction(self._kept.connection, self.path):
            yield self._kept.connection


def _insert(connection: sqlite3.Connection, references: Sequence[EvidenceRef]) -> None:
    connection.executemany(
        "INSERT INTO evidence VALUES (?, ?, ?, ?)",
        ((item.index, item.digest.hex, item.predicate_type, item.key_id) for item in references),
    )
    connection.executemany(
        "INSERT INTO subjects VALUES (?, ?, ?, ?, ?)",
        (
            (item.index, ordinal, subject.name, subject.digest.get("sha256"), _digests(subject))
            for item in references
            for ordinal, subject in enumerate(item.subjects)
        ),
    )


def _digests(subject: Subject) -> str:
    return canonical_json(subject.digest).decode()
