"""Small blobs that come in large batches share one file, and nobody who reads can tell."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.model.digest import Digest
from pratique.store.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

BATCH = [b"blob %d" % n for n in range(64)]
DIGESTS = [Digest(hashlib.sha256(data).hexdigest()) for data in BATCH]


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def change(store: BlobStore, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(store.root / "packed.sqlite")) as connection, connection:
        connection.execute(statement, values)


def files(store: BlobStore) -> list[str]:
    return sorted(path.name for path in store.root.rglob("*") if path.is_file())


def test_a_batch_is_one_file_and_reads_like_many(store: BlobStore) -> None:
    assert store.put_all(BATCH) == DIGESTS
    assert files(store) == ["lock", "packed.sqlite"]
    assert (store.root / "packed.sqlite").stat().st_mode & 0o777 == 0o600
    assert [store.get(digest) for digest in DIGESTS] == BATCH
    assert all(store.has(digest) for digest in DIGESTS)
    assert store.size(DIGESTS[10]) == len(b"blob 10")
    assert list(store) == sorted(DIGESTS)
    with store.open(DIGESTS[3]) as stream:
        assert stream.read(4) == b"blob"


def test_a_large_blob_in_a_batch_keeps_a_file_of_its_own(store: BlobStore) -> None:
    large = os.urandom(200_000)
    *_, digest = store.put_all([*BATCH, large])
    assert store.path(digest).read_bytes() == large
    assert not store.path(DIGESTS[0]).exists()
    assert list(store) == sorted([*DIGESTS, digest])


def test_a_blob_stored_both_ways_is_listed_once(store: BlobStore) -> None:
    store.put(BATCH[0])
    store.put_all(BATCH)
    assert list(store) == sorted(DIGESTS)
    store.path(DIGESTS[0]).unlink()
    assert store.get(DIGESTS[0]) == BATCH[0]


def test_damage_is_noticed_and_mended_by_putting_it_again(store: BlobStore) -> None:
    store.put_all(BATCH)
    change(store, "UPDATE blobs SET data = x'00' WHERE digest = ?", bytes.fromhex(DIGESTS[7].hex))
    with pytest.raises(EvidenceInvalidError) as caught:
        store.get(DIGESTS[7])
    assert "packed.sqlite is damaged" in caught.value.message
    assert str(DIGESTS[7]) in caught.value.message
    store.put_all(BATCH)
    assert store.get(DIGESTS[7]) == BATCH[7]


def test_a_missing_row_is_a_missing_blob(store: BlobStore) -> None:
    store.put_all(BATCH)
    change(store, "DELETE FROM blobs WHERE digest = ?", bytes.fromhex(DIGESTS[7].hex))
    assert not store.has(DIGESTS[7])
    with pytest.raises(EvidenceInvalidError, match=f"blob {DIGESTS[7]} is missing"):
        store.get(DIGESTS[7])


def test_a_file_that_is_no_database_is_said_to_be_damaged(store: BlobStore) -> None:
    store.put_all(BATCH)
    (store.root / "packed.sqlite").write_bytes(b"not a database" * 100)
    for use in (lambda: store.get(DIGESTS[0]), lambda: list(store), lambda: store.put_all(BATCH)):
        with pytest.raises(EvidenceInvalidError, match=r"packed\.sqlite is damaged"):
            use()


def test_a_copy_that_nobody_may_write_is_readable(store: BlobStore, tmp_path: Path) -> None:
    store.put_all(BATCH)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "packed.sqlite").write_bytes((store.root / "packed.sqlite").read_bytes())
    (copy / "packed.sqlite").chmod(0o400)
    copy.chmod(0o500)
    assert BlobStore(copy).get(DIGESTS[5]) == BATCH[5]
    assert [path.name for path in copy.iterdir()] == ["packed.sqlite"]


def test_a_batch_is_stored_wholly_or_not_at_all(store: BlobStore) -> None:
    store.put(b"first")
    change(
        store,
        "CREATE TABLE blobs (digest BLOB NOT NULL UNIQUE, data BLOB CHECK (data <> x'626c6f62203633'))",
    )
    with pytest.raises((InfrastructureError, EvidenceInvalidError)):
        store.put_all(BATCH)  # the last one, `blob 63`, is refused
    assert list(store) == [Digest(hashlib.sha256(b"first").hexdigest())]
