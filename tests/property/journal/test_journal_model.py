"""The journal against a model written from RFC 6962 section 2.1 alone: lists, slices and SHA-256.

Steps: append batches, reopen, fail an append at some step, lose the index or tiles, and compare everything.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from rfc6962 import mth, path, proof

from pratique.errors import InfrastructureError
from pratique.journal.index import Index
from pratique.journal.journal import Journal
from pratique.journal.layout import decode_entries, encode_entries
from pratique.journal.sequencer import Sequencer
from pratique.journal.tiles import Tiles
from pratique.journal.tree import Frontier
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.store import atomic
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed
from pratique.trust.entry import leaf_of
from pratique.trust.statement import Statement, Subject

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
STEPS = [
    (Sequencer, "commit"),
    (Tiles, "write"),
    (Tiles, "publish_checkpoint"),
    (BlobStore, "put_all"),
    (Index, "add"),
    (Sequencer, "complete"),
]


def signed(number: int) -> Signed:
    subject = Subject(f"artifact-{number % 3}", {"sha256": hashlib.sha256(b"%d" % (number % 3)).hexdigest()})
    payload = Statement((subject,), f"https://example.com/{number % 2}", {"number": number}).encode()
    return Signed(payload, PAYLOAD_TYPE, b"signature %d" % number, None, b"key", b"timestamp")


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(atomic, "_fsync", lambda _: None)  # only a power cut could tell
        self.patch.setattr(atomic, "_sync_file_system", lambda _: None)
        self.home = Path(self.folder.name)
        self.model: list[bytes] = []
        self.number = 0
        self.journal = self.open()

    def open(self) -> Journal:
        blobs = BlobStore(self.home / "blobs")
        return Journal.open(self.home, log_key=KEY, origin="log.example.com", blobs=blobs)

    def next_batch(self, count: int) -> list[Signed]:
        batch = [signed(self.number + offset) for offset in range(count)]
        self.number += count
        return batch

    @initialize(count=st.sampled_from([0, 1, 254, 256]))
    def begin(self, count: int) -> None:
        self.append(count)

    @rule(count=st.integers(0, 5))
    def append(self, count: int) -> None:
        batch = self.next_batch(count)
        recorded = self.journal.append(batch)
        assert [item.index for item in recorded] == list(range(len(self.model), len(self.model) + count))
        self.model += [leaf_of(item) for item in batch]

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = self.open()

    @rule(step=st.sampled_from(STEPS), count=st.integers(1, 3), done=st.booleans())
    def append_cut_short(self, step: tuple[type, str], count: int, done: bool) -> None:  # noqa: FBT001 - hypothesis
        owner, name = step
        original = getattr(owner, name)

        def cut(*arguments: object) -> None:
            if done:
                original(*arguments)
            raise InfrastructureError("cut short")

        batch = self.next_batch(count)
        setattr(owner, name, cut)
        try:
            self.journal.append(batch)
        except InfrastructureError:
            pass
        finally:
            setattr(owner, name, original)
        if step != STEPS[0] or done:
            self.model += [leaf_of(item) for item in batch]
        self.reopen()

    @rule()
    def lose_the_index(self) -> None:
        self.journal.close()
        before = self.journal.index.dump()
        for file in self.home.glob("index.sqlite*"):
            file.unlink()
        self.journal = self.open()
        assert self.journal.index.dump() == before

    @precondition(lambda self: self.model)
    @rule()
    def lose_the_tiles(self) -> None:
        shutil.rmtree(self.journal.tiles.root / "tile")
        self.reopen()

    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        old = data.draw(st.integers(0, len(self.model)))
        new = data.draw(st.integers(old, len(self.model)))
        assert list(self.journal.prove_consistency(old, new)) == proof(old, self.model[:new])
        assert self.journal.tiles.root_at(new, published=len(self.model)) == mth(self.model[:new])
        if new:
            index = data.draw(st.integers(0, new - 1))
            assert list(self.journal.prove_inclusion(index, new)) == path(index, self.model[:new])

    @invariant()
    def equals_the_model(self) -> None:
        head = self.journal.head()
        assert (head.size, head.root) == (len(self.model), mth(self.model))
        assert list(self.journal.entries()) == self.model
        assert [ref.index for ref in self.journal.find()] == list(reversed(range(len(self.model))))

    def teardown(self) -> None:
        before = self.journal.index.dump()
        self.journal.rebuild_index()
        assert self.journal.index.dump() == before
        assert self.journal.verify().size == len(self.model)
        assert list(self.home.rglob(".tmp-*")) == []
        self.journal.close()
        self.folder.cleanup()
        self.patch.undo()


JournalMachine.TestCase.settings = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
TestJournal = JournalMachine.TestCase


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=6))
def test_tree_grown_in_steps_has_the_root_of_the_rfc(steps: list[int]) -> None:
    frontier, leaves = Frontier(), []
    for count in steps:
        new = [b"%d" % (len(leaves) + offset) for offset in range(count)]
        leaves += new
        frontier, _ = frontier.extended([hashlib.sha256(b"\x00" + leaf).digest() for leaf in new])
        assert frontier.size == len(leaves)
    assert frontier.root == mth(leaves)


def test_tree_of_many_tiles_has_the_root_of_the_rfc() -> None:
    leaves = [b"%d" % n for n in range(66_000)]  # three levels of tiles
    frontier, _ = Frontier().extended([hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves])
    assert frontier.root == mth(leaves)
    assert [len(hashes) for hashes in frontier.levels] == [66_000 % 256, 66_000 // 256 % 256, 1]


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entry_bundles_round_trip(entries: list[bytes]) -> None:
    assert decode_entries(encode_entries(entries), what="x") == entries
