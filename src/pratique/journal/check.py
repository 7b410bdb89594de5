"""Check a log from its files alone: every entry, tile, bundle, and the checkpoint over them.

Nothing that the journal says about itself is believed. The entries are hashed anew into a tree; the tree must
have the root that the log's key signed; every tile must be the one that this tree has; and every entry must
have a bundle among the blobs that rebuilds to it and proves its place. A copy of the folders is enough, on
any machine that has the log's public key. What the sequencer says is checked too where there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.journal.bundlecheck import check_bundles
from pratique.journal.sequencercheck import check_sequencer, expected_bundles
from pratique.journal.tilecheck import check_tiles
from pratique.journal.tiles import Tiles
from pratique.trust.note import Checkpoint, verify_checkpoint
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.store.blobs import BlobStore
    from pratique.trust.root import TrustedRoot

_SHOWN = 20


class LogReport(msgspec.Struct, frozen=True):
    """What was found of a log that is whole.

    Attributes:
        origin: the log's name.
        size: number of entries, each with its bundle.
        root: 32-byte root hash.
    """

    origin: str
    size: int
    root: bytes


def verify_log(journal: Path, *, root: TrustedRoot, blobs: BlobStore) -> LogReport:
    """Verify a journal folder, here or copied from elsewhere, against a trusted root.

    Run it while nobody appends (`Journal.verify` sees to that): an entry whose bundle is still being made is
    an entry without a bundle.

    Args:
        journal: the folder with `tiles/`, and perhaps `sequencer.sqlite`.
        root: names the logs to believe; the one whose key signed the checkpoint is taken.
        blobs: where the bundles are.

    Raises:
        EvidenceInvalidError: something is missing, damaged or contradictory; the message names every tile,
            entry and digest concerned (the first twenty).
    """
    tiles = Tiles(journal / "tiles")
    failures: list[str] = []
    for origin in dict.fromkeys(log.origin for log in root.tlogs):
        try:
            keys = [log_public_key(log) for log in root.tlogs if log.origin == origin]
            checkpoint = _checkpoint(tiles, origin, keys)
        except EvidenceInvalidError as error:
            failures.append(error.message)
            continue
        return _verify(journal, checkpoint, keys, blobs)
    raise EvidenceInvalidError(
        "; ".join(failures) or "the trusted root knows no log",
        hint="is this the trusted root of this journal?",
    )


def verify_log_with_key(
    journal: Path, *, origin: str, keys: Sequence[Ed25519PublicKey], blobs: BlobStore
) -> LogReport:
    """Verify a journal folder against the name and the keys that its log has and had; see `verify_log`.

    Raises:
        EvidenceInvalidError: as `verify_log`.
    """
    checkpoint = _checkpoint(Tiles(journal / "tiles"), origin, keys)
    return _verify(journal, checkpoint, keys, blobs)


def _checkpoint(tiles: Tiles, origin: str, keys: Sequence[Ed25519PublicKey]) -> Checkpoint:
    text = tiles.checkpoint()
    if text is None:
        raise EvidenceInvalidError(f"{tiles.checkpoint_path} is missing")
    try:
        return verify_checkpoint(text, origin, *keys)
    except EvidenceInvalidError as error:
        raise EvidenceInvalidError(f"{tiles.checkpoint_path}: {error.message}") from error


def _verify(
    journal: Path, checkpoint: Checkpoint, keys: Sequence[Ed25519PublicKey], blobs: BlobStore
) -> LogReport:
    sequencer = journal / "sequencer.sqlite"
    found = check_tiles(Tiles(journal / "tiles"), checkpoint)
    problems = [
        *found.problems,
        *check_sequencer(sequencer, found.tree, checkpoint, keys),
        *check_bundles(found.tree, checkpoint, keys, blobs=blobs, expected=expected_bundles(sequencer)),
    ]
    if problems:
        more = f"\n  … and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        listed = "\n  ".join(problems[:_SHOWN])
        raise EvidenceInvalidError(
            f"the log in {journal} does not verify:\n  {listed}{more}",
            hint="restore what is named from a copy; `pratique log repair` renders missing tiles",
        )
    return LogReport(checkpoint.origin, checkpoint.size, checkpoint.root)
