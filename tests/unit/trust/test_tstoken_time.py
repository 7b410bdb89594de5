"""The time in a timestamp token, as X.690 §11.7 writes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pratique.errors import MalformedError
from pratique.trust.tstoken import _time


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [(b"Z", 0), (b".5Z", 500_000), (b".000001Z", 1), (b".123456Z", 123_456), (b".999999999Z", 999_999)],
)
def test_fractions(text: bytes, microsecond: int) -> None:
    assert _time(b"20261126160259" + text) == datetime(2026, 11, 26, 16, 2, 59, microsecond, UTC)


@pytest.mark.parametrize(
    "text",
    [
        b"20261126160260Z",
        b"20261126240000Z",
        b"20261326160259Z",
        b"20260230160259Z",
        b"00001126160259Z",
    ],
)
def test_times_that_are_none(text: bytes) -> None:
    with pytest.raises(MalformedError, match="is none"):
        _time(text)


@pytest.mark.parametrize(
    "text",
    [b"202611261602Z", b"20261126160259", b"20261126160259+0000", b"20261126160259.Z", b"20261126160259Z\n"],
)
def test_forms_that_are_not_der(text: bytes) -> None:
    with pytest.raises(MalformedError, match="DER form"):
        _time(text)
