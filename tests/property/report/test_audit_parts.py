"""Laws of the package's parts: one encoding of an archive, the log's packing and heads as defined."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.report.audit import tar
from pratique.report.audit.log import pack_entries, prefix_roots, unpack_entries
from pratique.testing.authority import tree_root
from pratique.trust.merkle import leaf_hash

names = st.from_regex(r"[A-Za-z0-9_.]{1,40}(/[A-Za-z0-9_.]{1,40})?", fullmatch=True)
members = st.lists(st.builds(tar.Member, name=names, data=st.binary(max_size=1200)), max_size=5)
leaves = st.lists(st.binary(max_size=40), max_size=600)


@given(members)
def test_an_archive_reads_back(given_members: list[tar.Member]) -> None:
    assert tar.parse(tar.encode(given_members) + tar.END) == given_members


@given(members, st.integers(0, 10_000), st.integers(1, 255))
def test_what_is_accepted_has_no_other_spelling(given_members: list[tar.Member], at: int, mask: int) -> None:
    data = bytearray(tar.encode(given_members) + tar.END)
    data[at % len(data)] ^= mask
    with contextlib.suppress(MalformedError):
        assert tar.encode(tar.parse(bytes(data))) + tar.END == data


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
