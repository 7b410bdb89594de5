"""What goes into a journal comes out, in order, with proofs that hold, and what is wrong is refused."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.journal.journal import Journal
from pratique.journal.tiles import Tiles
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.store.atomic import locked
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed, parse_bundle
from pratique.trust.merkle import leaf_hash, verify_consistency, verify_inclusion
from pratique.trust.note import verify_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[[], Journal]
Sign = Callable[..., Signed]
EMPTY = hashlib.sha256(b"").digest()  # RFC 6962 section 2.1: the hash of an empty list


def test_new_journal_publishes_the_empty_tree(opener: Open, log_key: Ed25519PrivateKey) -> None:
    journal = opener()
    head = verify_checkpoint(journal.checkpoint(), "log.example.com", log_key.public_key())
    assert (head.origin, head.size, head.root) == ("log.example.com", 0, EMPTY)
    assert journal.find() == []
    assert list(journal.entries()) == []
    assert journal.verify().size == 0


def test_append_gives_bundles_that_prove_themselves(
    opener: Open, sign: Sign, log_key: Ed25519PrivateKey
) -> None:
    journal = opener()
    recorded = journal.append([sign(0), sign(1, certificate=b"certificate")]) + journal.append([sign(2)])
    assert [item.index for item in recorded] == [0, 1, 2]
    for item, size in zip(recorded, [2, 2, 3], strict=True):
        assert item.digest.hex == hashlib.sha256(item.bundle).hexdigest()
        assert journal.get(item.digest) == item.bundle
        bundle = parse_bundle(item.bundle)
        head = verify_checkpoint(bundle.log.checkpoint, "log.example.com", log_key.public_key())
        assert (bundle.log.index, head.size, bundle.log.tree_size) == (item.index, size, size)
        leaf = leaf_hash(bundle.log.entry_body)
        verify_inclusion(leaf, item.index, size, bundle.log.hashes, head.root)
    assert list(journal.entries()) == [parse_bundle(item.bundle).log.entry_body for item in recorded]
    assert journal.verify().size == 3


def test_nothing_appended_is_nothing_signed(opener: Open) -> None:
    journal = opener()
    before = journal.checkpoint()
    assert journal.append([]) == []
    assert journal.checkpoint() == before


def test_find_by_subject_and_type_newest_first(opener: Open, sign: Sign) -> None:
    journal = opener()
    recorded = journal.append([sign(1, "a"), sign(1, "b"), sign(2, "a"), sign(1, "a")])
    one = Digest(hashlib.sha256(b"1").hexdigest())
    assert [ref.index for ref in journal.find()] == [3, 2, 1, 0]
    assert [ref.index for ref in journal.find(one)] == [3, 1, 0]
    assert [ref.index for ref in journal.find(predicate_type="a")] == [3, 2, 0]
    assert [ref.index for ref in journal.find(one, "a")] == [3, 0]
    assert journal.find(sha256_bytes(b"nobody")) == []
    (found,) = journal.find(one, "b")
    assert found.digest == recorded[1].digest
    assert found.predicate_type == "b"
    assert [(subject.name, subject.digest) for subject in found.subjects] == [
        ("artifact-1", {"sha256": one.hex})
    ]
    assert found.key_id == hashlib.sha256(b"key").hexdigest()


def test_many_subjects_keep_their_order_and_those_without_sha256_are_kept(opener: Open) -> None:
    payload = (
        b'{"_type":"https://in-toto.io/Statement/v1","predicateType":"t","predicate":{},"subject":['
        b'{"name":"b","digest":{"gitCommit":"12"}},{"name":"a","digest":{"sha256":"' + b"ab" * 32 + b'"}}]}'
    )
    journal = opener()
    journal.append([Signed(payload, PAYLOAD_TYPE, b"s", b"certificate", None, b"t")])
    (found,) = journal.find(Digest("ab" * 32))
    assert [subject.name for subject in found.subjects] == ["b", "a"]
    assert found.key_id is None
    before = journal.index.dump()
    journal.rebuild_index()
    assert journal.index.dump() == before


def test_proofs_between_published_sizes(opener: Open, sign: Sign) -> None:
    journal = opener()
    heads = [journal.head()]
    for number in range(6):
        journal.append([sign(number)])
        heads.append(journal.head())
    for old in heads:
        for new in heads[old.size :]:
            proof = journal.prove_consistency(old.size, new.size)
            verify_consistency(old.size, old.root, new.size, new.root, proof)
    assert journal.prove_consistency(2) == journal.prove_consistency(2, 6)
    leaf = leaf_hash(next(journal.entries(3, 4)))
    verify_inclusion(leaf, 3, 6, journal.prove_inclusion(3), heads[6].root)
    verify_inclusion(leaf, 3, 4, journal.prove_inclusion(3, 4), heads[4].root)


def test_sizes_that_were_never_published_are_proven_too(opener: Open, sign: Sign) -> None:
    journal = opener()
    journal.append([sign(n) for n in range(5)])
    entries = list(journal.entries())
    assert [next(journal.entries(n, n + 1)) for n in range(5)] == entries
    leaves = [leaf_hash(entry) for entry in entries]
    assert journal.prove_inclusion(0, 1) == ()
    assert journal.prove_inclusion(0, 2) == (leaves[1],)
    assert journal.prove_consistency(1, 2) == (leaves[1],)


@pytest.mark.parametrize(("index", "size"), [(-1, None), (2, None), (0, 3), (1, 1)])
def test_proofs_outside_the_log_are_refused(opener: Open, sign: Sign, index: int, size: int | None) -> None:
    journal = opener()
    journal.append([sign(0), sign(1)])
    with pytest.raises(UsageError, match="outside the log of 2"):
        journal.prove_inclusion(index, size)


def test_ranges_outside_the_log_are_refused(opener: Open) -> None:
    journal = opener()
    with pytest.raises(UsageError, match="outside"):
        journal.prove_consistency(0, 1)
    with pytest.raises(UsageError, match="outside"):
        journal.entries(1, 0)


@pytest.mark.parametrize(
    ("signed", "complaint"),
    [
        (Signed(b"{}", PAYLOAD_TYPE, b"s", None, b"k", b"t"), "statement"),
        (Signed(b"not json", PAYLOAD_TYPE, b"s", None, b"k", b"t"), "statement"),
    ],
)
def test_what_is_no_statement_is_refused_with_its_whole_batch(
    opener: Open, sign: Sign, signed: Signed, complaint: str
) -> None:
    journal = opener()
    with pytest.raises(MalformedError, match=complaint):
        journal.append([sign(1), signed])
    assert journal.head().size == 0


def test_statement_without_signature_or_too_long_for_an_entry_is_refused(opener: Open, sign: Sign) -> None:
    journal, good = opener(), sign(1)
    with pytest.raises(MalformedError, match="timestamp"):
        journal.append([Signed(good.payload, PAYLOAD_TYPE, b"s", None, b"k", b"")])
    with pytest.raises(MalformedError, match="65535"):
        journal.append([Signed(good.payload, PAYLOAD_TYPE, b"s", b"x" * 60_000, None, b"t")])
    assert journal.head().size == 0


def test_partial_tiles_stay_until_the_full_one_is_there(opener: Open, sign: Sign, tmp_path: Path) -> None:
    journal = opener()
    journal.append([sign(n) for n in range(3)])
    journal.append([sign(n) for n in range(3, 5)])
    tile = tmp_path / "journal" / "tiles" / "tile"
    assert sorted(path.name for path in (tile / "0" / "000.p").iterdir()) == ["3", "5"]
    assert sorted(path.name for path in (tile / "entries" / "000.p").iterdir()) == ["3", "5"]
    journal.append([sign(n) for n in range(5, 256)])
    assert sorted(str(path.relative_to(tile)) for path in tile.rglob("*") if path.is_file()) == [
        "0/000",
        "1/000.p/1",
        "entries/000",
    ]
    assert journal.verify().size == 256


def test_files_are_private(opener: Open, sign: Sign, tmp_path: Path) -> None:
    opener().append([sign(1)])
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_two_journals_on_one_home_see_each_other(opener: Open, sign: Sign) -> None:
    first, second = opener(), opener()
    first.append([sign(0)])
    assert second.append([sign(1)])[0].index == 1
    assert first.append([sign(2)])[0].index == 2
    assert second.head().size == 3
    assert second.verify().size == 3


def test_opening_and_reading_need_no_lock(opener: Open, sign: Sign, tmp_path: Path) -> None:
    (recorded,) = opener().append([sign(1)])
    with locked(tmp_path / "journal" / "lock"):
        reader = opener()
        assert reader.head().size == 1
        assert [ref.digest for ref in reader.find()] == [recorded.digest]
        assert reader.get(recorded.digest) == recorded.bundle


def test_writer_at_work_does_not_keep_readers_out(opener: Open, sign: Sign, tmp_path: Path) -> None:
    """Between commit and completion a reader sees what was published before."""
    journal = opener()
    journal.append([sign(1)])
    (tmp_path / "journal" / "tiles" / "checkpoint").rename(tmp_path / "kept")
    journal.append([sign(2)])
    (tmp_path / "kept").replace(tmp_path / "journal" / "tiles" / "checkpoint")
    with locked(tmp_path / "journal" / "lock"):
        assert opener().head().size == 1
    assert opener().head().size == 2


def test_other_key_or_origin_is_refused(opener: Open, sign: Sign, tmp_path: Path) -> None:
    opener().append([sign(1)])
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    with pytest.raises(EvidenceInvalidError, match="another origin or key"):
        Journal.open(tmp_path, log_key=other, origin="log.example.com", blobs=BlobStore(tmp_path / "blobs"))
    with pytest.raises(EvidenceInvalidError, match="another origin or key"):
        Journal.open(tmp_path, log_key=other, origin="other", blobs=BlobStore(tmp_path / "blobs"))


@pytest.mark.parametrize("damage", ["missing", "garbage", "empty", "old schema"])
def test_index_that_cannot_be_used_is_rebuilt_on_opening(
    opener: Open, sign: Sign, tmp_path: Path, damage: str
) -> None:
    journal = opener()
    journal.append([sign(n) for n in range(5)])
    before = journal.index.dump()
    journal.close()
    path = tmp_path / "index.sqlite"
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    if damage == "missing":
        path.unlink()
    elif damage == "old schema":
        data = bytearray(path.read_bytes())
        data[60:64] = (99).to_bytes(4, "big")  # user_version, SQLite file format §1.3.12
        path.write_bytes(data)
    else:
        path.write_bytes(b"garbage" * 1000 if damage == "garbage" else b"")
    assert opener().index.dump() == before


def test_index_that_breaks_later_is_reported_with_the_command(
    opener: Open, sign: Sign, tmp_path: Path
) -> None:
    journal = opener()
    journal.append([sign(1)])
    for path in tmp_path.glob("index.sqlite*"):
        path.unlink()
    with pytest.raises(InfrastructureError) as caught:
        journal.find()
    assert caught.value.hint == "pratique log reindex"
    journal.rebuild_index()
    assert len(journal.find()) == 1


def test_reindexing_names_a_bundle_that_is_missing(opener: Open, sign: Sign) -> None:
    journal = opener()
    (recorded,) = journal.append([sign(1)])
    journal.blobs.path(recorded.digest).unlink()
    with pytest.raises(EvidenceInvalidError, match=str(recorded.digest)):
        journal.rebuild_index()


def test_nothing_is_signed_on_tiles_that_do_not_prove_a_batch(
    opener: Open, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opener()
    journal.append([sign(0), sign(1)])
    before = journal.checkpoint()
    with monkeypatch.context() as patch:  # a disk that gives back other bytes than were written
        patch.setattr(Tiles, "hashes", lambda _, tile: (bytes(32),) * tile.width)
        with pytest.raises(EvidenceInvalidError, match="the tiles do not prove entries 2 to 3"):
            journal.append([sign(2), sign(3)])
    assert journal.checkpoint() == before
    journal.close()
    again = opener()
    assert again.append([sign(4)])[0].index == 2
    assert again.verify().size == 3
