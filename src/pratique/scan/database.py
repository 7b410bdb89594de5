"""The advisory database: read-only, and each answer is checked against the digest that the evidence names."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import msgspec

from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.model.digest import Digest
from pratique.scan.buckets import (
    DIGEST_BYTES,
    FORMAT,
    MAX_BITS,
    Entry,
    check_bucket,
    entries_of,
    package_place,
    packages_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

SCHEMA: Final = f"""
PRAGMA user_version={FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE bucket (number INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""
_HINT = "import advisories into it first"


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A source as the database remembers it; `unattributed` counts entries that name no package."""

    name: str
    date: datetime
    licence: str
    attribution: str
    records: int
    unattributed: int = 0


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the database's digest is of.

    Attributes:
        format: of the layout.
        bits: how many bits of a package's place number the buckets.
        index: SHA-256 (hex) of the buckets' digests.
        ecosystems: those that there are advisories for, sorted.
        sources: collections of advisories, by name.
        signals: collections of what is known by CVE, by name.
    """

    format: int
    bits: int
    index: str
    ecosystems: tuple[str, ...]
    sources: tuple[SourceInfo, ...]
    signals: tuple[SourceInfo, ...] = ()


class DatabaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan has to say about the data it used."""

    digest: Digest
    sources: tuple[SourceInfo, ...]
    signals: tuple[SourceInfo, ...]
    ecosystems: tuple[str, ...]

    @property
    def records(self) -> int:
        """How many advisories it was made from, withdrawn ones included."""
        return sum(source.records for source in self.sources)

    @property
    def oldest(self) -> datetime:
        """The date of the oldest source: no newer knowledge may be assumed."""
        return min(source.date for source in (*self.sources, *self.signals))


class Database:
    """An open advisory database; a context manager."""

    def __init__(self, connection: sqlite3.Connection, path: Path, header: bytes, index: bytes) -> None:
        self._connection = connection
        self._path = path
        self._index = index
        self._header = _HEADER.decode(header)
        self.info = DatabaseInfo(
            digest=Digest(hashlib.sha256(header).hexdigest()),
            sources=self._header.sources,
            signals=self._header.signals,
            ecosystems=self._header.ecosystems,
        )

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a database for reading; what is looked up in it is checked against `info.digest`.

        Raises:
            CouldNotCheckError: there is none, or it is of another format.
            EvidenceInvalidError: it is damaged.
        """
        if not path.is_file():
            raise CouldNotCheckError(f"{path}: there is no advisory database", hint=_HINT)
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
        try:
            return cls(connection, path, *_head(connection, path))
        except (sqlite3.Error, TypeError, ValueError, msgspec.MsgspecError) as error:
            connection.close()
            raise EvidenceInvalidError(f"{path}: damaged advisory database: {error}", hint=_HINT) from error
        except BaseException:
            connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def lookup(self, ecosystem: str, package: str) -> tuple[Entry, ...]:
        """Give what is said of a package (see `versions.package_key`).

        Raises:
            EvidenceInvalidError: that part of the file is not what the database was made with.
        """
        place, key = package_place(ecosystem, package)
        bucket = self._bucket(place >> (MAX_BITS - self._header.bits))
        try:
            return entries_of(bucket, key)
        except msgspec.MsgspecError as error:
            raise EvidenceInvalidError(f"{self._path}: damaged advisory database: {error}") from error

    def packages(self) -> Iterator[tuple[str, str, tuple[Entry, ...]]]:
        """Give all that it holds: ecosystem, package, entries.

        Raises:
            EvidenceInvalidError: the file is not what the database was made with.
        """
        for number in range(1 << self._header.bits):
            try:
                held = packages_of(self._bucket(number))
            except msgspec.MsgspecError as error:
                raise EvidenceInvalidError(f"{self._path}: damaged advisory database: {error}") from error
            for key, entries in held.items():
                ecosystem, _, package = key.partition("\0")
                yield ecosystem, package, entries

    def _bucket(self, number: int) -> bytes:
        try:
            row = self._connection.execute("SELECT data FROM bucket WHERE number = ?", (number,)).fetchone()
        except sqlite3.Error as error:
            raise EvidenceInvalidError(f"{self._path}: damaged advisory database: {error}") from error
        bucket = row[0] if row else b""
        check_bucket(bucket, number, self._index, str(self._path))
        return bucket


def _head(connection: sqlite3.Connection, path: Path) -> tuple[bytes, bytes]:
    if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
        raise CouldNotCheckError(f"{path}: an advisory database of another format", hint=_HINT)
    values = dict(connection.execute("SELECT key, value FROM meta"))
    header, index = values.get("header", b""), values.get("index", b"")
    if hashlib.sha256(header).hexdigest().encode() != values.get("digest"):
        raise EvidenceInvalidError(f"{path}: its header is not what the database was made with", hint=_HINT)
    stated = _HEADER.decode(header)
    if not 0 <= stated.bits <= MAX_BITS or len(index) != DIGEST_BYTES << stated.bits or not stated.sources:
        raise EvidenceInvalidError(f"{path}: damaged advisory database: its header contradicts itself")
    if hashlib.sha256(index).hexdigest() != stated.index:
        raise EvidenceInvalidError(f"{path}: its index is not what the database was made with", hint=_HINT)
    return header, index


_HEADER = msgspec.json.Decoder(Header)
