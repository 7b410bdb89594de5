"""Writing the log: sequence, publish, compose, index; and put right what a crash cut short.

An append takes these steps. A crash between any two of them is made good by the next writer, from what the
second one made durable:

1. compose the Sigstore bundles, in memory, under the checkpoint that is to be;
2. commit the entries and that checkpoint in the sequencer (the point of no return);
3. write tiles and entry bundles;
4. publish the checkpoint; at the same time as 3 and 4, store the Sigstore bundles as blobs;
5. add them to the index;
6. note in the sequencer that the batch is complete.

Composing and rendering are deterministic, so doing a step again writes the same bytes. The caller holds the
writer lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.journal.index import EvidenceRef, Index, reference
from pratique.journal.layout import MAX_ENTRY_BYTES, WIDTH, full_tiles, partial_tiles
from pratique.journal.sequencer import Head, NewEntry, Sequencer
from pratique.journal.tree import Frontier, Rendering, load_frontier, render
from pratique.model.digest import Digest, sha256_bytes
from pratique.store.atomic import remove_temporary
from pratique.trust.bundle import (
    LOG_ENTRY_START,
    LogProof,
    Signed,
    encode_bundle,
    encode_log_entry,
    key_id_of,
    parse_bundle,
    parse_log_entry,
    parse_signed,
)
from pratique.trust.entry import leaf_of
from pratique.trust.merkle import leaf_hash
from pratique.trust.note import (
    Checkpoint,
    cosign_checkpoint,
    log_key_id,
    sign_checkpoint,
    verify_checkpoint,
)
from pratique.trust.statement import Statement, parse_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from pratique.journal.tiles import Tiles
    from pratique.store.blobs import BlobStore

_FILES_AT_ONCE = 256


class Recorded(msgspec.Struct, frozen=True):
    """Evidence that is in the log now.

    Attributes:
        index: its position, from 0.
        digest: SHA-256 of the bundle's bytes: the evidence's identity.
        bundle: the bundle's bytes; for a bare entry the log's part alone.
    """

    index: int
    digest: Digest
    bundle: bytes


class BareEntry(msgspec.Struct, frozen=True):
    """An entry whose payload stays with its signer: the log only ever sees digest, signature and verifier.

    Attributes:
        leaf: canonical hashedrekord (`trust.entry.entry_body`), its signature verified by whoever admits it.
    """

    leaf: bytes


class Admitted(msgspec.Struct, frozen=True):
    """What was found fit for the log: a leaf, and the signed statement, parsed, unless it is a bare entry."""

    leaf: bytes
    signed: Signed | None = None
    statement: Statement | None = None


def admit(item: Signed | BareEntry) -> Admitted:
    """See that a signed statement can become a bundle and a log entry, before either exists.

    Raises:
        MalformedError: no in-toto statement, a missing signature or timestamp, or too long for an entry.
    """
    if isinstance(item, BareEntry):
        return Admitted(_fitting(item.leaf))
    statement = parse_statement(item.payload)
    if not item.signature or not item.timestamp or not item.payload_type:
        raise MalformedError("a signed statement without its signature, timestamp or payload type")
    return Admitted(_fitting(leaf_of(item)), item, statement)


def _fitting(leaf: bytes) -> bytes:
    if len(leaf) > MAX_ENTRY_BYTES:
        raise MalformedError(f"a log entry of {len(leaf)} bytes, more than the {MAX_ENTRY_BYTES} that fit")
    return leaf


class Writer:
    """The one who appends to a log. Every method expects the journal's writer lock to be held."""

    def __init__(
        self,
        *,
        sequencer: Path,
        tiles: Tiles,
        index: Index,
        blobs: BlobStore,
        origin: str,
        key: Ed25519PrivateKey,
        former: Sequence[Ed25519PublicKey] = (),
    ) -> None:
        self._path = sequencer
        self._tiles = tiles
        self._index = index
        self._blobs = blobs
        self._origin = origin
        self._key = key
        self._log_id = log_key_id(origin, key.public_key())
        self._former = tuple(former)
        self._sequencer: Sequencer | None = None
        self._edge: tuple[Head, Frontier] | None = None

    @property
    def sequencer(self) -> Sequencer:
        """The sequencer, opened when first needed, and again when another file was put in its place."""
        if self._sequencer is not None and not self._sequencer.is_in_place():
            self._sequencer.close()
            self._sequencer = None
        if self._sequencer is None:
            self._sequencer = Sequencer(self._path)
        return self._sequencer

    def close(self) -> None:
        """Close the files that were opened."""
        self._index.close()
        if self._sequencer is not None:
            self._sequencer.close()
            self._sequencer = None

    def head(self) -> Head | None:
        """Give the newest signed head, or None before the log has one."""
        if not self._path.exists() or self.sequencer.is_new:
            return None
        self._initialise()
        return self.sequencer.head()

    def _initialise(self) -> None:
        former = [log_key_id(self._origin, key) for key in self._former]
        self.sequencer.initialise(self._origin, self._log_id, former)

    def is_settled(self) -> bool:
        """Say whether nothing is left to recover, at the price of a few look-ups."""
        head = self.head()
        return (
            head is not None
            and self.sequencer.key_id() == self._log_id
            and not self.sequencer.pending()
            and self._tiles.checkpoint() == head.checkpoint
            and all(self._tiles.path(tile).exists() for tile in partial_tiles(head.size))
            and self._index.size() == head.size
        )

    def append(self, admitted: Sequence[Admitted]) -> list[Recorded]:
        """Append a batch to a settled log; see the module's docstring for the steps.

        Raises:
            EvidenceInvalidError: what is on the disk contradicts itself; nothing was signed.
            InfrastructureError: the disk refused. The batch may be in the log; the next writer completes it.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - reading a journal needs none

        head, frontier = self._load_edge()
        leaves = [item.leaf for item in admitted]
        edge = list(self.sequencer.leaves(head.size - head.size % WIDTH, head.size))
        rendering = render(frontier, edge, leaves, head.size + len(leaves))
        new = self._sign(rendering.frontier)
        recorded = self._compose(new, head.size, admitted, rendering.hashes)
        entries = [
            NewEntry(item.leaf, one.digest, item.signed.encode() if item.signed else b"")
            for item, one in zip(admitted, recorded, strict=True)
        ]
        self.sequencer.commit(head.size, new, entries)
        self._edge = (new, rendering.frontier)
        with ThreadPoolExecutor(1) as beside:  # both mostly wait for the disk
            stored = beside.submit(self._store, recorded)
            self._tiles.write(rendering.tiles, rendering.bundles)
            self._tiles.publish_checkpoint(new.checkpoint)
            stored.result()
        self._complete(new, admitted, recorded)
        return recorded

    def recover(self) -> None:
        """Bring everything in step with the sequencer; does nothing to a log that is.

        Raises:
            EvidenceInvalidError: what was published is not what the sequencer signed (an old sequencer put
                back, say). Nothing is signed or written then.
        """
        self._edge = None
        self._initialise()
        head = self.sequencer.head() or self._found()
        published = self._published(head)
        remove_temporary(self._tiles.root)
        self._blobs.clean()
        self._render_missing(published, head)
        if self._tiles.checkpoint() != head.checkpoint:
            self._tiles.publish_checkpoint(head.checkpoint)
        for size in self.sequencer.pending():
            self._complete_again(size)
        if self._index.size() != head.size:
            self.reindex()
        if self.sequencer.key_id() != self._log_id:
            self._take_over(head)

    def _take_over(self, head: Head) -> None:
        """Sign with this log's key the newest head that its former key signed: one head, two signatures.

        Everything else is complete by now; what the former key began, its own bundles and head finished.
        """
        checkpoint = cosign_checkpoint(head.checkpoint, self._origin, self._key)
        self.sequencer.hand_over(self._log_id, checkpoint)
        self._tiles.publish_checkpoint(checkpoint)

    def reindex(self) -> None:
        """Rebuild the index from the log and the blobs. The log must have nothing pending.

        Raises:
            EvidenceInvalidError: a bundle is missing, damaged, or not of its entry.
        """
        references = [self._reference_again(*row) for row in self.sequencer.bundles()]
        self._index.rebuild([item for item in references if item is not None], len(references))

    def _found(self) -> Head:
        """Sign the head of the empty log, unless there was a log here before."""
        if self._tiles.checkpoint() is not None or self._index.size():
            raise self._rolled_back("is empty, but the log was published")
        head = self._sign(Frontier())
        self.sequencer.commit(None, head, [])
        return head

    def _sign(self, frontier: Frontier) -> Head:
        checkpoint = Checkpoint(self._origin, frontier.size, frontier.root)
        return Head(frontier.size, frontier.root, sign_checkpoint(checkpoint, self._key))

    def _published(self, head: Head) -> int:
        """Give the published size, having seen that the sequencer signed that very head.

        A sequencer that is behind must never sign again: it would sign a second head for a size (a fork).
        """
        text = self._tiles.checkpoint()
        if (known := self._index.size() or 0) > head.size:
            raise self._rolled_back(f"is at size {head.size}, but {self._index.path} knows {known} entries")
        if text is None:
            return 0
        try:
            published = verify_checkpoint(text, self._origin, self._key.public_key(), *self._former)
        except EvidenceInvalidError as error:
            raise EvidenceInvalidError(
                f"{self._tiles.checkpoint_path} is damaged: {error.message}",
                hint="restore it from a copy; delete it only if the sequencer is known to be the newest",
            ) from error
        if published.size > head.size:
            raise self._rolled_back(
                f"is at size {head.size}, but the published checkpoint at {published.size}"
            )
        signed = self.sequencer.head(published.size)
        if signed is None or signed.root != published.root:
            raise self._rolled_back(f"signed another head for size {published.size} than the published one")
        return published.size

    def _rolled_back(self, what: str) -> EvidenceInvalidError:
        return EvidenceInvalidError(
            f"{self._path} {what}: it is an old copy, or of another history; refusing to sign anything",
            hint=f"put back the newest {self._path.name} (with its -wal file) from beside these tiles",
        )

    def _load_edge(self) -> tuple[Head, Frontier]:
        head = self.sequencer.head() or self._found()
        if self._edge is None or self._edge[0] != head:
            self._edge = (head, self._frontier(head))
        return self._edge

    def _frontier(self, head: Head) -> Frontier:
        frontier = load_frontier(head.size, self._tiles.hashes)
        if frontier.root != head.root:
            paths = ", ".join(tile.path for tile in partial_tiles(head.size) if tile.level is not None)
            raise EvidenceInvalidError(
                f"{self._tiles.root}: the tiles at the edge do not lead to the signed root of "
                f"size {head.size}: one of {paths} is damaged",
                hint="pratique log check",
            )
        return frontier

    def _render_missing(self, published: int, head: Head) -> None:
        """Render what lies beyond the published size; or everything, if published files are gone."""
        sizes = self.sequencer.sizes()
        expected = {tile for size in sizes if size <= published for tile in partial_tiles(size)}
        expected = {tile for tile in expected if not tile.superseded(published)} | set(full_tiles(published))
        gone = any(not self._tiles.path(tile).exists() for tile in expected)
        start = self.sequencer.head(published)
        frontier = Frontier() if gone or start is None else self._frontier(start)
        stops = [size for size in sizes if size > frontier.size]
        for rendering in self._renderings(frontier, stops, head):
            signed = self.sequencer.head(rendering.frontier.size)
            if signed is None or signed.root != rendering.frontier.root:
                raise EvidenceInvalidError(
                    f"{self._path} is damaged: its entries do not lead to the root it signed for size "
                    f"{rendering.frontier.size}",
                    hint="restore it from a copy",
                )
        waiting: list[Rendering] = []
        for rendering in self._renderings(frontier, stops, head):
            waiting.append(rendering)
            if sum(len(item.tiles) + len(item.bundles) for item in waiting) > _FILES_AT_ONCE:
                self._write(waiting)
                waiting = []
        self._write(waiting)

    def _renderings(self, frontier: Frontier, stops: Sequence[int], head: Head) -> Iterator[Rendering]:
        for stop in stops:
            start = frontier.size - frontier.size % WIDTH
            entries = list(self.sequencer.leaves(start, stop))
            split = frontier.size - start
            rendering = render(frontier, entries[:split], entries[split:], head.size)
            yield rendering
            frontier = rendering.frontier

    def _write(self, renderings: Sequence[Rendering]) -> None:
        tiles = [tile for rendering in renderings for tile in rendering.tiles]
        bundles = [bundle for rendering in renderings for bundle in rendering.bundles]
        self._tiles.write(tiles, bundles)

    def _complete_again(self, size: int) -> None:
        head = self.sequencer.head(size)
        batch = self.sequencer.batch(size)
        if head is None or not batch:
            raise EvidenceInvalidError(
                f"{self._path} is damaged: a batch of size {size} without head or entry"
            )
        admitted = [_admit_again(item.signed, item.leaf) for item in batch]
        hashes = [leaf_hash(item.leaf) for item in batch]
        recorded = self._compose(head, batch[0].position, admitted, hashes)
        if [(one.index, one.digest) for one in recorded] != [(one.position, one.bundle) for one in batch]:
            raise EvidenceInvalidError(
                f"{self._path} is damaged: its entries up to {size} do not become the bundles they had",
                hint="restore it from a copy",
            )
        self._store(recorded)
        self._complete(head, admitted, recorded)

    def _store(self, recorded: Sequence[Recorded]) -> None:
        self._blobs.put_all([one.bundle for one in recorded], [one.digest for one in recorded])

    def _complete(self, head: Head, batch: Sequence[Admitted], recorded: Sequence[Recorded]) -> None:
        """Steps 5 and 6 for one batch that is published, and whose bundles are stored."""
        first = recorded[0].index
        if self._index.size() == first:
            references = [
                reference(one.digest, one.index, item.statement, _key_id(item.signed))
                for one, item in zip(recorded, batch, strict=True)
                if item.signed and item.statement
            ]
            self._index.add(references, head.size)
        for tile in partial_tiles(first):
            if tile.superseded(head.size):
                self._tiles.drop_partials(tile.full)
        self.sequencer.complete(head.size)

    def _compose(
        self, head: Head, first: int, batch: Sequence[Admitted], hashes: Sequence[bytes]
    ) -> list[Recorded]:
        """Make the bundles of a batch; ones whose proofs do not hold are never given out."""
        root, proofs = self._tiles.prove_appended(hashes, first)
        if root != head.root:
            raise EvidenceInvalidError(
                f"{self._tiles.root}: the tiles do not prove entries {first} to {first + len(batch) - 1}, so "
                "one of them is damaged",
                hint="pratique log check",
            )
        log_id, recorded = self.sequencer.key_id(), []
        for position, (item, path) in enumerate(zip(batch, proofs, strict=True), first):
            proof = LogProof(position, head.size, head.root, path, head.checkpoint, log_id, item.leaf)
            bundle = encode_bundle(item.signed, proof) if item.signed else encode_log_entry(proof)
            recorded.append(Recorded(position, sha256_bytes(bundle), bundle))
        return recorded

    def _reference_again(self, position: int, leaf: bytes, digest: Digest) -> EvidenceRef | None:
        data = self._blobs.get(digest)
        bundle = None if data.startswith(LOG_ENTRY_START) else parse_bundle(data)
        log = bundle.log if bundle else parse_log_entry(data)
        if log.index != position or log.entry_body != leaf:
            raise EvidenceInvalidError(
                f"bundle {digest} is not of log entry {position}", hint="pratique log check"
            )
        if bundle is None:
            return None
        return reference(digest, position, parse_statement(bundle.payload), bundle.key_id)


def _admit_again(data: bytes, leaf: bytes) -> Admitted:
    if not data:
        return Admitted(leaf)
    signed = parse_signed(data)
    return Admitted(leaf, signed, parse_statement(signed.payload))


def _key_id(signed: Signed) -> str | None:
    return None if signed.public_key is None else key_id_of(signed.public_key)
