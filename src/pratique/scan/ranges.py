"""Affected ranges: the OSV schema's evaluation algorithm, worked out once into intervals of version keys.

OSV Schema 1.7, "Evaluation": sort a range's events by version; from an `introduced` event on a version is
affected, from a `fixed` event on it is not, after a `last_affected` event it is not; and it must lie before
some `limit` where there is one. Doing that once, at import, leaves two comparisons a match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.scan.versions import LOWEST, UnorderableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ORDER = {"fixed": 0, "introduced": 1, "last_affected": 2}


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """Affected versions `low <= version < high`, or `<= high` where `closed`; no `high` means all later ones.

    `low` and `high` are version keys; the texts are the advisory's own.
    """

    low: bytes
    high: bytes | None
    closed: bool
    low_text: str
    high_text: str

    def contains(self, key: bytes) -> bool:
        """Tell whether a version key lies inside."""
        if key < self.low:
            return False
        return self.high is None or key < self.high or (self.closed and key == self.high)

    @property
    def text(self) -> str:
        """Write it for people: `>=0.39.0,<0.49.1`."""
        parts = [] if self.low_text == "0" else [f">={self.low_text}"]
        if self.high is not None:
            parts.append(f"{'<=' if self.closed else '<'}{self.high_text}")
        return ",".join(parts) or "all versions"

    @property
    def fixed(self) -> str:
        """The first version after it that is not affected, or empty when the advisory names none."""
        return "" if self.closed or self.high is None else self.high_text


def intervals(events: Sequence[Any], version_key: Callable[[str], bytes]) -> tuple[Interval, ...]:
    """Work out one range's events.

    Raises:
        UnorderableError: an event that is not understood, or whose version cannot be ordered.
    """
    steps: list[tuple[bytes, int, str, str]] = []
    limits: list[tuple[bytes, str]] = []
    unlimited = False
    for event in events:
        if not isinstance(event, dict) or len(event) != 1:
            raise UnorderableError("an event that is not one of introduced, fixed, last_affected, limit")
        ((kind, text),) = event.items()
        if not isinstance(text, str) or (kind not in _ORDER and kind != "limit"):
            raise UnorderableError(f"an event of unknown kind {str(kind)[:40]!r}")
        if kind == "limit":
            unlimited = unlimited or text == "*"
            limits += [] if text == "*" else [(version_key(text), text)]
            continue
        key = LOWEST if text == "0" and kind == "introduced" else version_key(text)
        steps.append((key, _ORDER[kind], kind, text))
    if not any(kind == "introduced" for _, _, kind, _ in steps):
        raise UnorderableError("a range without an introduced event")
    limit = max(limits) if limits and not unlimited else None
    return tuple(clipped for found in _walk(sorted(steps)) if (clipped := _clip(found, limit)) is not None)


def _walk(steps: Sequence[tuple[bytes, int, str, str]]) -> list[Interval]:
    found: list[Interval] = []
    opened: tuple[bytes, str] | None = None
    for key, _, kind, text in steps:
        if kind == "introduced":
            opened = opened or (key, text)
        elif opened:
            found.append(Interval(opened[0], key, kind == "last_affected", opened[1], text))
            opened = None
    if opened:
        found.append(Interval(opened[0], None, False, opened[1], ""))  # noqa: FBT003 - array-like struct
    return found


def _clip(interval: Interval, limit: tuple[bytes, str] | None) -> Interval | None:
    if limit is None:
        return interval
    key, text = limit
    if interval.low >= key:
        return None
    if interval.high is not None and interval.high < key:
        return interval
    return Interval(interval.low, key, False, interval.low_text, text)  # noqa: FBT003 - array-like struct
