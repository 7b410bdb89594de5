"""The log on object storage: never ahead of this machine, never forked, and enough to start again from.

The bucket is the vendor library's own in-memory store, which knows versions; a real server is in
tests/integration/journal/test_s3.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from obstore.store import MemoryStore

from pratique.errors import EvidenceInvalidError, InfrastructureError, UsageError
from pratique.journal.journal import Journal
from pratique.journal.published import fetch_digests, fetch_log
from pratique.journal.tiles import Tiles
from pratique.store.objects import ConflictError, Objects
from pratique.store.sharedblobs import SharedBlobs
from pratique.trust.bundle import Signed
from pratique.trust.note import verify_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Sign = Callable[..., Signed]
Start = Callable[[str], Journal]
ORIGIN = "log.example.com"


@pytest.fixture
def objects() -> Objects:
    return Objects(MemoryStore(), "s3://bucket/team")


@pytest.fixture
def start(tmp_path: Path, log_key: Ed25519PrivateKey, objects: Objects) -> Iterator[Start]:
    opened: list[Journal] = []

    def start(name: str) -> Journal:
        home = tmp_path / name
        blobs = SharedBlobs(home / "blobs", objects)
        opened.append(Journal.open(home, log_key=log_key, origin=ORIGIN, blobs=blobs, objects=objects))
        return opened[-1]

    yield start
    for journal in opened:
        journal.close()


def published(objects: Objects, log_key: Ed25519PrivateKey) -> int:
    found = objects.get("journal/checkpoint")
    assert found is not None
    return verify_checkpoint(found.data.decode(), ORIGIN, log_key.public_key()).size


def test_what_was_appended_is_published_with_all_its_files(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey
) -> None:
    journal = start("a")
    for first, last in ((0, 3), (3, 255), (255, 300), (300, 301)):
        journal.append([sign(n) for n in range(first, last)])
        assert published(objects, log_key) == last
    root = journal.tiles.root
    here = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    there = [name.removeprefix("journal/") for name in objects.names("journal")]
    # As here, where older checkpoints' partial tiles stay until the full one is there (tlog-tiles).
    assert set(here) <= {*there, "tile/entries/001.p/44", "tile/0/001.p/44"}
    assert not [name for name in there if "/000.p/" in name and name.startswith(("tile/0/", "tile/entries/"))]
    for name in ("checkpoint", "tile/0/000", "tile/0/001.p/45", "tile/1/000.p/1", "tile/entries/001.p/45"):
        found = objects.get(f"journal/{name}")
        assert found is not None
        assert found.data == (root / name).read_bytes()
    evidence = [ref.digest for ref in sorted(journal.find(), key=lambda ref: ref.index)]
    assert fetch_digests(objects, 301) == evidence
    assert all(objects.size(f"blobs/sha256/{digest.hex[:2]}/{digest.hex}") for digest in evidence)


def test_two_processes_of_one_machine_publish_by_turns(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey
) -> None:
    first, second = start("a"), start("a")
    for number in range(4):
        (first if number % 2 else second).append([sign(number)])
    assert published(objects, log_key) == 4


def test_another_machine_with_the_same_key_publishes_nothing(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey
) -> None:
    start("a").append([sign(0), sign(1)])
    other = start("b")
    with pytest.raises(EvidenceInvalidError, match="of another history"):
        other.append([sign(7)])
    assert other.head().size == 0  # nothing was signed here on top of what is there
    assert published(objects, log_key) == 2


def test_an_old_copy_of_the_whole_state_appends_nothing(
    start: Start, sign: Sign, tmp_path: Path, objects: Objects, log_key: Ed25519PrivateKey
) -> None:
    journal = start("a")
    journal.append([sign(0)])
    journal.close()
    shutil.copytree(tmp_path / "a", tmp_path / "old")
    start("a").append([sign(1)])
    old = start("old")
    with pytest.raises(EvidenceInvalidError, match="is at size 2, and this machine's log at 1"):
        old.append([sign(9)])
    assert old.head().size == 1
    assert published(objects, log_key) == 2


def test_whoever_loses_the_race_says_so(start: Start, sign: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = start("a")
    journal.append([sign(0)])

    def lost(*_: object) -> str:
        raise ConflictError("s3://bucket/team/journal/checkpoint was written by somebody else meanwhile")

    monkeypatch.setattr(Objects, "replace", lost)  # the other machine is faster, again and again
    with pytest.raises(ConflictError) as caught:
        journal.append([sign(1)])
    assert "two must not hold one log key" in caught.value.hint


def test_a_service_out_of_reach_stops_appends_and_loses_nothing(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = start("a")
    journal.append([sign(0)])
    with monkeypatch.context() as patch:

        def down(*_: object) -> str:
            raise InfrastructureError("s3://bucket/team: connection refused")

        patch.setattr(Objects, "replace", down)
        with pytest.raises(InfrastructureError, match="connection refused"):
            journal.append([sign(1)])  # in the log here; not published
        with pytest.raises(InfrastructureError, match="connection refused"):
            journal.append([sign(2)])  # refused before anything was signed
    assert journal.head().size == 2
    assert len(journal.find()) == 2  # readable all the while
    assert published(objects, log_key) == 1
    assert journal.publish() == 2
    assert published(objects, log_key) == 2


def test_a_bucket_of_another_log_is_refused(start: Start, sign: Sign, objects: Objects) -> None:
    objects.put_all([("journal/checkpoint", b"other.example.com\n0\nAAAA\n")])
    with pytest.raises(EvidenceInvalidError, match="is not a checkpoint of this log") as caught:
        start("a").append([sign(0)])
    assert "a prefix of its own" in caught.value.hint


def test_a_published_log_is_copied_and_verified(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    journal = start("a")
    journal.append([sign(n) for n in range(300)])
    copy = tmp_path / "copy"
    head = fetch_log(objects, copy, origin=ORIGIN, keys=[log_key.public_key()])
    assert (head.size, head.root) == (300, journal.head().root)
    assert Tiles(copy).checkpoint() == journal.checkpoint()
    assert list(Tiles(copy).leaves(0, 300, published=300)) == list(journal.entries())


def test_a_damaged_published_log_is_refused(
    start: Start, sign: Sign, objects: Objects, log_key: Ed25519PrivateKey, tmp_path: Path
) -> None:
    start("a").append([sign(n) for n in range(300)])
    damage: list[tuple[str, bytes | None, str]] = [
        ("journal/tile/entries/000", b"\x00\x01x" * 256, "the entries do not lead to the root"),
        ("journal/tile/entries/001.p/44", None, "tile/entries/001.p/44 is missing"),
        ("journal/checkpoint", None, "there is no checkpoint"),
    ]
    for number, (name, data, complaint) in enumerate(damage):
        if data is None:
            objects.remove([name])
        else:
            objects.put_all([(name, data)])
        copy = tmp_path / f"copy-{number}"
        with pytest.raises(EvidenceInvalidError, match=complaint):
            fetch_log(objects, copy, origin=ORIGIN, keys=[log_key.public_key()])
        assert Tiles(copy).checkpoint() is None


def test_publishing_needs_a_bucket(opener: Callable[[], Journal]) -> None:
    with pytest.raises(UsageError, match="no object storage"):
        opener().publish()
