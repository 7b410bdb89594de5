"""Blobs behind which is a bucket: put here and there, taken from there, hashed wherever they come from."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest
from obstore.store import MemoryStore

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.model.digest import Digest
from pratique.store.blobs import BlobStore
from pratique.store.objects import Objects, open_objects
from pratique.store.sharedblobs import SharedBlobs

if TYPE_CHECKING:
    from pathlib import Path

# SHA-256 of "abc": FIPS 180-2, appendix B.1
ABC = Digest("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
NAME = f"blobs/sha256/ba/{ABC.hex}"


@pytest.fixture
def objects() -> Objects:
    return Objects(MemoryStore(), "s3://bucket")


@pytest.fixture
def store(tmp_path: Path, objects: Objects) -> SharedBlobs:
    return SharedBlobs(tmp_path / "blobs", objects)


def test_put_is_here_and_there(store: SharedBlobs, objects: Objects) -> None:
    assert store.put(b"abc") == ABC
    assert store.path(ABC).read_bytes() == b"abc"
    found = objects.get(NAME)
    assert found is not None
    assert found.data == b"abc"


def test_a_large_file_too_and_only_once(
    store: SharedBlobs, objects: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(6 * 1024 * 1024)  # more than one part of a multipart upload
    (tmp_path / "large").write_bytes(data)
    digest = store.put_file(tmp_path / "large")
    assert digest.hex == hashlib.sha256(data).hexdigest()
    assert objects.size(f"blobs/sha256/{digest.hex[:2]}/{digest.hex}") == len(data)
    monkeypatch.setattr(Objects, "put_file", lambda *_: pytest.fail("sent again"))
    assert store.put_file(tmp_path / "large") == digest


def test_another_machine_reads_it_and_keeps_it(store: SharedBlobs, objects: Objects, tmp_path: Path) -> None:
    batch = [b"blob %d" % n for n in range(80)]
    digests = store.put_all([b"abc", *batch])
    other = SharedBlobs(tmp_path / "other", objects)
    assert other.has(ABC)
    assert other.size(ABC) == 3
    assert list(other) == []
    assert [other.get(digest) for digest in digests] == [b"abc", *batch]
    assert BlobStore(tmp_path / "other").get(ABC) == b"abc"
    assert list(other) == sorted(digests)


def test_damage_there_is_noticed_and_nothing_of_it_kept(
    store: SharedBlobs, objects: Objects, tmp_path: Path
) -> None:
    objects.put_all([(NAME, b"abd")])
    with pytest.raises(EvidenceInvalidError) as caught:
        store.get(ABC)
    assert f"s3://bucket/{NAME} is damaged" in caught.value.message
    assert hashlib.sha256(b"abd").hexdigest() in caught.value.message
    assert not BlobStore(tmp_path / "blobs").has(ABC)


def test_damage_here_is_mended_from_there(store: SharedBlobs) -> None:
    store.put(b"abc")
    store.path(ABC).chmod(0o600)
    store.path(ABC).write_bytes(b"abd")
    assert store.get(ABC) == b"abc"
    assert store.path(ABC).read_bytes() == b"abc"


def test_missing_here_and_there(store: SharedBlobs) -> None:
    assert not store.has(ABC)
    with pytest.raises(EvidenceInvalidError, match=f"blob {ABC} is missing"):
        store.get(ABC)


def test_sending_all_sends_what_is_only_here(store: SharedBlobs, objects: Objects, tmp_path: Path) -> None:
    alone = BlobStore(tmp_path / "blobs")
    alone.put(b"abc")
    digests = alone.put_all([b"blob %d" % n for n in range(80)])
    assert store.send_all() == 81
    assert store.send_all() == 0
    assert [bool(objects.size(f"blobs/sha256/{d.hex[:2]}/{d.hex}")) for d in [ABC, *digests]] == [True] * 81


def test_a_damaged_blob_is_not_sent(store: SharedBlobs, objects: Objects, tmp_path: Path) -> None:
    BlobStore(tmp_path / "blobs").put(b"abc")
    store.path(ABC).chmod(0o600)
    store.path(ABC).write_bytes(b"abd")
    with pytest.raises(EvidenceInvalidError, match="is damaged"):
        store.send_all()
    assert objects.get(NAME) is None


@pytest.mark.parametrize(
    "url", ["bucket", "http://bucket", "s3://", "s3://Bucket/x", "s3://b/x?y", "s3://a b/c"]
)
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no object storage"):
        open_objects(url)


@pytest.mark.parametrize("endpoint", ["http://storage.example.com", "ftp://127.0.0.1", "storage.example.com"])
def test_plain_http_is_for_loopback_alone(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="is not HTTPS"):
        open_objects("s3://bucket/x", endpoint=endpoint)
