"""The Merkle tree of a transparency log (RFC 6962 §2.1, RFC 9162 §2.1): hashing and proof verification.

Pure functions over bytes and integers. Making proofs is the journal's business.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pratique.errors import SignatureInvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash a leaf: SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash an inner node: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Compute the tree head that an inclusion proof leads to (RFC 9162 §2.1.3.2).

    Args:
        leaf: the entry's leaf hash.
        index: its position, from 0.
        size: number of leaves in the tree.
        proof: sibling hashes, from the leaf upward.

    Raises:
        SignatureInvalidError: the index is outside the tree, or the proof has the wrong length.
    """
    if not 0 <= index < size:
        raise SignatureInvalidError(f"inclusion proof: index {index} is outside a tree of {size}")
    position, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise SignatureInvalidError("inclusion proof: too many hashes")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise SignatureInvalidError("inclusion proof: too few hashes")
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verify that a leaf is in the tree with this head (RFC 9162 §2.1.3.2).

    Raises:
        SignatureInvalidError: it is not proven.
    """
    if not hmac.compare_digest(root_from_inclusion(leaf, index, size, proof), root):
        raise SignatureInvalidError(f"inclusion proof: entry {index} does not lead to the tree head")


def verify_consistency(
    first_size: int, first_root: bytes, second_size: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    """Verify that the second tree only appended to the first (RFC 9162 §2.1.4.2).

    Every tree continues the empty one; equal sizes need equal heads; both with an empty proof.

    Raises:
        SignatureInvalidError: it is not proven.
    """
    if not 0 <= first_size <= second_size:
        raise SignatureInvalidError(
            f"consistency proof: a tree of {second_size} cannot continue one of {first_size}"
        )
    if first_size in (0, second_size):
        _verify_trivial(first_size, first_root, second_size, second_root, proof)
        return
    path = list(proof)
    if first_size & (first_size - 1) == 0:
        path.insert(0, first_root)  # a complete first tree is itself the first node of the path
    if not path:
        raise SignatureInvalidError("consistency proof: too few hashes")
    old_root, new_root = _fold_consistency(first_size - 1, second_size - 1, path)
    if not (hmac.compare_digest(old_root, first_root) and hmac.compare_digest(new_root, second_root)):
        raise SignatureInvalidError(
            f"consistency proof: the tree of {second_size} does not continue the tree of {first_size}"
        )


def _verify_trivial(
    first_size: int, first_root: bytes, second_size: int, second_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise SignatureInvalidError("consistency proof: hashes where none are needed")
    if first_size == 0 and not hmac.compare_digest(first_root, EMPTY_ROOT):
        raise SignatureInvalidError("consistency proof: the empty tree has another head")
    if first_size == second_size and not hmac.compare_digest(first_root, second_root):
        raise SignatureInvalidError(f"consistency proof: two heads for a tree of {first_size}")


def _fold_consistency(position: int, last: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    while position & 1:
        position, last = position >> 1, last >> 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise SignatureInvalidError("consistency proof: too many hashes")
        if position & 1 or position == last:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_root = node_hash(new_root, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise SignatureInvalidError("consistency proof: too few hashes")
    return old_root, new_root
