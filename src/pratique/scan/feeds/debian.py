"""Debian's security tracker: its JSON of all issues, and its lists of advisories (DSA and DLA)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterator

RELEASES: Final = {
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
}
"""Debian's releases by name; what is in none of them (sid, removed suites) is not matched."""
_MAX_BYTES: Final = 512 * 1024 * 1024
_HEAD = re.compile(r"\[([^\]]{1,40})\] (D[SL]A-\d+(?:-\d+)?) (.{0,300})\Z")
_NAMES = re.compile(r"CVE-\d{4}-\d{4,19}")
_FIX = re.compile(r"\s+\[([a-z]+)\] - (\S+) (\S+)")
_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def read_debian_tracker(data: bytes, *, what: str) -> Iterator[dict[str, Any]]:
    """Give an OSV record for each issue of the tracker's JSON (`/tracker/data/json`).

    Raises:
        MalformedError: not that file.
    """
    found: dict[str, dict[str, Any]] = {}
    for package, issues in parse_json_object(data, what=what, max_bytes=_MAX_BYTES).items():
        if not isinstance(issues, dict):
            raise MalformedError(f"{what}: {package[:80]} is not an object of issues")
        for name, issue in issues.items():
            releases = issue.get("releases") if isinstance(issue, dict) else None
            if not isinstance(releases, dict):
                raise MalformedError(f"{what}: {name[:80]} of {package[:80]} names no releases")
            record = found.setdefault(
                name, {"id": name, "summary": str(issue.get("description") or ""), "affected": []}
            )
            for release, state in releases.items():
                if release in RELEASES and isinstance(state, dict):
                    record["affected"] += _tracked(package, RELEASES[release], state)
    yield from found.values()


def _tracked(package: str, number: str, state: dict[str, Any]) -> list[dict[str, Any]]:
    status, version = state.get("status"), state.get("fixed_version")
    if status == "resolved" and version == "0":  # never affected
        return []
    entry: dict[str, Any] = {"package": {"ecosystem": f"Debian:{number}", "name": package}}
    if status == "resolved" and isinstance(version, str):
        entry["ranges"] = [_below(version)]
    elif status == "open":
        entry["ranges"] = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    return [entry]  # undetermined: neither ranges nor versions, which makes it unknown


def read_debian_list(data: bytes, *, what: str) -> Iterator[dict[str, Any]]:
    """Give an OSV record for each advisory of `data/DSA/list` or `data/DLA/list`.

    Raises:
        MalformedError: a line that is none of such a list.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what}: not UTF-8") from error
    found: dict[str, dict[str, Any]] = {}
    head: re.Match[str] | None = None
    records: list[dict[str, Any]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if begun := _HEAD.match(line):
            head, records = begun, [found.setdefault(begun[2], _advisory(begun, []))]
        elif head is None or (line.strip() and not line[:1].isspace()):
            raise MalformedError(f"{what}: line {number} is not of a list of advisories: {line[:80]!r}")
        elif line.strip().startswith("{") and (names := _NAMES.findall(line)):
            # Several vulnerabilities of one advisory are not names of one another.
            found.pop(head[2], None)
            records = [found.setdefault(f"{head[2]}/{name}", _advisory(head, [name])) for name in names]
        elif (fix := _FIX.match(line)) and fix[1] in RELEASES and not fix[3].startswith("<"):
            package = {"ecosystem": f"Debian:{RELEASES[fix[1]]}", "name": fix[2]}
            for record in records:
                record["affected"].append({"package": package, "ranges": [_below(fix[3])]})
    for identifier, record in found.items():
        yield {"id": identifier, **record}


def _advisory(head: re.Match[str], names: list[str]) -> dict[str, Any]:
    return {"aliases": names, "summary": head[3].strip(), "published": _day(head[1]), "affected": []}


def _below(version: str) -> dict[str, Any]:
    return {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": version}]}


def _day(text: str) -> str:
    day, _, rest = text.partition(" ")
    month, _, year = rest.partition(" ")
    if month not in _MONTHS or not day.isdigit() or not year.isdigit():
        return ""
    return f"{int(year):04}-{_MONTHS.index(month) + 1:02}-{int(day):02}T00:00:00Z"
