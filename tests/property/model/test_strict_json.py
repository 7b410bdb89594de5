"""The strict reader agrees with Python's own wherever it accepts, and reads back what we write."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json, parse_json

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(_VALUES)
def test_reads_back_what_is_written(value: object) -> None:
    assert parse_json(canonical_json(value), what="x") == value


@given(_VALUES)
def test_agrees_with_the_standard_reader(value: object) -> None:
    assert parse_json(json.dumps(value, indent=1).encode(), what="x") == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_nothing_else(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        parse_json(data, what="x")
