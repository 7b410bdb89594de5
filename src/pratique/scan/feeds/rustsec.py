"""RustSec's advisories: TOML at the head of a Markdown file (RustSec/advisory-db, README and EXAMPLE).

RustSec lists what is *not* affected (`patched`, `unaffected`), as Cargo's version requirements; what is left
between is affected. Informational advisories (unmaintained, notices) are no vulnerabilities: nothing is said
to be affected by them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.scan.orders.encoding import UnorderableError
from pratique.scan.orders.semver import semver_key
from pratique.scan.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FRONT = re.compile(r"\A\s*```toml\s*\n(.*?)\n```", re.DOTALL)
_TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)
_NUMBER = r"(?:\.(\d{1,15}|\*))?"
_BOUND = re.compile(
    rf"(>=|<=|>|<|=|\^|~)?\s*(\d{{1,15}}){_NUMBER}{_NUMBER}(-[0-9A-Za-z.-]+)?(?:\+\S*)?\Z", re.ASCII
)
_LOWEST: Final = "0.0.0-0"

_FULL: Final = 3
Span = tuple[str, str | None]
"""From a version on, up to but without another; None is no end."""


def read_rustsec(data: bytes, *, what: str) -> Iterator[dict[str, Any]]:
    """Give the one OSV record of a file.

    Raises:
        MalformedError: not such a file.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what}: not UTF-8") from error
    front = _FRONT.match(text)
    if not front:
        raise MalformedError(f"{what}: no TOML at its head")
    try:
        document = parse_toml(front[1])
    except ValueError as error:
        raise MalformedError(f"{what}: {error}") from error
    head, versions = document.get("advisory"), document.get("versions", {})
    if not isinstance(head, dict) or not isinstance(versions, dict):
        raise MalformedError(f"{what}: no table [advisory]")
    title = _TITLE.search(text, front.end())
    affected: dict[str, Any] = {"package": {"ecosystem": "crates" + ".io", "name": head.get("package")}}
    try:
        affected["ranges"] = [{"type": "SEMVER", "events": _events(versions)}]
    except (UnorderableError, TypeError) as error:
        affected["ranges"] = [{"type": "SEMVER", "events": [{"unreadable": str(error)}]}]
    vector = head.get("cvss")
    yield {
        "id": head.get("id"),
        "aliases": head.get("aliases", []),
        "summary": title[1].strip() if title else "",
        "published": f"{head.get('date')}T00:00:00Z",
        "affected": [] if head.get("informational") else [affected],
        "severity": [{"type": "CVSS_V3", "score": vector}] if isinstance(vector, str) else [],
        "withdrawn": str(head["withdrawn"]) if "withdrawn" in head else None,
    }


def _events(versions: dict[str, Any]) -> list[dict[str, str]]:
    spared = [
        span
        for key in ("patched", "unaffected")
        for requirement in versions.get(key, [])
        for span in [_span(requirement)]
        if span
    ]
    events: list[dict[str, str]] = []
    at = _LOWEST
    for low, high in sorted(spared, key=lambda span: semver_key(span[0])):
        if semver_key(low) > semver_key(at):
            events += [{"introduced": "0" if at == _LOWEST else at}, {"fixed": low}]
        if high is None:
            return events or [{"introduced": "0"}, {"fixed": "0.0.0-0"}]
        at = max(at, high, key=semver_key)
    return [*events, {"introduced": "0" if at == _LOWEST else at}]


def _span(requirement: str) -> Span | None:
    """Give the versions that meet every part of a requirement; None where none can."""
    low, high = _LOWEST, None
    for part in requirement.split(","):
        first, last = _bounds(part.strip())
        low = max(low, first, key=semver_key)
        if last is not None:
            high = last if high is None else min(high, last, key=semver_key)
    return None if high is not None and semver_key(low) >= semver_key(high) else (low, high)


def _bounds(part: str) -> Span:
    found = _BOUND.match(part)
    if not found:
        if part == "*":
            return _LOWEST, None
        raise UnorderableError(f"{part[:40]!r} is no version requirement")
    sign, *given, pre = found.groups()
    numbers = [int(text) for text in given if text and text != "*"]
    base = _text(numbers) + (pre or "")
    # What comes after all that is written: of `1.2` all of 1.2, of `1.2.3` that version alone.
    after = _after(base) if len(numbers) == _FULL else _bumped(numbers, len(numbers) - 1)
    # A caret, or nothing, goes up to where the leftmost number that is not 0 changes.
    leftmost = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
    spans: dict[str | None, Span] = {
        ">=": (base, None),
        ">": (after, None),
        "<": (_LOWEST, base),
        "<=": (_LOWEST, after),
        "=": (base, after),
        "~": (base, _bumped(numbers, min(1, len(numbers) - 1))),
    }
    return spans.get(sign, (base, _bumped(numbers, leftmost)))


def _text(numbers: Sequence[int]) -> str:
    return ".".join(str(number) for number in [*numbers, 0, 0][:3])


def _bumped(numbers: Sequence[int], place: int) -> str:
    return _text([*numbers[:place], numbers[place] + 1])


def _after(version: str) -> str:
    """Give the first version after one: SemVer has no number between, only a longer pre-release."""
    if "-" in version:
        return version + ".0"
    major, minor, patch = version.split(".")
    return f"{major}.{minor}.{int(patch) + 1}-0"
