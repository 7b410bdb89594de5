"""Ends of support: the operating system's own word first, then what its project has published."""

from __future__ import annotations

from datetime import date

import pytest

from pratique.model.support import end_of_support


@pytest.mark.parametrize(
    ("release", "end"),
    [
        ({"ID": "debian", "VERSION_ID": "12"}, date(2028, 6, 30)),
        ({"ID": "debian", "VERSION_ID": "12.11"}, date(2028, 6, 30)),
        ({"ID": "ubuntu", "VERSION_ID": "22.04"}, date(2027, 6, 1)),
        ({"ID": "alpine", "VERSION_ID": "3.20.3"}, date(2026, 4, 1)),
        ({"ID": "debian", "VERSION_ID": "12", "SUPPORT_END": "2031-01-02"}, date(2031, 1, 2)),
        ({"ID": "debian", "VERSION_ID": "120"}, None),
        ({"ID": "ubuntu", "VERSION_ID": "22"}, None),
        ({"ID": "plan9", "VERSION_ID": "4"}, None),
        ({}, None),
    ],
)
def test_the_end_that_is_known(release: dict[str, str], end: date | None) -> None:
    assert end_of_support(release) == end


def test_an_own_word_that_is_no_date_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="Invalid isoformat"):
        end_of_support({"ID": "debian", "VERSION_ID": "12", "SUPPORT_END": "soon"})
