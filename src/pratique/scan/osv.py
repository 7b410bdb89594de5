"""OSV records (OSV Schema 1.7): from JSON that somebody published to what the database keeps.

Published data is dirty: version events that are dates, packages without ranges. What is not understood is
kept as a *problem* of the package it names, so that a match there ends as unknown, not as a crash or a pass.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time, parse_time
from pratique.model.finding import Severity
from pratique.scan.cvss import base_score, severity_of_score
from pratique.scan.ranges import Interval, intervals
from pratique.scan.versions import (
    VERSION_KEYS,
    UnorderableError,
    base_ecosystem,
    package_key,
    stored_ecosystem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAMED = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.HIGH,
    "MODERATE": Severity.MEDIUM,
    "MEDIUM": Severity.MEDIUM,
    "LOW": Severity.LOW,
}
_MAX_SUMMARY = 300
_USUAL_VERSION = 60
_UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z\Z", re.ASCII)


def _remembering(key: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Remember the keys of versions, as most are in many records."""
    cached = lru_cache(maxsize=20_000)(key)
    return lambda text: cached(text) if len(text) <= _USUAL_VERSION else key(text)


_KEYS = {ecosystem: _remembering(key) for ecosystem, key in VERSION_KEYS.items()}


class Affected(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one advisory says about one package.

    Attributes:
        intervals: the affected versions.
        keys: keys of versions listed as affected that no interval covers, sorted.
        literals: versions listed as affected that cannot be ordered: matched as text, sorted.
        problem: why the rest of the entry could not be understood, or empty.
    """

    intervals: tuple[Interval, ...] = ()
    keys: tuple[bytes, ...] = ()
    literals: tuple[str, ...] = ()
    problem: str = ""


class Advisory(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One record, ready to be stored: `affected` maps (ecosystem, package) to its entries.

    `published` is an RFC 3339 time, or empty where the record has none that can be read.
    """

    id: str
    aliases: tuple[str, ...]
    summary: str
    severity: Severity
    vector: str
    score: float | None
    published: str
    withdrawn: bool
    affected: tuple[tuple[str, str, Affected], ...]
    unattributed: int


def parse_advisory(record: Mapping[str, Any], *, what: str) -> Advisory:
    """Understand one OSV record.

    Raises:
        MalformedError: it has no id or its `affected` is not a list of objects: not an OSV record at all.
    """
    identifier, entries = record.get("id"), record.get("affected", [])
    if not isinstance(identifier, str) or not identifier or len(identifier) > _MAX_SUMMARY:
        raise MalformedError(f"{what}: an OSV record without an id")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise MalformedError(f"{what}: `affected` is not a list of objects")
    named = [(_package(entry), entry) for entry in entries]
    vector, score, severity = _severity(record, entries)
    summary = record.get("summary") or record.get("details") or ""
    return Advisory(
        id=identifier,
        aliases=tuple(sorted(_texts(record.get("aliases")) - {identifier})),
        summary=" ".join(str(summary).split())[:_MAX_SUMMARY],
        severity=severity,
        vector=vector,
        score=score,
        published=_moment(record.get("published")),
        # Only null or an absent member means "not withdrawn"; the schema gives a time otherwise.
        withdrawn=record.get("withdrawn") is not None,
        affected=tuple((*package, _affected(package[0], entry)) for package, entry in named if package),
        unattributed=sum(1 for package, _ in named if package is None),
    )


def _moment(value: object) -> str:
    if not isinstance(value, str):
        return ""
    try:
        moment = parse_time(value)
        return f"{value[:19]}Z" if _UTC_TIME.match(value) else format_time(moment)
    except (MalformedError, OverflowError):
        return ""


def _package(entry: Mapping[str, Any]) -> tuple[str, str] | None:
    package = entry.get("package")
    if not isinstance(package, dict):
        return None
    ecosystem, name = package.get("ecosystem"), package.get("name")
    if not isinstance(ecosystem, str) or not isinstance(name, str) or not ecosystem or not name:
        return None
    ecosystem = stored_ecosystem(ecosystem)
    return ecosystem, package_key(ecosystem, name)


def _affected(ecosystem: str, entry: Mapping[str, Any]) -> Affected:
    version_key = _KEYS.get(base_ecosystem(ecosystem))
    if version_key is None:
        return Affected(problem=f"versions of ecosystem {ecosystem[:40]} cannot be ordered")
    found: list[Interval] = []
    problem = ""
    ranges, versions = entry.get("ranges") or [], entry.get("versions") or []
    if not isinstance(ranges, list) or not isinstance(versions, list):
        return Affected(problem="ranges or versions are not lists")
    understood = bool(versions)
    for item in ranges:
        if isinstance(item, dict) and item.get("type") == "GIT":
            continue  # commits say nothing about a released version
        try:
            found.extend(intervals(_events(item), version_key))
            understood = True
        except UnorderableError as error:
            problem = problem or str(error)
    if not understood and not problem:
        problem = "neither versions nor ranges of versions are given"
    keys, literals = _listed(versions, found, version_key)
    return Affected(intervals=tuple(sorted(found, key=_low)), keys=keys, literals=literals, problem=problem)


def _events(item: object) -> list[Any]:
    if isinstance(item, dict) and item.get("type") in {"ECOSYSTEM", "SEMVER"}:
        events = item.get("events")
        if isinstance(events, list):
            return events
    raise UnorderableError("a range of unknown type, or without events")


def _low(interval: Interval) -> tuple[bytes, bool, bytes]:
    return interval.low, interval.high is None, interval.high or b""


def _listed(
    versions: list[Any], covered: list[Interval], version_key: Callable[[str], bytes]
) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Keep of the listed versions what the intervals do not say already: most lists shrink to nothing."""
    keys: set[bytes] = set()
    literals: set[str] = set()
    for version in versions:
        try:
            key = version_key(str(version))
        except UnorderableError:
            literals.add(str(version)[:120])
            continue
        if not any(interval.contains(key) for interval in covered):
            keys.add(key)
    return tuple(sorted(keys)), tuple(sorted(literals))


def _severity(record: Mapping[str, Any], entries: list[Any]) -> tuple[str, float | None, Severity]:
    """Give the gravest CVSS v3 vector with its score, else the severity that the database's people named."""
    scored = [
        (score, vector)
        for holder in (record, *entries)
        for item in (holder.get("severity") if isinstance(holder.get("severity"), list) else [])
        if isinstance(item, dict) and isinstance(vector := item.get("score"), str)
        if (score := base_score(vector)) is not None
    ]
    if scored:
        score, vector = max(scored)
        return vector, score, severity_of_score(score)
    named = [
        _NAMED[text.upper()]
        for holder in (record, *entries)
        for specific in (holder.get("database_specific"), holder.get("ecosystem_specific"))
        if isinstance(specific, dict)
        if isinstance(text := specific.get("severity"), str) and text.upper() in _NAMED
    ]
    return "", None, min(named, key=lambda severity: severity.rank, default=Severity.UNKNOWN)


def _texts(value: object) -> set[str]:
    return {text for text in value if isinstance(text, str)} if isinstance(value, list) else set()
