"""Time is a parameter: whatever needs the time takes a `Clock`, and evidence carries it in one form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pratique.errors import MalformedError

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Give the machine's time in UTC and whole seconds: finer than any policy needs, and comparable."""
    return datetime.now(UTC).replace(microsecond=0)


def format_time(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC, seconds resolution: `2026-11-23T01:02:03Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Parse an RFC 3339 time.

    Raises:
        MalformedError: not a time, or a time without an offset.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedError(f"not an RFC 3339 time: {text[:40]!r}") from error
    if moment.tzinfo is None:
        raise MalformedError(f"a time without an offset: {text[:40]!r}")
    return moment.astimezone(UTC)
