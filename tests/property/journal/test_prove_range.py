"""Proofs of a run of entries, made at once, against RFC 6962's own recursion for each of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rfc6962 import mth, path

from pratique.journal.tree import prove_range
from pratique.trust.merkle import leaf_hash


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int, int]:
    size = draw(st.integers(1, 600))
    start = draw(st.integers(0, size - 1))
    return start, draw(st.integers(start + 1, size)), size


@given(runs())
def test_each_proof_is_the_one_of_the_rfc(run: tuple[int, int, int]) -> None:
    start, end, size = run
    entries = [b"%d" % n for n in range(size)]

    def node(height: int, position: int) -> bytes:
        return mth(entries[position << height : (position + 1) << height])

    root, proofs = prove_range(node, [leaf_hash(item) for item in entries[start:end]], start, size)
    assert root == mth(entries)
    assert len(proofs) == end - start
    for index in {start, (start + end) // 2, end - 1} - {end}:
        assert list(proofs[index - start]) == path(index, entries)


@given(runs(), st.data())
def test_a_wrong_node_beside_the_run_leads_to_another_root(
    run: tuple[int, int, int], data: st.DataObject
) -> None:
    start, end, size = run
    entries = [b"%d" % n for n in range(size)]
    leaves = [leaf_hash(item) for item in entries[start:end]]
    beside = [n for n in range(size) if not start <= n < end]
    if not beside:
        return
    damaged = list(entries)
    damaged[data.draw(st.sampled_from(beside))] = b"damaged"

    def node(height: int, position: int) -> bytes:
        return mth(damaged[position << height : (position + 1) << height])

    assert prove_range(node, leaves, start, size)[0] != mth(entries)
