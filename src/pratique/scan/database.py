"""The advisory database: read-only, and what it says is pinned by the digest of its rows."""

from __future__ import annotations

import hashlib
import sqlite3
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import msgspec

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.model.clock import parse_time
from pratique.model.digest import Digest, parse_digest
from pratique.model.finding import Severity
from pratique.scan.osv import Affected

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

FORMAT = 2
SCHEMA = f"""
PRAGMA user_version={FORMAT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE source (
  name TEXT PRIMARY KEY, date TEXT NOT NULL, licence TEXT NOT NULL, attribution TEXT NOT NULL,
  records INTEGER NOT NULL, unattributed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE advisory (
  source TEXT NOT NULL, id TEXT NOT NULL, aliases TEXT NOT NULL, summary TEXT NOT NULL,
  severity TEXT NOT NULL, vector TEXT NOT NULL, score REAL,
  modified TEXT NOT NULL, published TEXT NOT NULL, withdrawn INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE affected (
  ecosystem TEXT NOT NULL, package TEXT NOT NULL, source TEXT NOT NULL, advisory TEXT NOT NULL,
  position INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (ecosystem, package, source, advisory, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE exploited (cve TEXT PRIMARY KEY, added TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""
_HINT = "import advisories into it first"
_TABLES = (
    ("source", "name"),
    ("advisory", "source, id"),
    ("affected", "ecosystem, package, source, advisory, position"),
    ("exploited", "cve"),
)
_LOOKUP = """
SELECT a.id, a.source, a.aliases, a.summary, a.severity, a.vector, a.score, a.published, f.data
FROM affected f JOIN advisory a ON a.source = f.source AND a.id = f.advisory
WHERE f.ecosystem = ? AND f.package = ? AND a.withdrawn = 0
ORDER BY a.source, a.id, f.position
"""
_AFFECTED = msgspec.json.Decoder(Affected)
_ALIASES = msgspec.json.Decoder(tuple[str, ...])


class SourceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A source as the database remembers it; `unattributed` counts entries that name no package."""

    name: str
    date: datetime
    licence: str
    attribution: str
    records: int
    unattributed: int


class DatabaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan has to say about the data it used."""

    digest: Digest
    sources: tuple[SourceInfo, ...]
    ecosystems: tuple[str, ...]
    exploited: int

    @property
    def records(self) -> int:
        """How many advisories it holds, withdrawn ones included."""
        return sum(source.records for source in self.sources)

    @property
    def oldest(self) -> datetime:
        """The date of the oldest source: no newer knowledge may be assumed."""
        return min(source.date for source in self.sources)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One advisory's word on one package."""

    id: str
    source: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    vector: str
    score: float | None
    published: str
    affected: Affected


class Database:
    """An open advisory database; a context manager."""

    def __init__(self, connection: sqlite3.Connection, info: DatabaseInfo) -> None:
        self._connection = connection
        self._exploited: dict[str, str] | None = None
        self.info = info

    @classmethod
    def open(cls, path: Path, *, verify: bool = True) -> Self:
        """Open a database for reading.

        Args:
            path: the file `import_advisories` wrote.
            verify: recompute the digest over all rows first, as evidence will name it.

        Raises:
            CouldNotCheckError: there is none, or it is of another format.
            EvidenceInvalidError: its rows are not those it was made with, or it is damaged.
        """
        if not path.is_file():
            raise CouldNotCheckError(f"{path}: there is no advisory database", hint=_HINT)
        connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)
        try:
            return cls(connection, _checked_info(connection, path, verify=verify))
        except (sqlite3.Error, TypeError, ValueError, MalformedError) as error:
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

    def lookup(self, ecosystem: str, package: str) -> list[Entry]:
        """Give what is said of a package (see `versions.package_key`), withdrawn advisories left out."""
        return [
            Entry(
                id=row[0],
                source=row[1],
                aliases=_ALIASES.decode(row[2]),
                summary=row[3],
                severity=Severity(row[4]),
                vector=row[5],
                score=row[6],
                published=row[7],
                affected=_AFFECTED.decode(row[8]),
            )
            for row in self._connection.execute(_LOOKUP, (ecosystem, package))
        ]

    def exploited_since(self, identifier: str) -> str:
        """Give the date a CVE entered the catalogue of known exploited vulnerabilities, or empty."""
        if self._exploited is None:
            self._exploited = dict(self._connection.execute("SELECT cve, added FROM exploited"))
        return self._exploited.get(identifier, "")


def content_digest(connection: sqlite3.Connection) -> Digest:
    """Digest every row of every table but `meta`, in key order."""
    hasher = hashlib.sha256()
    for table, key in _TABLES:
        hasher.update(table.encode() + b"\n")
        for row in connection.execute(f"SELECT * FROM {table} ORDER BY {key}"):  # noqa: S608 - own constants
            hasher.update(msgspec.json.encode(row) + b"\n")
    return Digest(hasher.hexdigest())


def _checked_info(connection: sqlite3.Connection, path: Path, *, verify: bool) -> DatabaseInfo:
    if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
        raise CouldNotCheckError(f"{path}: an advisory database of another format", hint=_HINT)
    info = _info(connection)
    if verify and not content_digest(connection).matches(info.digest):
        raise EvidenceInvalidError(f"{path}: its rows do not have the digest {info.digest}", hint=_HINT)
    return info


def _info(connection: sqlite3.Connection) -> DatabaseInfo:
    digest = connection.execute("SELECT value FROM meta WHERE key = 'digest'").fetchone()[0]
    sources = connection.execute(
        "SELECT name, date, licence, attribution, records, unattributed FROM source ORDER BY name"
    )
    ecosystems = connection.execute(
        """SELECT DISTINCT f.ecosystem FROM affected f
           JOIN advisory a ON a.source = f.source AND a.id = f.advisory
           WHERE a.withdrawn = 0 ORDER BY 1"""
    )
    return DatabaseInfo(
        digest=parse_digest(digest),
        sources=tuple(
            SourceInfo(
                name=name,
                date=parse_time(date),
                licence=licence,
                attribution=attribution,
                records=records,
                unattributed=unattributed,
            )
            for name, date, licence, attribution, records, unattributed in sources
        ),
        ecosystems=tuple(row[0] for row in ecosystems),
        exploited=connection.execute("SELECT count(*) FROM exploited").fetchone()[0],
    )
