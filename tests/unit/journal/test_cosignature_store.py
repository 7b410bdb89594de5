"""Collected cosignatures: kept per witness and size, verified whenever they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import EvidenceInvalidError, SignatureInvalidError, UsageError
from pratique.journal.cosignatures import Cosignatures
from pratique.journal.journal import Journal
from pratique.trust.bundle import Signed
from pratique.trust.cosignature import VerifierKey, cosign, text_of, verify_cosigned
from pratique.trust.note import Checkpoint, sign_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[[], Journal]
Sign = Callable[..., Signed]
ORIGIN = "log.example.com"
KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2)]
WITNESSES = [VerifierKey(f"w{n}.example", k.public_key().public_bytes_raw()) for n, k in enumerate(KEYS)]


@pytest.fixture
def store(tmp_path: Path, log_key: Ed25519PrivateKey) -> Cosignatures:
    return Cosignatures(tmp_path, ORIGIN, log_key.public_key())


def cosigned(note: str, *numbers: int, time: int = 5) -> str:
    return note + "".join(cosign(text_of(note), WITNESSES[n].name, KEYS[n], time) for n in numbers)


def test_each_witness_and_size_has_its_file(store: Cosignatures, opener: Open, sign: Sign) -> None:
    journal = opener()
    assert store.held() == []
    assert store.best(0) is None
    journal.append([sign(0)])
    one = journal.checkpoint()
    store.collect(cosigned(one, 0, 1), WITNESSES, journal)
    journal.append([sign(1)])
    two = journal.checkpoint()
    store.collect(cosigned(two, 1, time=9), WITNESSES, journal)
    assert [(item.size, item.witness.name, item.timestamp) for item in store.held()] == [
        (2, "w1.example", 9),
        (1, "w0.example", 5),
        (1, "w1.example", 5),
    ]
    ids = [witness.key_id.hex() for witness in WITNESSES]
    assert {str(path.relative_to(store.folder)) for path in store.folder.glob("*/*")} == {
        f"{ids[0]}/vkey", f"{ids[0]}/1", f"{ids[1]}/vkey", f"{ids[1]}/1", f"{ids[1]}/2",
    }  # fmt: skip
    assert (store.folder / ids[0] / "1").read_text() == cosigned(one, 0)
    best = store.best(0)
    assert best == cosigned(one, 0, 1)
    assert len(verify_cosigned(best, WITNESSES, 2)) == 2
    assert store.best(1) == cosigned(two, 1, time=9)
    assert store.best(2) is None


def test_an_older_checkpoint_may_come_back_late(store: Cosignatures, opener: Open, sign: Sign) -> None:
    journal = opener()
    journal.append([sign(0)])
    note = journal.checkpoint()
    journal.append([sign(number) for number in range(1, 5)])
    assert [item.size for item in store.collect(cosigned(note, 0), WITNESSES, journal)] == [1]


def test_strangers_are_dropped_and_nobody_is_refused(store: Cosignatures, opener: Open) -> None:
    journal = opener()
    note = journal.checkpoint()
    (held,) = store.collect(cosigned(note, 0, 1), WITNESSES[1:], journal)
    assert held.note == cosigned(note, 1)
    with pytest.raises(UsageError, match=r"nobody known here .*: w0\.example"):
        store.collect(cosigned(note, 1), WITNESSES[:1], journal)


def test_a_tree_that_this_log_never_had(
    store: Cosignatures, opener: Open, log_key: Ed25519PrivateKey
) -> None:
    journal = opener()
    for size in (0, 1):
        note = sign_checkpoint(Checkpoint(ORIGIN, size, bytes(32)), log_key)
        with pytest.raises(EvidenceInvalidError, match="FORK: the key of"):
            store.collect(cosigned(note, 0), WITNESSES, journal)
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        store.collect(
            cosigned(sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), KEYS[0]), 0), WITNESSES, journal
        )
    assert store.held() == []


def test_damaged_files_are_named(store: Cosignatures, opener: Open) -> None:
    journal = opener()
    note = journal.checkpoint()
    store.collect(cosigned(note, 0), WITNESSES, journal)
    path = store.folder / WITNESSES[0].key_id.hex() / "0"
    good = path.read_text()
    for bad in (note, good.replace("\n0\n", "\n1\n"), "", cosigned(note, 1)):
        path.write_text(bad)
        with pytest.raises(EvidenceInvalidError, match=r"/0 is damaged"):
            store.held()
    path.write_text(good)
    (path.parent / "vkey").write_text("junk")
    with pytest.raises(EvidenceInvalidError, match="vkey is damaged"):
        store.held()
