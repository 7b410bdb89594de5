"""What the policy verbs say before anything heavy is loaded is what the rooms they speak of have."""

from __future__ import annotations

import pytest

from pratique.cli.commands.policy import PROFILES, parse_data
from pratique.errors import UsageError
from pratique.policy import shipped


def test_the_profiles_are_the_shipped_ones() -> None:
    assert PROFILES == shipped.PROFILES


def test_settings_become_nested_data() -> None:
    found = parse_data(
        ("vulns.threshold=medium", "vulns.max_database_age_days=7", "custom.a.b=[1]", 'custom.c="1"')
    )
    assert found == {
        "vulns": {"threshold": "medium", "max_database_age_days": 7},
        "custom": {"a": {"b": [1]}, "c": "1"},
    }


@pytest.mark.parametrize("wrong", [("a",), ("=1",), ("a..b=1",), ("a=1", "a.b=2")])
def test_settings_that_are_none_are_refused(wrong: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--data"):
        parse_data(wrong)
