"""Following a log from its published files: every round takes in what is new, and believes nothing else.

The monitor remembers the newest checkpoint it believed and the edge of that tree (`Frontier`). A round hashes
every new entry onto that edge; the log is honest exactly if that leads to the root it signed. The hash tiles,
which others take their proofs from, have to say the same. What is remembered is written only when all held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, MalformedError
from pratique.journal.layout import HASH_BYTES, WIDTH, Tile
from pratique.journal.tiles import Tiles
from pratique.journal.tree import Frontier
from pratique.journal.witness import contradiction, keep_both
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.store.atomic import locked, write_atomic
from pratique.trust.cosignature import text_of, verify_head
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.merkle import leaf_hash, verify_consistency
from pratique.trust.note import Checkpoint, parse_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

STATE_VERSION: Final = 1
MAX_STATE_BYTES: Final = 1024 * 1024
LOCK_WAIT_SECONDS: Final = 30.0
_SHOWN = 20
_HINT = (
    "keep a copy of the log as it is, and ask its operator; until it is explained, believe nothing it says"
)

Judge = Callable[[int, bytes], str]
"""Says what is wrong with a new entry, given its index and bytes; empty when nothing is."""


class Round(msgspec.Struct, frozen=True):
    """What a round found of a log that is honest so far.

    Attributes:
        before: number of entries known before; 0 in the first round.
        head: the tree head believed now.
    """

    before: int
    head: Checkpoint


class _Memory(msgspec.Struct, frozen=True):
    """What a monitor remembers: the signed note, and the edge of its tree. An empty note: nothing yet."""

    note: str = ""
    frontier: Frontier = Frontier()


def follow(
    folder: Path, *, state: Path, logs: Mapping[str, Sequence[Ed25519PublicKey]], judge: Judge | None = None
) -> Round:
    """Do one round on a log's published files.

    Args:
        folder: with the log's `checkpoint` and `tile/`.
        state: the file that remembers; made by the first round, which takes in the whole log. A lock, and
            checkpoints that contradict each other, are kept beside it.
        logs: the keys of the logs to believe, by origin.
        judge: asked about every new entry.

    Raises:
        ConfigError: the state is of another log.
        EvidenceInvalidError: a fork, a log that shrank, an entry or tile that was changed, or what the judge
            says; the message tells, and nothing new is remembered.
    """
    with locked(state.with_name(f"{state.name}.lock"), wait=LOCK_WAIT_SECONDS):
        memory = _load(state)
        tiles = Tiles(folder)
        note = tiles.checkpoint()
        if note is None:
            raise EvidenceInvalidError(f"{tiles.checkpoint_path} is missing", hint=_HINT)
        head = verify_head(note, logs)
        this = _ThisRound(tiles, state, memory, note, head)
        this.compare()
        frontier = this.take_in(judge)
        this.check_hash_tiles()
        if memory.note != note:
            _store(state, _Memory(note, frontier))
        return Round(memory.frontier.size, head)


class _ThisRound(msgspec.Struct, frozen=True):
    tiles: Tiles
    state: Path
    memory: _Memory
    note: str
    head: Checkpoint

    def compare(self) -> None:
        """Compare the published tree head with the remembered one, as far as that needs no tree."""
        if not self.memory.note:
            return
        known = parse_checkpoint(text_of(self.memory.note))
        if self.head.origin != known.origin:
            raise ConfigError(
                f"{self.state} remembers the log {known.origin}, and this is {self.head.origin}",
                hint="use one state file for each log",
            )
        if self.head.size < known.size:
            self._shout("rollback")
        if self.head.size == known.size and self.head.root != known.root:
            self._shout("fork")

    def take_in(self, judge: Judge | None) -> Frontier:
        """Hash every new entry onto the remembered edge, and see that this is the tree that was signed.

        The entries already known that share a bundle with new ones are compared again.
        """
        known = by_entries = by_tiles = self.memory.frontier
        changed: list[str] = []
        unwanted: list[str] = []
        for first in range(known.size - known.size % WIDTH, self.head.size, WIDTH):
            width = min(WIDTH, self.head.size - first)
            seen = known.levels[0] if first < known.size else ()
            entries = self.tiles.entries(Tile(None, first // WIDTH, width))
            computed = [leaf_hash(entry) for entry in entries]
            stored = [*seen, *self.tiles.hashes(Tile(0, first // WIDTH, width))[len(seen) :]]
            by_entries, _ = by_entries.extended(computed[len(seen) :])
            by_tiles, _ = by_tiles.extended(stored[len(seen) :])
            pairs = enumerate(zip(computed, stored, strict=True), first)
            changed += [f"entry {index}" for index, (ours, theirs) in pairs if ours != theirs]
            if judge is not None:
                told = [
                    judge(index, entries[index - first]) for index in range(first + len(seen), first + width)
                ]
                unwanted += filter(None, told)
        if self.head.root not in (by_entries.root, by_tiles.root):
            self._unproven()
        if changed:
            entries_hold = by_tiles.root != self.head.root
            what = "the hash tiles are wrong about" if entries_hold else "not what was logged"
            _report(self.tiles, what, changed)
        if unwanted:
            _report(self.tiles, "entries that nobody expects", unwanted)
        return by_entries

    def check_hash_tiles(self) -> None:
        """See that the upper tiles, too, say that the log only grew: others take their proofs from them."""
        known, head = self.memory.frontier, self.head
        try:
            proof = self.tiles.prove_consistency(known.size, head.size, published=head.size)
            verify_consistency(known.size, known.root, head.size, head.root, proof)
        except EvidenceInvalidError as error:
            raise EvidenceInvalidError(
                f"{self.tiles.root}: the entries are what was signed, but a hash tile over them is wrong: "
                f"{error.message}",
                hint=_HINT,
            ) from error

    def _unproven(self) -> NoReturn:
        if self.memory.frontier.size:
            self._shout("unproven", "neither its entries nor its tiles lead there")
        raise EvidenceInvalidError(
            f"{self.tiles.root}: neither the entries nor the hash tiles have the root that was signed",
            hint=_HINT,
        )

    def _shout(self, kind: str, detail: str = "") -> NoReturn:
        known = self.memory.note
        folder = self.state.with_name(f"{self.state.name}.misbehaviour")
        kept = keep_both(folder, kind, known, self.note)
        what = contradiction(kind, parse_checkpoint(text_of(known)), self.head, detail)
        raise EvidenceInvalidError(f"{what}; both checkpoints are kept in {kept}", hint=_HINT)


def _report(tiles: Tiles, what: str, problems: Sequence[str]) -> NoReturn:
    more = f"\n  … and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    listed = "\n  ".join(problems[:_SHOWN])
    raise EvidenceInvalidError(f"{tiles.root}: {what}:\n  {listed}{more}", hint=_HINT)


def _store(state: Path, memory: _Memory) -> None:
    levels = [[b64encode(item) for item in level] for level in memory.frontier.levels]
    document = {"version": STATE_VERSION, "checkpoint": memory.note, "edge": levels}
    write_atomic(state, canonical_json(document))


def _load(state: Path) -> _Memory:
    try:
        data = state.read_bytes()
    except FileNotFoundError:
        return _Memory()
    except OSError as error:
        raise InfrastructureError(f"cannot read {state}: {error.strerror}") from error
    try:
        return _parse(parse_json_object(data, what=str(state), max_bytes=MAX_STATE_BYTES))
    except MalformedError as error:
        raise EvidenceInvalidError(
            f"{state} is damaged: {error.message}", hint="restore it from a copy; without it, forks go unseen"
        ) from error


def _parse(document: dict[str, Any]) -> _Memory:
    note, edge = document.get("checkpoint"), document.get("edge")
    if document.get("version") != STATE_VERSION or not isinstance(note, str) or not isinstance(edge, list):
        raise MalformedError("not what a monitor remembers")
    levels = tuple(
        tuple(b64decode(item, what="edge") for item in level) if isinstance(level, list) else ()
        for level in edge
    )
    head = parse_checkpoint(text_of(note))
    size = sum(len(level) * WIDTH**height for height, level in enumerate(levels))
    narrow = all(len(level) < WIDTH and all(len(h) == HASH_BYTES for h in level) for level in levels)
    frontier = Frontier(size, levels)
    if not narrow or size != head.size or frontier.root != head.root:
        raise MalformedError("its edge is not that of its checkpoint's tree")
    return _Memory(note, frontier)
