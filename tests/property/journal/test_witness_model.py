"""A log that lies as it likes: the witness never signs two roots for one size, and never a shrink."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pratique.errors import PratiqueError
from pratique.journal import witness as module
from pratique.journal.addcheckpoint import Request
from pratique.journal.witness import Witness
from pratique.store import atomic
from pratique.trust.note import Checkpoint, parse_checkpoint, sign_checkpoint

KEY = Ed25519PrivateKey.from_private_bytes(b"\5" * 32)
ORIGIN = "liar.example"
LOGS = {ORIGIN: [KEY.public_key()]}


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fsync: no power cut happens here."""
    monkeypatch.setattr(atomic, "_fsync", lambda _: None)


HISTORIES = st.lists(st.sampled_from("ab"), max_size=9)


def root(leaves: list[str]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0].encode()).digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def proof(old: int, leaves: list[str], *, whole: bool = True) -> list[bytes]:
    """RFC 6962 section 2.1.2, SUBPROOF."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    if old <= split:
        return [*proof(old, leaves[:split], whole=whole), root(leaves[split:])]
    return [*proof(old - split, leaves[split:], whole=False), root(leaves[:split])]


class LyingLog(RuleBasedStateMachine):
    """Offers any history, with a true proof or any hashes; the witness may die before it signs."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.witness = Witness.create(Path(self.folder.name) / "w", "w.example")
        self.signed: list[tuple[int, bytes]] = []
        self.true: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def ask(self, history: list[str], old: int | None, hashes: list[bytes], *, dies: bool = False) -> bool:
        note = sign_checkpoint(Checkpoint(ORIGIN, len(history), root(history)), KEY)
        real = module.cosign
        if dies:
            module.cosign = _die
        try:
            cosigned = self.witness.cosign(
                Request(old, tuple(hashes), note), LOGS, lambda: datetime(2026, 1, 1, tzinfo=UTC)
            )
        except (PratiqueError, KeyboardInterrupt):
            return False
        finally:
            module.cosign = real
        head = parse_checkpoint(cosigned.checkpoint.partition("\n\n")[0] + "\n")
        self.signed.append((head.size, head.root))
        self.true = history
        return True

    @rule(history=HISTORIES, old=st.none() | st.integers(0, 9), dies=st.booleans())
    def lie(self, history: list[str], old: int | None, dies: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        hashes = proof(old, history) if old and old <= len(history) else []
        self.ask(history, old, hashes, dies=dies)

    @rule(history=HISTORIES, old=st.integers(0, 9), hashes=st.lists(st.sampled_from(
        [root(["a"]), root(["b"]), root(["a", "b"]), root(["a", "a"]), bytes(32)]), max_size=4))  # fmt: skip
    def guess(self, history: list[str], old: int, hashes: list[bytes]) -> None:
        self.ask(history, old, hashes)

    @rule(more=st.lists(st.sampled_from("ab"), max_size=4), dies=st.booleans())
    def grow(self, more: list[str], dies: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        head = self.witness.head(ORIGIN)
        known = head.size if head else 0
        history = self.true + more
        honest = head is None or head.root == root(self.true)
        hashes = proof(known, history) if 0 < known <= len(history) else []
        done = self.ask(history, known, hashes, dies=dies)
        assert done or dies or not honest, "an honest log was refused"

    @invariant()
    def one_root_for_a_size_and_no_shrink(self) -> None:
        signed = getattr(self, "signed", [])
        assert len({size for size, _ in signed}) == len(set(signed))
        assert [size for size, _ in signed] == sorted(size for size, _ in signed)


def _die(*_: object) -> str:
    raise KeyboardInterrupt


LyingLog.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
TestLyingLog = LyingLog.TestCase
