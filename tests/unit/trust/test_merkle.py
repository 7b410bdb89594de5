from __future__ import annotations

import pytest

from pratique.errors import SignatureInvalidError
from pratique.testing.authority import consistency_path, inclusion_path, tree_root
from pratique.trust.merkle import leaf_hash, root_from_inclusion, verify_consistency

LEAVES = [leaf_hash(bytes([number])) for number in range(7)]


@pytest.mark.parametrize("index", range(7))
def test_an_inclusion_proof_has_one_length(index: int) -> None:
    """Also where the caller compares the root: a proof of another length leads nowhere at all."""
    path = inclusion_path(LEAVES, index)
    assert root_from_inclusion(LEAVES[index], index, 7, path) == tree_root(LEAVES)
    with pytest.raises(SignatureInvalidError, match="too many hashes"):
        root_from_inclusion(LEAVES[index], index, 7, [*path, LEAVES[0]])
    with pytest.raises(SignatureInvalidError, match="too few hashes"):
        root_from_inclusion(LEAVES[index], index, 7, path[:-1])


@pytest.mark.parametrize("first", range(1, 7))
def test_a_consistency_proof_has_one_length(first: int) -> None:
    old, new, path = tree_root(LEAVES[:first]), tree_root(LEAVES), consistency_path(LEAVES, first)
    verify_consistency(first, old, 7, new, path)
    with pytest.raises(SignatureInvalidError, match="too many hashes"):
        verify_consistency(first, old, 7, new, [*path, LEAVES[0]])
    with pytest.raises(SignatureInvalidError, match="too few hashes"):
        verify_consistency(first, old, 7, new, path[:-1])
