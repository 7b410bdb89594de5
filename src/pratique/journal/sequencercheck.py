"""Check the sequencer against a log that verifies without it: what it has must be what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError, PratiqueError
from pratique.model.digest import Digest
from pratique.store.sqlite import reading
from pratique.trust.merkle import leaf_hash
from pratique.trust.note import Checkpoint, verify_checkpoint

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.journal.tilecheck import Tree


def expected_bundles(path: Path) -> dict[int, Digest]:
    """Give the bundle digests that the sequencer noted, by entry; nothing when it cannot be read."""
    if not path.exists():
        return {}
    try:
        with reading(path) as connection:
            rows = connection.execute("SELECT position, bundle FROM entries")
            return {position: Digest(bundle.hex()) for position, bundle in rows}
    except PratiqueError:
        return {}


def check_sequencer(
    path: Path, tree: Tree, checkpoint: Checkpoint, keys: Sequence[Ed25519PublicKey]
) -> list[str]:
    """Compare the sequencer with a verified checkpoint and its entries.

    A sequencer that is ahead is in order (the next writer publishes the rest); one that is behind is not. A
    copy of the log may lack it: then there is nothing to say.

    Returns:
        what is wrong, one sentence for each entry or head.
    """
    if not path.exists():
        return []
    try:
        with reading(path) as connection:
            (state,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if state != "ok":
                return [f"{path} is damaged: {state}"]
            problems = _check_entries(connection, tree.leaves) + _check_heads(
                connection, tree, checkpoint, keys
            )
    except PratiqueError as error:
        return [error.message]
    return [f"{path}: {problem}" for problem in problems]


def _check_entries(connection: sqlite3.Connection, leaves: Sequence[bytes]) -> list[str]:
    rows = connection.execute(
        "SELECT position, leaf FROM entries WHERE position < ? ORDER BY position", (len(leaves),)
    )
    problems = []
    found = {position: leaf_hash(leaf) for position, leaf in rows}
    for position, leaf in enumerate(leaves):
        if position not in found:
            problems.append(f"entry {position} of the log is missing in it")
        elif found[position] != leaf:
            problems.append(f"its entry {position} is not the one in the log")
    return problems


def _check_heads(
    connection: sqlite3.Connection, tree: Tree, checkpoint: Checkpoint, keys: Sequence[Ed25519PublicKey]
) -> list[str]:
    problems = []
    newest = -1
    for size, root, text in connection.execute("SELECT size, root, checkpoint FROM heads ORDER BY size"):
        newest = size
        try:
            signed = verify_checkpoint(text, checkpoint.origin, *keys)
        except EvidenceInvalidError as error:
            problems.append(f"its head of size {size}: {error.message}")
            continue
        if (signed.size, signed.root) != (size, root):
            problems.append(f"its head of size {size} is not the one it signed")
        elif size <= checkpoint.size and (problem := tree.root_problem(size, root)):
            problems.append(f"its head of size {size}: {problem}")
    if newest < checkpoint.size:
        problems.append(f"it is at size {newest}, the published checkpoint at {checkpoint.size}: an old copy")
    return problems
