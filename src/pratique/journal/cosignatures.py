"""What witnesses said about this log: cosigned checkpoints, kept beside it.

    <home>/journal/cosignatures/<key id>/vkey     a witness's verifier key, as it was given here
    <home>/journal/cosignatures/<key id>/<size>   the checkpoint of that size with the witness's cosignature

Each file stands for itself: a signed note that anyone who knows log and witness can verify.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError, InfrastructureError, SignatureInvalidError, UsageError
from pratique.store.atomic import write_all_atomic
from pratique.trust.cosignature import (
    VerifierKey,
    log_vkey,
    parse_vkey,
    trimmed,
    verify_cosignatures,
    verify_head,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.journal.journal import Journal


class Held(msgspec.Struct, frozen=True):
    """One cosignature that is kept here, verified.

    Attributes:
        size: the size of the tree cosigned.
        root: its 32-byte root hash.
        witness: by whom.
        timestamp: when, by the witness's clock, in seconds since the epoch.
        note: the checkpoint with the log's signature and this cosignature.
    """

    size: int
    root: bytes
    witness: VerifierKey
    timestamp: int
    note: str


class Cosignatures:
    """The cosignatures collected for one log. Making the object touches nothing."""

    def __init__(self, home: Path, origin: str, key: Ed25519PublicKey) -> None:
        self.folder = home / "journal" / "cosignatures"
        self._logs = {origin: [key]}
        self._log = log_vkey(origin, key)

    def collect(self, note: str, witnesses: Sequence[VerifierKey], journal: Journal) -> list[Held]:
        """Keep what these witnesses cosigned, if it is of this log's own tree.

        Args:
            note: a cosigned checkpoint.
            witnesses: who is known; lines of others are dropped.
            journal: the log.

        Raises:
            MalformedError: not a signed checkpoint.
            SignatureInvalidError: not this log's, or with a bad cosignature.
            UsageError: none of these witnesses cosigned it.
            EvidenceInvalidError: this log never had that tree: its key signed another history.
        """
        head = verify_head(note, self._logs)
        size = journal.head().size
        if head.size > size or journal.tiles.root_at(head.size, published=size) != head.root:
            raise EvidenceInvalidError(
                f"FORK: the key of {head.origin} signed a tree of {head.size} entries with root "
                f"{head.root.hex()}, which this log never had",
                hint="somebody else holds this log's key, or this folder was restored from an old copy",
            )
        found = verify_cosignatures(note, witnesses)
        if not found:
            names = ", ".join(witness.name for witness in witnesses)
            raise UsageError(f"nobody known here cosigned this checkpoint: {names}")
        held = [
            Held(head.size, head.root, item.witness, item.timestamp, trimmed(note, [self._log, item.witness]))
            for item in found
        ]
        write_all_atomic(list(self._files(held)))
        return held

    def held(self) -> list[Held]:
        """Give everything collected, verified again; largest size first, then by name.

        Raises:
            EvidenceInvalidError: a file was damaged; the message names it.
        """
        found: list[Held] = []
        for path in sorted(self.folder.glob("*/vkey")):
            witness = _parsed_vkey(path)
            files = (file for file in path.parent.iterdir() if file.name.isdecimal())
            found += [self._read(file, witness) for file in files]
        return sorted(found, key=lambda item: (-item.size, item.witness.name))

    def best(self, index: int) -> str | None:
        """Give the checkpoint over an entry that most witnesses cosigned, the newest of such; None if none.

        Raises:
            EvidenceInvalidError: as `held`.
        """
        sizes: dict[int, list[Held]] = {}
        for item in self.held():
            if item.size > index:
                sizes.setdefault(item.size, []).append(item)
        if not sizes:
            return None
        _, chosen = max(sizes.items(), key=lambda pair: (len(pair[1]), pair[0]))
        lines = [item.note.rpartition("\n\n")[2].splitlines(keepends=True) for item in chosen]
        signatures = dict.fromkeys(line for block in lines for line in block)
        return f"{chosen[0].note.rpartition(chr(10) * 2)[0]}\n\n{''.join(signatures)}"

    def _files(self, held: Iterable[Held]) -> Iterable[tuple[Path, bytes]]:
        for item in held:
            folder = self.folder / item.witness.key_id.hex()
            vkey = folder / "vkey"
            if vkey.exists() and _parsed_vkey(vkey) != item.witness:
                raise SignatureInvalidError(f"{vkey} is of another witness than {item.witness.name}")
            yield vkey, f"{item.witness}\n".encode()
            yield folder / str(item.size), item.note.encode()

    def _read(self, path: Path, witness: VerifierKey) -> Held:
        note = _text(path)
        try:
            head = verify_head(note, self._logs)
            (made,) = verify_cosignatures(note, [witness])
        except (EvidenceInvalidError, ValueError) as error:
            raise EvidenceInvalidError(f"{path} is damaged: {error}", hint=f"delete it: rm {path}") from error
        return Held(head.size, head.root, witness, made.timestamp, note)


def _parsed_vkey(path: Path) -> VerifierKey:
    try:
        return parse_vkey(_text(path).removesuffix("\n"))
    except EvidenceInvalidError as error:
        raise EvidenceInvalidError(f"{path} is damaged: {error.message}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceInvalidError(f"{path} is damaged: not UTF-8 text") from error
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
