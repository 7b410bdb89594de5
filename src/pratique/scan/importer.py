"""Import OSV records into one SQLite file that replaces the last one whole, or not at all.

The file's identity is the digest of its rows in key order, so the same records under the same source names
and dates give the same digest wherever and in whatever order they were read.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import CouldNotCheckError, InfrastructureError, MalformedError
from pratique.model.clock import format_time
from pratique.model.strict_json import parse_json_object
from pratique.scan.database import SCHEMA, Database, DatabaseInfo, content_digest
from pratique.scan.osv import parse_advisory
from pratique.scan.sources import read_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pratique.scan.osv import Advisory
    from pratique.scan.sources import Source


def import_advisories(
    sources: Sequence[Source], destination: Path, *, exploited: Mapping[str, str] | None = None
) -> DatabaseInfo:
    """Build an advisory database and put it in place atomically.

    Args:
        sources: at least one; each must hold at least one record.
        destination: the SQLite file to write or replace.
        exploited: CVE id → date it was added to CISA's catalogue of known exploited vulnerabilities.

    Raises:
        CouldNotCheckError: no source, or a source without records: nothing could ever match.
        MalformedError: a record that is not OSV, or two records of one id in one source.
        InfrastructureError: the disk refuses.
    """
    if not sources:
        raise CouldNotCheckError("no advisory source was given", hint="name at least one OSV collection")
    if len({source.name for source in sources}) != len(sources):
        raise MalformedError("two advisory sources have the same name")
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch_name = tempfile.mkstemp(dir=destination.parent, prefix=".advisories-", suffix=".tmp")
    os.close(handle)
    scratch = Path(scratch_name)
    try:
        _fill(scratch, sources, exploited or {})
        _publish(scratch, destination)
    except sqlite3.Error as error:
        raise InfrastructureError(f"{destination}: cannot be written: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)
    with Database.open(destination) as database:
        return database.info


def read_exploited(data: bytes, *, what: str) -> dict[str, str]:
    """Read CISA's known exploited vulnerabilities catalogue: CVE id → date added.

    Raises:
        MalformedError: not that catalogue.
    """
    rows = parse_json_object(data, what=what).get("vulnerabilities")
    try:
        found = {str(row["cveID"]): str(row["dateAdded"]) for row in rows or ()}
    except (TypeError, KeyError) as error:
        raise MalformedError(f"{what}: not a catalogue of known exploited vulnerabilities") from error
    if not found:
        raise MalformedError(f"{what}: a catalogue without entries")
    return found


def _fill(scratch: Path, sources: Sequence[Source], exploited: Mapping[str, str]) -> None:
    connection = sqlite3.connect(scratch, isolation_level=None)
    try:
        # A scratch file needs no journal of its own: after a crash it is simply not there.
        connection.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA)
        connection.execute("BEGIN")
        for source in sources:
            _fill_source(connection, source)
        connection.executemany("INSERT INTO exploited VALUES (?, ?)", sorted(exploited.items()))
        connection.execute("INSERT INTO meta VALUES ('digest', ?)", (str(content_digest(connection)),))
        connection.execute("COMMIT")
        connection.execute("VACUUM")
    finally:
        connection.close()


def _fill_source(connection: sqlite3.Connection, source: Source) -> None:
    records = unattributed = 0
    for member, record in read_records(source):
        advisory = parse_advisory(record, what=f"{source.path}: {member}")
        try:
            connection.execute(
                "INSERT INTO advisory VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                _advisory_row(source.name, advisory),
            )
        except sqlite3.IntegrityError as error:
            raise MalformedError(f"{source.path}: {member}: a second record of {advisory.id}") from error
        connection.executemany(
            "INSERT INTO affected VALUES (?, ?, ?, ?, ?, ?)", _affected_rows(source.name, advisory)
        )
        records += 1
        unattributed += advisory.unattributed
    if not records:
        raise CouldNotCheckError(f"{source.path}: holds no OSV record (*.json)")
    connection.execute(
        "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?)",
        (
            source.name,
            format_time(source.date),
            source.licence,
            source.attribution,
            records,
            unattributed,
        ),
    )


def _advisory_row(source: str, advisory: Advisory) -> tuple[str | float | int | None, ...]:
    return (
        source,
        advisory.id,
        msgspec.json.encode(advisory.aliases).decode(),
        advisory.summary,
        advisory.severity.value,
        advisory.vector,
        advisory.score,
        advisory.modified,
        advisory.published,
        int(advisory.withdrawn),
    )


def _affected_rows(source: str, advisory: Advisory) -> Iterator[tuple[str | int, ...]]:
    for position, (ecosystem, package, affected) in enumerate(advisory.affected):
        data = msgspec.json.encode(affected).decode()
        yield ecosystem, package, source, advisory.id, position, data


def _publish(scratch: Path, destination: Path) -> None:
    try:
        with scratch.open("rb") as stream:
            os.fsync(stream.fileno())
        scratch.replace(destination)
        folder = os.open(destination.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise InfrastructureError(f"{destination}: cannot be written: {error.strerror}") from error
