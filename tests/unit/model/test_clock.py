from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from pratique.errors import MalformedError
from pratique.model.clock import format_time, parse_time


def test_times_are_written_in_utc() -> None:
    moment = datetime(2026, 11, 23, 3, 2, 1, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2026-11-23T01:02:01Z"


def test_times_are_read_whatever_their_offset() -> None:
    assert parse_time("2026-11-23T03:02:01+02:00") == datetime(2026, 11, 23, 1, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-23", "2026-11-23T01:02:03", "2026-13-01T00:00Z"])
def test_refuses_what_is_not_a_moment(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_time(text)
