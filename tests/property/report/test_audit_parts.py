"""Laws of the package's parts: the log's packing and heads as defined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.report.audit.log import pack_entries, prefix_roots, unpack_entries
from pratique.testing.authority import tree_root
from pratique.trust.merkle import leaf_hash

leaves = st.lists(st.binary(max_size=40), max_size=600)


@given(leaves)
def test_entries_read_back(given_leaves: list[bytes]) -> None:
    packed = pack_entries(given_leaves)
    assert unpack_entries({name.removeprefix("entries/"): data for name, data in packed.items()}) == tuple(
        given_leaves
    )


@given(leaves, st.sets(st.integers(0, 600), max_size=6))
def test_heads_of_prefixes_are_those_of_the_definition(given_leaves: list[bytes], sizes: set[int]) -> None:
    hashes = [leaf_hash(leaf) for leaf in given_leaves]
    expected = {size: tree_root(hashes[:size]) for size in sizes if size <= len(hashes)}
    assert prefix_roots(given_leaves, sizes) == expected


@pytest.mark.parametrize(
    "entries",
    [
        {"000000000001": b"\0\0"},
        {"000000000000": b"\0"},
        {"000000000000": b"\0\x05abc"},
        {"000000000000": b"\0\0", "000000000001": b"\0\0"},
        {"000000000000": b"\0\0" * 257},
        {"000000000000": b""},
    ],
)
def test_another_packing_of_entries_is_refused(entries: dict[str, bytes]) -> None:
    with pytest.raises(MalformedError, match=r"entries"):
        unpack_entries(entries)


def test_an_entry_too_long_to_pack_is_refused() -> None:
    with pytest.raises(MalformedError, match="longer than 65535 bytes"):
        pack_entries([bytes(65536)])
