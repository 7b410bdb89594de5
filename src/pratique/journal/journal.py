"""The journal: evidence goes in once, in order, for ever; everything else is derived from it.

In the state folder ("home"): `journal/sequencer.sqlite` (what comes when), `journal/tiles/` (the log as
anyone may read it), the bundles among the blobs, and `index.sqlite` (a projection). The one writer holds
`journal/lock`; readers hold nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from pratique.errors import UsageError
from pratique.journal.index import EvidenceRef, Index
from pratique.journal.published import Publisher
from pratique.journal.tiles import Tiles
from pratique.journal.writer import Admitted, BareEntry, Recorded, Writer, admit
from pratique.store.atomic import LockBusyError, locked
from pratique.trust.note import Checkpoint, verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from pratique.journal.check import LogReport
    from pratique.model.digest import Digest
    from pratique.store.blobs import BlobStore
    from pratique.store.objects import Objects
    from pratique.trust.bundle import Signed

LOCK_WAIT_SECONDS = 60.0


class Journal:
    """One log with its evidence. Get one from `open`; use it as a context manager, or `close` it.

    Safe to share between threads. Other processes may append to the same home at the same time.
    """

    def __init__(
        self,
        home: Path,
        *,
        log_key: Ed25519PrivateKey,
        origin: str,
        blobs: BlobStore,
        objects: Objects | None = None,
        former: Sequence[Ed25519PublicKey] = (),
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        folder = home / "journal"
        self.origin = origin
        self.blobs = blobs
        self.tiles = Tiles(folder / "tiles")
        self.index = Index(home / "index.sqlite")
        self._lock = folder / "lock"
        self._public_key = log_key.public_key()
        self._former = tuple(former)
        self._guard = guard
        self._writer = Writer(
            sequencer=folder / "sequencer.sqlite",
            tiles=self.tiles,
            index=self.index,
            blobs=blobs,
            origin=origin,
            key=log_key,
            former=self._former,
        )
        self._publisher = (
            None
            if objects is None
            else Publisher(objects, self.tiles, origin=origin, keys=(self._public_key, *self._former))
        )

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        log_key: Ed25519PrivateKey,
        origin: str,
        blobs: BlobStore,
        objects: Objects | None = None,
        former: Sequence[Ed25519PublicKey] = (),
        guard: Callable[[], None] = lambda: None,
    ) -> Self:
        """Open the journal of a state folder; begin one where there is none, recover one that was cut short.

        While another process is writing, what it has published so far is opened as it is.

        Args:
            home: the state folder.
            log_key: the key that signs checkpoints.
            origin: the log's name in checkpoints, the bare host name of its URL.
            blobs: where bundles are kept.
            objects: object storage where the log is published too; every append waits for it.
            former: keys that signed its checkpoints before this one.
            guard: called under the lock before every append; raises when what is to be appended would not
                count any more.

        Raises:
            EvidenceInvalidError: the files contradict each other; see `recover`.
            InfrastructureError: the disk refused, or the lock was not free and nothing can be read yet.
        """
        journal = cls(
            home, log_key=log_key, origin=origin, blobs=blobs, objects=objects, former=former, guard=guard
        )
        try:
            journal._open()
        except BaseException:
            journal.close()
            raise
        return journal

    def _open(self) -> None:
        if self._writer.is_settled():
            return
        readable = self.tiles.checkpoint() is not None and self.index.size() is not None
        try:
            with locked(self._lock, wait=0 if readable else LOCK_WAIT_SECONDS):
                self._writer.recover()
        except LockBusyError:
            if not readable:
                raise

    def close(self) -> None:
        """Close the sequencer's file; nothing is lost without it."""
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, signed: Sequence[Signed | BareEntry]) -> list[Recorded]:
        """Append signed statements as one batch, under one signed checkpoint and one durable commit.

        When it returns, the entries are in the log, their bundles in the blobs and the index. Statements that
        were appended before are appended again. A bare entry is in the log and the blobs; the index knows
        nothing of it, as there is no statement to look it up by.

        Raises:
            MalformedError: a statement that cannot become a bundle or an entry; nothing was appended.
            EvidenceInvalidError: the journal's files contradict each other; nothing was appended.
            InfrastructureError: lock, disk or object storage. If the commit was made, the entries stay, and
                the next writer completes and publishes them.
        """
        admitted = [admit(item) for item in signed]
        if not admitted:
            return []
        with self._writing():
            return self._append(admitted)

    def conclude(self, last: Callable[[], Signed], then: Callable[[Recorded], None]) -> Recorded:
        """Append one last statement under this log's key, and end its time before anyone else appends.

        Args:
            last: makes the statement; called under the lock, so nothing is appended between it and `then`.
            then: takes what was recorded.

        Raises:
            MalformedError, EvidenceInvalidError, InfrastructureError: as `append`; `then` was not called.
        """
        with self._writing():
            (recorded,) = self._append([admit(last())])
            then(recorded)
            return recorded

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with locked(self._lock, wait=LOCK_WAIT_SECONDS):
            self._guard()
            if not self._writer.is_settled():
                self._writer.recover()
            yield

    def _append(self, admitted: Sequence[Admitted]) -> list[Recorded]:
        self._push()
        recorded = self._writer.append(admitted)
        self._push()
        return recorded

    def publish(self) -> int:
        """Bring the object storage in step with the log; give the size that is published there.

        Raises:
            EvidenceInvalidError: what is there is not of this log, or is ahead of it.
            InfrastructureError: the service did not answer, or there is none.
        """
        if self._publisher is None:
            raise UsageError(
                "this journal has no object storage", hint="pratique log store s3://BUCKET/PREFIX"
            )
        with locked(self._lock, wait=LOCK_WAIT_SECONDS):
            if not self._writer.is_settled():
                self._writer.recover()
            return self._publisher.push(self._writer.sequencer)

    def _push(self) -> None:
        """Publish what is not yet: before an append, so that none is made on top of a log that is behind."""
        if self._publisher is not None:
            self._publisher.push(self._writer.sequencer)

    def recover(self) -> None:
        """Complete what a crash cut short, and render files that are missing, from the sequencer.

        Raises:
            EvidenceInvalidError: the sequencer is behind what was published, or contradicts it (an old copy,
                another log's): then nothing is signed.
        """
        with locked(self._lock, wait=LOCK_WAIT_SECONDS):
            self._writer.recover()

    def rebuild_index(self) -> None:
        """Make the index anew from the log and the blobs.

        Raises:
            EvidenceInvalidError: a bundle is missing or damaged; the message names it.
        """
        with locked(self._lock, wait=LOCK_WAIT_SECONDS):
            if not self._writer.is_settled():
                self._writer.recover()
            self._writer.reindex()

    def verify(self) -> LogReport:
        """Verify the whole log against its files, with nobody writing meanwhile; see `check.verify_log`.

        Raises:
            EvidenceInvalidError: something is missing, damaged or contradictory; the message names it.
        """
        from pratique.journal.check import verify_log_with_key  # noqa: PLC0415 - loads all of trust

        with locked(self._lock, wait=LOCK_WAIT_SECONDS):
            keys = (self._public_key, *self._former)
            return verify_log_with_key(self._lock.parent, origin=self.origin, keys=keys, blobs=self.blobs)

    def checkpoint(self) -> str:
        """Give the published checkpoint, a C2SP signed note, verified.

        Raises:
            EvidenceInvalidError: it is damaged.
        """
        return self._published()[0]

    def head(self) -> Checkpoint:
        """Give the published tree head.

        Raises:
            EvidenceInvalidError: the checkpoint is damaged.
        """
        return self._published()[1]

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Give the leaf bytes of entries `start` to `end` (exclusive; by default all that are published).

        Raises:
            UsageError: the range is outside the log.
            EvidenceInvalidError: an entry bundle is missing or damaged.
        """
        size = self.head().size
        end = size if end is None else end
        if not 0 <= start <= end <= size:
            raise UsageError(f"entries {start} to {end} are outside the log of {size}")
        return self.tiles.leaves(start, end, published=size)

    def prove_inclusion(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Prove that an entry is in the tree of `size` entries (by default the published one).

        The proof is for `trust.merkle.verify_inclusion` (RFC 6962 §2.1.1), from the leaf upward.

        Raises:
            UsageError: the index or the size is outside the log.
            EvidenceInvalidError: a tile is missing or damaged.
        """
        published = self.head().size
        size = published if size is None else size
        if not 0 <= index < size <= published:
            raise UsageError(f"entry {index} of a tree of {size} is outside the log of {published}")
        return self.tiles.prove_inclusion(index, size, published=published)

    def prove_consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Prove that the tree of `new` entries (by default the published one) continues that of `old`.

        The proof is for `trust.merkle.verify_consistency` (RFC 6962 §2.1.2).

        Raises:
            UsageError: a size is outside the log.
            EvidenceInvalidError: a tile is missing or damaged.
        """
        published = self.head().size
        new = published if new is None else new
        if not 0 <= old <= new <= published:
            raise UsageError(f"sizes {old} and {new} are outside the log of {published}")
        return self.tiles.prove_consistency(old, new, published=published)

    def find(self, subject: Digest | None = None, predicate_type: str | None = None) -> list[EvidenceRef]:
        """Look evidence up by subject, predicate type, both or neither; newest first.

        The index is a convenience, not a proof: verify the evidence it names before believing it.

        Raises:
            InfrastructureError: the index is damaged; the hint says how to rebuild it.
        """
        return self.index.find(subject, predicate_type)

    def get(self, digest: Digest) -> bytes:
        """Give the bundle of a piece of evidence.

        Raises:
            EvidenceInvalidError: it is missing or damaged.
        """
        return self.blobs.get(digest)

    def _published(self) -> tuple[str, Checkpoint]:
        text = self.tiles.checkpoint() or ""
        return text, verify_checkpoint(text, self.origin, self._public_key, *self._former)
