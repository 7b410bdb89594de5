"""What a crash cut short is completed; what was rolled back is refused, and nothing is signed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, InfrastructureError, PratiqueError
from pratique.journal.index import Index
from pratique.journal.journal import Journal
from pratique.journal.sequencer import Head, NewEntry, Sequencer
from pratique.journal.tiles import Tiles
from pratique.model.digest import sha256_bytes
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Open = Callable[[], Journal]
Sign = Callable[..., Signed]


def files_of(home: Path) -> dict[str, bytes]:
    """The log as readers see it: tiles, checkpoint and bundles."""
    folders = [home / "journal" / "tiles", home / "blobs" / "sha256"]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(home)): path.read_bytes() for path in found}


@contextmanager
def failing(owner: type, step: str, when: str = "before") -> Iterator[None]:
    """Let one step of an append fail, before or after it did its work."""
    original = getattr(owner, step)

    def cut(*arguments: object) -> None:
        if when == "after":
            original(*arguments)
        raise InfrastructureError("the machine stopped")

    setattr(owner, step, cut)
    try:
        yield
    finally:
        setattr(owner, step, original)


STEPS = [
    (Tiles, "write"),
    (Tiles, "publish_checkpoint"),
    (BlobStore, "put_all"),
    (Index, "add"),
    (Tiles, "drop_partials"),
    (Sequencer, "complete"),
]
CUTS = [(owner, name, when) for owner, name in STEPS for when in ("before", "after")]


def batches_of(sign: Sign) -> list[list[Signed]]:
    """Three batches, the second of which fills a tile."""
    return [[sign(n) for n in range(250)], [sign(n) for n in range(250, 260)], [sign(260)]]


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory, log_key: Ed25519PrivateKey, sign: Sign) -> Path:
    """The log as it is when nothing is cut short."""
    home = tmp_path_factory.mktemp("uncut")
    blobs = BlobStore(home / "blobs")
    with Journal.open(home, log_key=log_key, origin="log.example.com", blobs=blobs) as journal:
        for batch in batches_of(sign):
            journal.append(batch)
    return home


@pytest.mark.parametrize("cut", CUTS, ids=[f"{when}-{name}" for _, name, when in CUTS])
def test_append_cut_short_at_any_step_is_completed_with_the_same_bytes(
    opener: Open, sign: Sign, tmp_path: Path, uncut: Path, cut: tuple[type, str, str]
) -> None:
    batches = batches_of(sign)
    journal = opener()
    journal.append(batches[0])
    with failing(*cut), pytest.raises(InfrastructureError, match="the machine stopped"):
        journal.append(batches[1])
    reopened = opener()
    assert reopened.head().size == 260
    assert [ref.index for ref in reopened.find()] == list(range(259, -1, -1))
    assert reopened.append(batches[2])[0].index == 260
    assert dict(files_of(tmp_path).items()) == files_of(uncut)
    assert reopened.index.dump() == Index(uncut / "index.sqlite").dump()
    reopened.verify()


def test_same_journal_goes_on_after_a_failed_append(opener: Open, sign: Sign) -> None:
    journal = opener()
    with failing(Tiles, "write"), pytest.raises(InfrastructureError):
        journal.append([sign(0)])
    assert journal.head().size == 0
    assert journal.append([sign(1)])[0].index == 1
    assert [ref.subjects[0].name for ref in journal.find()] == ["artifact-1", "artifact-0"]
    journal.verify()


def test_failure_before_the_commit_leaves_no_trace(opener: Open, sign: Sign, tmp_path: Path) -> None:
    journal = opener()
    journal.append([sign(0)])
    before = files_of(tmp_path)
    with failing(Sequencer, "commit"), pytest.raises(InfrastructureError):
        journal.append([sign(1)])
    reopened = opener()
    assert files_of(tmp_path) == before
    assert reopened.append([sign(2)])[0].index == 1


def test_all_tiles_lost_are_rendered_again_from_the_sequencer(
    opener: Open, sign: Sign, tmp_path: Path
) -> None:
    journal = opener()
    for start, end in [(0, 3), (3, 255), (255, 256), (256, 520), (520, 521)]:
        journal.append([sign(n) for n in range(start, end)])
    before = files_of(tmp_path)
    shutil.rmtree(tmp_path / "journal" / "tiles")
    opener()
    assert files_of(tmp_path) == before


def test_damaged_tile_at_the_edge_stops_the_log_before_anything_is_signed(
    opener: Open, sign: Sign, tmp_path: Path
) -> None:
    opener().append([sign(n) for n in range(3)])
    path = tmp_path / "journal" / "tiles" / "tile" / "0" / "000.p" / "3"
    path.write_bytes(bytes(96))
    journal = opener()
    before = files_of(tmp_path)
    with pytest.raises(EvidenceInvalidError, match=r"tile/0/000\.p/3"):
        journal.append([sign(3)])
    assert files_of(tmp_path) == before
    path.unlink()
    assert journal.append([sign(3)])[0].index == 3
    journal.verify()


def test_damaged_sequencer_row_never_overwrites_good_tiles(opener: Open, sign: Sign, tmp_path: Path) -> None:
    journal = opener()
    journal.append([sign(n) for n in range(3)])
    journal.close()
    connection = sqlite3.connect(tmp_path / "journal" / "sequencer.sqlite")
    connection.execute("UPDATE entries SET leaf = x'00' WHERE position = 1")
    connection.commit()
    connection.close()
    (tmp_path / "journal" / "tiles" / "tile" / "0" / "000.p" / "3").unlink()
    before = files_of(tmp_path)
    with pytest.raises(EvidenceInvalidError, match=r"sequencer\.sqlite is damaged"):
        opener()
    assert files_of(tmp_path) == before


def rolled_back(opener: Open, sign: Sign, tmp_path: Path) -> Path:
    """Put the sequencer of two entries beside the tiles of three."""
    journal = opener()
    journal.append([sign(0), sign(1)])
    path = tmp_path / "journal" / "sequencer.sqlite"
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(tmp_path / "old")) as target:
        source.backup(target)
    journal = opener()
    journal.append([sign(2)])
    journal.close()
    replace_sequencer(tmp_path / "old", path)
    return path


def replace_sequencer(source: Path, path: Path) -> None:
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    source.replace(path)


@pytest.mark.parametrize("lost", ["nothing", "index", "checkpoint"])
def test_old_sequencer_beside_newer_files_is_refused(
    opener: Open, sign: Sign, tmp_path: Path, lost: str
) -> None:
    running = opener()
    path = rolled_back(opener, sign, tmp_path)
    if lost == "index":
        for index in tmp_path.glob("index.sqlite*"):
            index.unlink()
    if lost == "checkpoint":
        (tmp_path / "journal" / "tiles" / "checkpoint").unlink()
    before = files_of(tmp_path)
    for attempt in (opener, lambda: running.append([sign(9)]), running.recover):
        with pytest.raises(EvidenceInvalidError, match="refusing to sign") as caught:
            attempt()
        assert str(path) in caught.value.message
        assert "put back" in caught.value.hint
        if lost == "index":
            assert "is at size 2, but the published checkpoint at 3" in caught.value.message
    assert files_of(tmp_path) == before


def test_lost_sequencer_is_refused(opener: Open, sign: Sign, tmp_path: Path) -> None:
    journal = opener()
    journal.append([sign(0)])
    journal.close()
    for path in (tmp_path / "journal").glob("sequencer.sqlite*"):
        path.unlink()
    before = files_of(tmp_path)
    with pytest.raises(EvidenceInvalidError, match="is empty, but the log was published"):
        opener()
    assert files_of(tmp_path) == before


def test_sequencer_of_another_history_is_refused(opener: Open, sign: Sign, tmp_path: Path) -> None:
    key = opener()._writer._key
    other = Journal.open(
        tmp_path / "other",
        log_key=key,
        origin="log.example.com",
        blobs=BlobStore(tmp_path / "other" / "blobs"),
    )
    other.append([sign(7)])
    other.append([sign(8)])
    other.close()
    journal = opener()
    journal.append([sign(0)])
    journal.close()
    sequencer = Path("journal") / "sequencer.sqlite"
    replace_sequencer(tmp_path / "other" / sequencer, tmp_path / sequencer)
    with pytest.raises(EvidenceInvalidError, match="signed another head for size 1"):
        opener()


def test_second_head_for_a_size_is_never_kept(tmp_path: Path) -> None:
    sequencer = Sequencer(tmp_path / "sequencer.sqlite")
    entry = NewEntry(b"leaf", sha256_bytes(b"bundle"), b"signed")
    sequencer.initialise("origin", b"key")
    sequencer.commit(None, Head(0, b"root", "checkpoint"), [])
    sequencer.commit(0, Head(1, b"one", "one"), [entry])
    with pytest.raises(InfrastructureError, match="another writer came between"):
        sequencer.commit(0, Head(1, b"other", "other"), [entry])
    with pytest.raises(PratiqueError):
        sequencer.commit(1, Head(1, b"other", "other"), [])
    assert sequencer.head() == Head(1, b"one", "one")
    sequencer.close()


def test_completing_one_batch_leaves_the_others_pending(tmp_path: Path) -> None:
    sequencer = Sequencer(tmp_path / "sequencer.sqlite")
    sequencer.initialise("origin", b"key")
    sequencer.commit(None, Head(0, b"root", "checkpoint"), [])
    for size in (2, 3, 5):
        old = sequencer.head()
        assert old is not None
        entries = [NewEntry(b"%d" % n, sha256_bytes(b"%d" % n), b"s%d" % n) for n in range(old.size, size)]
        sequencer.commit(old.size, Head(size, b"root", "checkpoint"), entries)
    for done, left in [(3, [2, 5]), (5, [2]), (4, [2]), (2, [])]:
        sequencer.complete(done)
        assert sequencer.pending() == left
        assert [item.signed for item in sequencer.batch(2)] == ([b"s0", b"s1"] if 2 in left else [])
    sequencer.close()


def test_leftover_temporary_files_are_removed(opener: Open, sign: Sign, tmp_path: Path) -> None:
    opener().append([sign(0)])
    left = [
        tmp_path / "journal" / "tiles" / ".tmp-1-a",
        tmp_path / "journal" / "tiles" / "tile" / "0" / "000.p" / ".tmp-1-b",
        tmp_path / "blobs" / "tmp" / ".tmp-1-c",
    ]
    for path in left:
        path.write_bytes(b"half")
    opener().recover()
    assert [path for path in left if path.exists()] == []


def test_schema_of_a_newer_version_is_refused(opener: Open, tmp_path: Path) -> None:
    opener().close()
    connection = sqlite3.connect(tmp_path / "journal" / "sequencer.sqlite")
    connection.execute("PRAGMA user_version = 4")
    connection.close()
    with pytest.raises(EvidenceInvalidError, match="schema version 4"):
        opener()
