"""Proof verification against trees and proofs computed the slow way that RFC 6962 §2.1 defines them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import SignatureInvalidError
from pratique.testing.authority import consistency_path, inclusion_path, tree_root
from pratique.trust.merkle import leaf_hash, verify_consistency, verify_inclusion

LEAVES = [leaf_hash(number.to_bytes(2)) for number in range(70)]
ROOTS = [tree_root(LEAVES[:size]) for size in range(len(LEAVES) + 1)]
sizes = st.integers(1, len(LEAVES))


def test_every_inclusion_in_small_trees() -> None:
    for size in range(1, 40):
        for index in range(size):
            verify_inclusion(LEAVES[index], index, size, inclusion_path(LEAVES[:size], index), ROOTS[size])


def test_every_consistency_between_small_trees() -> None:
    for second in range(40):
        for first in range(second + 1):
            verify_consistency(
                first, ROOTS[first], second, ROOTS[second], consistency_path(LEAVES[:second], first)
            )


@given(st.data(), sizes)
def test_inclusion_of_anything_else_is_refused(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(LEAVES[:size], index)
    root = ROOTS[size]
    wrong = data.draw(st.integers(0, size - 1).filter(lambda other: other != index)) if size > 1 else size
    for leaf, place in ((LEAVES[index], wrong), (leaf_hash(b"other"), index), (LEAVES[index], -1)):
        with pytest.raises(SignatureInvalidError):
            verify_inclusion(leaf, place, size, path, root)
    for changed in _changes(data, path):
        with pytest.raises(SignatureInvalidError):
            verify_inclusion(LEAVES[index], index, size, changed, root)


@given(st.data(), sizes)
def test_other_histories_are_refused(data: st.DataObject, second: int) -> None:
    first = data.draw(st.integers(1, second))
    path = consistency_path(LEAVES[:second], first)
    for changed in _changes(data, path):
        with pytest.raises(SignatureInvalidError):
            verify_consistency(first, ROOTS[first], second, ROOTS[second], changed)
    fork = tree_root([*LEAVES[: first - 1], leaf_hash(b"fork")])
    for old, new in ((fork, ROOTS[second]), (ROOTS[first], fork)):
        with pytest.raises(SignatureInvalidError):
            verify_consistency(first, old, second, new, path)


def _changes(data: st.DataObject, path: list[bytes]) -> list[list[bytes]]:
    """A hash more at either end, and if there are any: one less at either end, one changed, two swapped."""
    extra = leaf_hash(b"extra")
    changes = [[*path, extra], [extra, *path]]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        changes += [path[1:], path[:-1], [*path[:at], extra, *path[at + 1 :]]]
    if len(path) > 1:
        changes.append([path[1], path[0], *path[2:]])
    return changes


@pytest.mark.parametrize(
    ("first", "second", "proof"),
    [(5, 4, []), (-1, 4, []), (0, 4, [b"x" * 32]), (4, 4, [b"x" * 32]), (3, 7, []), (4, 7, [])],
)
def test_impossible_consistency(first: int, second: int, proof: list[bytes]) -> None:
    with pytest.raises(SignatureInvalidError):
        verify_consistency(first, ROOTS[first], second, ROOTS[second], proof)


def test_two_heads_for_one_size() -> None:
    with pytest.raises(SignatureInvalidError, match="two heads"):
        verify_consistency(4, ROOTS[4], 4, ROOTS[5], [])
    with pytest.raises(SignatureInvalidError, match="empty tree"):
        verify_consistency(0, ROOTS[1], 4, ROOTS[4], [])
