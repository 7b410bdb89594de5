"""Blobs: what was put comes back byte for byte, or an error names the file and both digests."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError
from pratique.model.digest import Digest
from pratique.store.atomic import locked
from pratique.store.blobs import BlobStore

if TYPE_CHECKING:
    from pathlib import Path

# SHA-256 of "abc": FIPS 180-2, appendix B.1
ABC = Digest("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def overwrite(path: Path, data: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(data)


def leftovers(store: BlobStore) -> list[Path]:
    return [path for path in store.root.rglob(".tmp-*") if path.is_file()]


def test_put_and_get(store: BlobStore) -> None:
    assert store.put(b"abc") == ABC
    assert store.get(ABC) == b"abc"
    assert store.has(ABC)
    assert store.path(ABC) == store.root / "sha256" / "ba" / ABC.hex
    assert list(store) == [ABC]
    assert stat.S_IMODE(store.path(ABC).stat().st_mode) == 0o400
    for folder in (store.root, store.root / "sha256", store.path(ABC).parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_empty_blob(store: BlobStore) -> None:
    assert store.get(store.put(b"")) == b""


def test_put_is_idempotent(store: BlobStore) -> None:
    store.put(b"abc")
    before = store.path(ABC).stat()
    store.put(b"abc")
    assert store.put_all([b"abc", b"abc"]) == [ABC, ABC]
    assert store.path(ABC).stat().st_ino == before.st_ino
    assert list(store) == [ABC]


def test_put_all_keeps_order(store: BlobStore) -> None:
    blobs = [b"%d" % n for n in range(40)]
    assert [digest.hex for digest in store.put_all(blobs)] == [hashlib.sha256(b).hexdigest() for b in blobs]
    assert sorted(store.get(digest) for digest in store) == sorted(blobs)
    assert leftovers(store) == []


def test_put_file_streams(store: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(3 * 1024 * 1024 + 7)
    (tmp_path / "big").write_bytes(data)
    digest = store.put_file(tmp_path / "big")
    assert digest.hex == hashlib.sha256(data).hexdigest()
    assert store.put_file(tmp_path / "big") == digest
    assert store.get(digest) == data
    with store.open(digest) as stream:
        assert stream.read(3) == data[:3]
    assert leftovers(store) == []


def test_put_file_of_nothing(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"cannot store .*absent"):
        store.put_file(tmp_path / "absent")
    assert leftovers(store) == []


def test_damage_names_the_file_and_both_digests(store: BlobStore) -> None:
    store.put(b"abc")
    overwrite(store.path(ABC), b"abd")
    with pytest.raises(EvidenceInvalidError) as caught:
        store.get(ABC)
    assert str(store.path(ABC)) in caught.value.message
    assert str(ABC) in caught.value.message
    assert hashlib.sha256(b"abd").hexdigest() in caught.value.message


def test_damaged_blob_is_made_whole_by_putting_it_again(store: BlobStore, tmp_path: Path) -> None:
    store.put(b"abc")
    overwrite(store.path(ABC), b"")
    store.put(b"abc")
    assert store.get(ABC) == b"abc"
    overwrite(store.path(ABC), b"abcd")
    (tmp_path / "abc").write_bytes(b"abc")
    store.put_file(tmp_path / "abc")
    assert store.get(ABC) == b"abc"


def test_missing_blob_is_named(store: BlobStore) -> None:
    assert not store.has(ABC)
    with pytest.raises(EvidenceInvalidError, match=str(ABC)):
        store.get(ABC)
    assert list(store) == []


@pytest.mark.parametrize("hex_digest", ["../../../etc/passwd", "", "AB" * 32, "ab" * 32 + "\n"])
def test_digest_cannot_lead_out_of_the_store(store: BlobStore, hex_digest: str) -> None:
    with pytest.raises(MalformedError):
        store.get(Digest(hex_digest))


def test_foreign_files_are_not_blobs(store: BlobStore) -> None:
    store.put(b"abc")
    (store.path(ABC).parent / "README").write_bytes(b"")
    (store.path(ABC).parent / ("cd" * 32)).write_bytes(b"in the wrong folder")
    (store.root / "sha256" / "file").write_bytes(b"")
    assert list(store) == [ABC]


def test_first_put_removes_a_dead_writer_s_leftovers(store: BlobStore) -> None:
    store.put(b"abc")
    (store.root / "tmp" / ".tmp-1-dead").write_bytes(b"half")
    BlobStore(store.root).put(b"more")
    assert leftovers(store) == []


def test_leftovers_stay_while_a_writer_is_at_work(store: BlobStore) -> None:
    store.put(b"abc")
    alive = store.root / "tmp" / ".tmp-1-alive"
    alive.write_bytes(b"half")
    with locked(store.root / "lock", shared=True):
        BlobStore(store.root).put(b"more")
        assert alive.exists()


def test_full_disk_is_an_infrastructure_error(store: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store.put(b"abc")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InfrastructureError, match="No space left"):
        store.put(b"more")
    with pytest.raises(InfrastructureError, match="No space left"):
        store.put(b"abc")
    assert list(store) == [ABC]
    assert leftovers(store) == []
