"""What is known by CVE: CISA's catalogue of exploited vulnerabilities, and FIRST's EPSS scores."""

from __future__ import annotations

import math
import re
import zlib
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import parse_time
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Value = TypeVar("Value", str, float)
MAX_BYTES: Final = 256 * 1024 * 1024
_MAX_ROWS: Final = 5_000_000
_CVE: Final = re.compile(r"CVE-\d{4}-\d{1,19}\Z", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_EPSS_HEAD: Final = re.compile(r"#model_version:([^,\s]{1,40}),score_date:([^,\s]{1,40})\Z")


class Signal(msgspec.Struct, Generic[Value], frozen=True, kw_only=True):
    """One collection, with the date its publisher gives it: a database is as old as its oldest part."""

    name: str
    date: datetime
    licence: str
    attribution: str
    values: Mapping[str, Value]

    def of(self, identifiers: Iterable[str]) -> list[Value]:
        """Give what is known under any of some names."""
        return [self.values[name] for name in identifiers if name in self.values]


def read_exploited(data: bytes, *, what: str) -> Signal[str]:
    """Read CISA's known exploited vulnerabilities catalogue (JSON): CVE → date added.

    Raises:
        MalformedError: not that catalogue.
    """
    document = parse_json_object(data, what=what)
    rows = document.get("vulnerabilities")
    values: dict[str, str] = {}
    for row in rows if isinstance(rows, list) else ():
        cve, added = (row.get("cveID"), row.get("dateAdded")) if isinstance(row, dict) else (None, None)
        if not isinstance(cve, str) or not isinstance(added, str) or not _DATE.match(added):
            raise MalformedError(f"{what}: an entry without a CVE and a date: {str(cve)[:40]!r}")
        values[cve.strip()] = added
    if not values:
        raise MalformedError(f"{what}: not a catalogue of known exploited vulnerabilities, or an empty one")
    return Signal(
        name="kev",
        date=_date(document.get("dateReleased"), what),
        licence="CC0-1.0",
        attribution="CISA Known Exploited Vulnerabilities Catalog",
        values=values,
    )


def read_epss(data: bytes, *, what: str) -> Signal[float]:
    """Read FIRST's EPSS scores of one day (CSV, gzip or not): CVE → probability of exploitation in 30 days.

    Raises:
        MalformedError: not that file.
    """
    lines = _text(data, what).splitlines()
    head = _EPSS_HEAD.match(lines[0]) if lines else None
    if not head or lines[1:2] != ["cve,epss,percentile"]:
        raise MalformedError(f"{what}: not EPSS scores: they begin with the model's version and the date")
    if len(lines) > _MAX_ROWS:
        raise MalformedError(f"{what}: {len(lines)} lines, more than there are vulnerabilities")
    values = dict(_score(line, what) for line in lines[2:] if line)
    if not values:
        raise MalformedError(f"{what}: EPSS scores without one")
    return Signal(
        name="epss",
        date=_date(head[2], what),
        licence="LicenseRef-FIRST-EPSS",
        attribution=f"FIRST EPSS, model {head[1]}, first.org/epss",
        values=values,
    )


def _score(line: str, what: str) -> tuple[str, float]:
    cve, _, rest = line.partition(",")
    try:
        probability = float(rest.partition(",")[0])
    except ValueError:
        probability = math.nan
    if not _CVE.match(cve) or not 0 <= probability <= 1:
        raise MalformedError(f"{what}: not a CVE and its score: {line[:80]!r}")
    return cve, probability


def _text(data: bytes, what: str) -> str:
    try:
        if data.startswith(b"\x1f\x8b"):
            unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            data = unpacker.decompress(data, MAX_BYTES)
            if unpacker.unconsumed_tail or not unpacker.eof:
                raise MalformedError(f"{what}: cut short, or more than {MAX_BYTES} bytes once unpacked")
        return data.decode("ascii")
    except (zlib.error, UnicodeDecodeError) as error:
        raise MalformedError(f"{what}: cannot be unpacked, or is not ASCII: {error}") from error


def _date(value: object, what: str) -> datetime:
    if not isinstance(value, str):
        raise MalformedError(f"{what}: it does not say of which date it is")
    if _DATE.match(value):
        value += "T00:00:00Z"
    return parse_time(value)
