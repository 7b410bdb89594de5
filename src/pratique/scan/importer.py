"""Import advisories into one SQLite file that replaces the last one whole, or not at all.

Records are parsed in processes of their own where there are many of them, and sorted by SQLite, so that
memory does not grow with their number.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import CouldNotCheckError, InfrastructureError, MalformedError
from pratique.model.clock import format_time
from pratique.model.strict_json import canonical_json
from pratique.scan.buckets import (
    EMPTY,
    FORMAT,
    MAX_BITS,
    Entry,
    bits_for,
    encode_bucket,
    encode_entry,
    package_place,
)
from pratique.scan.database import SCHEMA, Database, DatabaseInfo, SourceInfo
from pratique.scan.understand import understood

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pratique.scan.osv import Advisory
    from pratique.scan.signals import Signal
    from pratique.scan.sources import Source

_SCRATCH: Final = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;
CREATE TABLE entry (place INTEGER, key TEXT, source TEXT, id TEXT, position INTEGER, data BLOB);
"""

Row = tuple[int, str, str, str, int, bytes]


def import_advisories(
    sources: Sequence[Source],
    destination: Path,
    *,
    exploited: Signal[str] | None = None,
    epss: Signal[float] | None = None,
    processes: int | None = None,
) -> DatabaseInfo:
    """Build an advisory database and put it in place atomically.

    Args:
        sources: at least one; each must hold at least one record.
        destination: the SQLite file to write or replace.
        exploited: CISA's catalogue of known exploited vulnerabilities.
        epss: probabilities of exploitation.
        processes: how many parse; by default as many as may run at once, where there is enough to parse.

    Raises:
        CouldNotCheckError: no source, or a source without records: nothing could ever match.
        MalformedError: a record that is none, or two records of one id in one source.
        InfrastructureError: the disk refuses.
    """
    if not sources:
        raise CouldNotCheckError("no advisory source was given", hint="name at least one collection")
    if len({source.name for source in sources}) != len(sources):
        raise MalformedError("two advisory sources have the same name")
    destination.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch_name = tempfile.mkstemp(dir=destination.parent, prefix=".advisories-", suffix=".tmp")
    os.close(handle)
    scratch = Path(scratch_name)
    try:
        _fill(scratch, sources, _Knowledge(exploited, epss), processes)
        _publish(scratch, destination)
    except sqlite3.Error as error:
        raise InfrastructureError(f"{destination}: cannot be written: {error}") from error
    finally:
        scratch.unlink(missing_ok=True)
    with Database.open(destination) as database:
        return database.info


class _Knowledge:
    """What is known by CVE, joined to each entry at import."""

    def __init__(self, exploited: Signal[str] | None, epss: Signal[float] | None) -> None:
        self._exploited = exploited
        self._epss = epss

    def rows(self, source: str, advisory: Advisory) -> Iterator[Row]:
        """Give the rows of one advisory."""
        names = (advisory.id, *advisory.aliases)
        since = min(self._exploited.of(names), default="") if self._exploited else ""
        probability = max(self._epss.of(names), default=None) if self._epss else None
        for position, (ecosystem, package, affected) in enumerate(advisory.affected):
            entry = Entry(
                id=advisory.id,
                source=source,
                aliases=advisory.aliases,
                summary=advisory.summary,
                severity=advisory.severity.value,
                vector=advisory.vector,
                score=advisory.score,
                published=advisory.published,
                exploited=since,
                epss=probability,
                affected=affected,
            )
            place, key = package_place(ecosystem, package)
            yield place, key, source, advisory.id, position, encode_entry(entry)

    def infos(self) -> tuple[SourceInfo, ...]:
        """Say whose it is."""
        return tuple(
            SourceInfo(
                name=signal.name,
                date=signal.date,
                licence=signal.licence,
                attribution=signal.attribution,
                records=len(signal.values),
            )
            for signal in (self._epss, self._exploited)
            if signal
        )


def _fill(scratch: Path, sources: Sequence[Source], knowledge: _Knowledge, processes: int | None) -> None:
    # A file without a name is SQLite's own: it spills to the disk, and is gone with the connection.
    rows, target = sqlite3.connect("", isolation_level=None), sqlite3.connect(scratch, isolation_level=None)
    try:
        rows.executescript(_SCRATCH)
        rows.execute("BEGIN")
        infos = [_collect(rows, source, knowledge, processes) for source in sources]
        rows.execute("COMMIT")
        # After a crash the scratch file is simply not there, so it needs no journal.
        target.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + SCHEMA)
        target.execute("BEGIN")
        _write(rows, target, sorted(infos, key=lambda info: info.name), knowledge.infos())
        target.execute("COMMIT")
    finally:
        rows.close()
        target.close()


def _collect(
    rows: sqlite3.Connection, source: Source, knowledge: _Knowledge, processes: int | None
) -> SourceInfo:
    seen: set[str] = set()
    unattributed = 0

    def found() -> Iterator[Row]:
        nonlocal unattributed
        for advisory in understood(source, processes):
            if advisory.id in seen:
                raise MalformedError(f"{source.path}: a second record of {advisory.id}")
            seen.add(advisory.id)
            unattributed += advisory.unattributed
            if not advisory.withdrawn:
                yield from knowledge.rows(source.name, advisory)

    rows.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", found())
    if not seen:
        raise CouldNotCheckError(f"{source.path}: holds no advisory")
    return SourceInfo(
        name=source.name,
        date=source.date,
        licence=source.licence,
        attribution=source.attribution,
        records=len(seen),
        unattributed=unattributed,
    )


def _write(
    rows: sqlite3.Connection,
    target: sqlite3.Connection,
    sources: Sequence[SourceInfo],
    signals: Sequence[SourceInfo],
) -> None:
    bits = bits_for(rows.execute("SELECT count(DISTINCT key) FROM entry").fetchone()[0])
    digests = [EMPTY] * (1 << bits)
    ecosystems: set[str] = set()

    def buckets() -> Iterator[tuple[int, bytes]]:
        entries = rows.execute("SELECT place, key, data FROM entry ORDER BY place, key, source, id, position")
        for number, held in groupby(entries, key=lambda row: row[0] >> (MAX_BITS - bits)):
            data = _bucket(held, ecosystems)
            digests[number] = hashlib.sha256(data).digest()
            yield number, data

    target.executemany("INSERT INTO bucket VALUES (?, ?)", buckets())
    index = b"".join(digests)
    header = canonical_json(
        {
            "format": FORMAT,
            "bits": bits,
            "index": hashlib.sha256(index).hexdigest(),
            "ecosystems": sorted(ecosystems),
            "sources": [_shown(info) for info in sources],
            "signals": [_shown(info) for info in signals],
        }
    )
    digest = hashlib.sha256(header).hexdigest().encode()
    target.executemany(
        "INSERT INTO meta VALUES (?, ?)", [("header", header), ("index", index), ("digest", digest)]
    )


def _bucket(entries: Iterable[tuple[int, str, bytes]], ecosystems: set[str]) -> bytes:
    packages: dict[str, list[bytes]] = {}
    for _, key, data in entries:
        packages.setdefault(key, []).append(data)
    ecosystems.update(key.partition("\0")[0] for key in packages)
    # SQLite has sorted by place, and by key within it; a bucket may hold several places.
    return encode_bucket(sorted(packages.items()))


def _shown(info: SourceInfo) -> dict[str, str | int]:
    return {
        "name": info.name,
        "date": format_time(info.date),
        "licence": info.licence,
        "attribution": info.attribution,
        "records": info.records,
        "unattributed": info.unattributed,
    }


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
