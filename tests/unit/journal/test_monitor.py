"""A monitor follows an honest log quietly, and shouts about every other."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.journal.journal import Journal
from pratique.journal.layout import decode_entries, encode_entries
from pratique.journal.monitor import Round, follow
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed
from pratique.trust.note import Checkpoint, sign_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[[], Journal]
Sign = Callable[..., Signed]
ORIGIN = "log.example.com"


class Watched:
    """A log, a copy of what it publishes, and the monitor's memory."""

    def __init__(self, folder: Path, journal: Journal, key: Ed25519PrivateKey, sign: Sign) -> None:
        self.journal, self.key, self.sign = journal, key, sign
        self.tiles = folder / "copy"
        self.state = folder / "monitor" / "state"

    def grow(self, count: int) -> None:
        size = self.journal.head().size
        if count:
            self.journal.append([self.sign(number) for number in range(size, size + count)])
        shutil.rmtree(self.tiles, ignore_errors=True)
        shutil.copytree(self.journal.tiles.root, self.tiles)

    def round(self, judge: Callable[[int, bytes], str] | None = None) -> Round:
        return follow(self.tiles, state=self.state, logs={ORIGIN: [self.key.public_key()]}, judge=judge)

    def refused(self, match: str) -> None:
        """The round fails with exit code 4, and leaves the memory as it was."""
        before = self.state.read_bytes() if self.state.exists() else None
        with pytest.raises(EvidenceInvalidError, match=match) as caught:
            self.round()
        assert caught.value.exit_code == 4
        assert (self.state.read_bytes() if self.state.exists() else None) == before

    def publish(self, size: int, root: bytes, key: Ed25519PrivateKey | None = None) -> None:
        note = sign_checkpoint(Checkpoint(ORIGIN, size, root), key or self.key)
        (self.tiles / "checkpoint").write_text(note)

    def kept(self) -> list[str]:
        folder = self.state.with_name("state.misbehaviour")
        return sorted(path.name.split("-")[0] for path in folder.iterdir()) if folder.exists() else []

    def change_entry(self, name: str, index: int) -> None:
        path = self.tiles / "tile" / "entries" / name
        entries = decode_entries(path.read_bytes(), what="entries")
        entries[index] = entries[index].replace(b"PKIX", b"pkix")
        path.write_bytes(encode_entries(entries))

    def flip(self, name: str, offset: int) -> None:
        path = self.tiles / "tile" / name
        data = bytearray(path.read_bytes())
        data[offset] ^= 1
        path.write_bytes(data)


@pytest.fixture
def watched(tmp_path: Path, opener: Open, log_key: Ed25519PrivateKey, sign: Sign) -> Watched:
    return Watched(tmp_path, opener(), log_key, sign)


def test_an_honest_log_is_followed(watched: Watched) -> None:
    size = 0
    for count in (0, 1, 2, 0, 252, 1, 1, 300, 0):
        watched.grow(count)
        found = watched.round()
        assert (found.before, found.head) == (size, watched.journal.head())
        size += count
    assert size == 557
    assert watched.kept() == []


def test_a_long_log_is_taken_in_at_once(watched: Watched) -> None:
    watched.grow(600)
    judged: list[int] = []
    watched.round(lambda index, _: judged.append(index) or "")
    assert judged == list(range(600))
    judged.clear()
    watched.grow(3)
    watched.round(lambda index, _: judged.append(index) or "")
    assert judged == [600, 601, 602]


def test_a_fork_of_one_size(watched: Watched) -> None:
    watched.grow(3)
    watched.round()
    watched.publish(3, bytes(32))
    watched.refused(r"FORK: the log log\.example\.com signed two trees of 3 entries")
    assert watched.kept() == ["fork"]
    (folder,) = watched.state.with_name("state.misbehaviour").iterdir()
    assert (folder / "earlier").read_text() == watched.journal.checkpoint()
    assert (folder / "offered").read_text() == (watched.tiles / "checkpoint").read_text()


def test_a_log_that_shrank(watched: Watched) -> None:
    watched.grow(2)
    older = watched.journal.checkpoint()
    watched.grow(1)
    watched.round()
    (watched.tiles / "checkpoint").write_text(older)
    watched.refused("shrank from 3 entries to 2")
    assert watched.kept() == ["rollback"]


def test_another_history_that_is_longer(
    watched: Watched, tmp_path: Path, log_key: Ed25519PrivateKey, sign: Sign
) -> None:
    watched.grow(3)
    watched.round()
    home = tmp_path / "other"
    with Journal.open(home, log_key=log_key, origin=ORIGIN, blobs=BlobStore(home / "blobs")) as other:
        other.append([sign(number) for number in (0, 7, 2, 3, 4)])
    shutil.rmtree(watched.tiles)
    shutil.copytree(home / "journal" / "tiles", watched.tiles)
    watched.refused("at 5 entries is not shown to continue its tree of 3")
    assert watched.kept() == ["unproven"]


def test_a_new_entry_that_was_changed_is_named(watched: Watched) -> None:
    watched.grow(2)
    watched.round()
    watched.grow(3)
    watched.change_entry("000.p/5", 3)
    watched.refused(r"not what was logged:\n  entry 3$")
    watched.grow(0)
    assert watched.round().before == 2


def test_a_known_entry_beside_new_ones_that_was_changed_is_named(watched: Watched) -> None:
    watched.grow(4)
    watched.round()
    watched.change_entry("000.p/4", 1)
    watched.refused(r"not what was logged:\n  entry 1$")
    watched.grow(1)
    watched.change_entry("000.p/5", 2)
    watched.refused(r"not what was logged:\n  entry 2$")


def test_a_known_entry_changed_together_with_its_hash(watched: Watched) -> None:
    watched.grow(3)
    watched.round()
    watched.grow(1)
    watched.change_entry("000.p/4", 1)
    tiles = watched.tiles / "tile"
    changed = decode_entries((tiles / "entries/000.p/4").read_bytes(), what="entries")[1]
    hashes = bytearray((tiles / "0/000.p/4").read_bytes())
    hashes[32:64] = hashlib.sha256(b"\0" + changed).digest()
    (tiles / "0/000.p/4").write_bytes(hashes)
    watched.refused(r"not what was logged:\n  entry 1$")


def test_an_entry_and_its_hash_changed_alike(watched: Watched) -> None:
    watched.grow(3)
    watched.change_entry("000.p/3", 2)
    watched.flip("0/000.p/3", 70)
    watched.refused("neither the entries nor the hash tiles have the root")


def test_a_hash_tile_that_was_changed(watched: Watched) -> None:
    watched.grow(3)
    watched.flip("0/000.p/3", 40)
    watched.refused(r"the hash tiles are wrong about:\n  entry 1$")


def test_an_upper_hash_tile_that_was_changed(watched: Watched) -> None:
    watched.grow(300)
    watched.round()
    watched.grow(10)
    watched.flip("1/000.p/1", 0)
    watched.refused("the entries are what was signed, but a hash tile over them is wrong")


def test_files_that_are_missing(watched: Watched) -> None:
    watched.grow(3)
    watched.round()
    watched.grow(3)
    (watched.tiles / "tile" / "entries" / "000.p" / "6").unlink()
    watched.refused("is missing")
    (watched.tiles / "checkpoint").unlink()
    watched.refused("checkpoint is missing")


def test_a_checkpoint_by_another_key(watched: Watched) -> None:
    watched.grow(1)
    watched.publish(1, watched.journal.head().root, Ed25519PrivateKey.from_private_bytes(b"\7" * 32))
    with pytest.raises(SignatureInvalidError, match="not signed by"):
        watched.round()


def test_what_the_judge_says_is_shouted_until_it_is_content(watched: Watched) -> None:
    watched.grow(30)
    for _ in range(2):
        with pytest.raises(
            EvidenceInvalidError, match=r"nobody expects:\n  bad 0\n  bad 1\n(?s:.*) and 10 more"
        ):
            watched.round(lambda index, _: f"bad {index}")
    assert not watched.state.exists()
    assert watched.round(lambda *_: "").head.size == 30


def test_a_state_of_another_log(watched: Watched, tmp_path: Path, log_key: Ed25519PrivateKey) -> None:
    watched.grow(1)
    watched.round()
    blobs = BlobStore(tmp_path / "other" / "blobs")
    with Journal.open(tmp_path / "other", log_key=log_key, origin="other.example", blobs=blobs) as other:
        logs = {"other.example": [log_key.public_key()]}
        with pytest.raises(
            ConfigError, match=r"remembers the log log\.example\.com, and this is other\.example"
        ):
            follow(other.tiles.root, state=watched.state, logs=logs)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"version":1', b'"version":2'),
        (b'"edge":[["', b'"edge":[["AAAA","'),
        (b'"edge":[[', b'"edge":["x",['),
        (b"\\n1\\n", b"\\n2\\n"),
        (b'"checkpoint":"', b'"checkpoint":"\\n'),
        (b"{", b""),
        (b"}", b',"edge":[]}'),
    ],
)
def test_a_damaged_state_is_not_believed(watched: Watched, old: bytes, new: bytes) -> None:
    watched.grow(1)
    watched.round()
    data = watched.state.read_bytes()
    changed = data.replace(old, new)
    assert changed != data
    watched.state.write_bytes(changed)
    watched.refused("state is damaged")


def test_an_entry_bundle_that_is_no_such_thing(watched: Watched) -> None:
    watched.grow(1)
    (watched.tiles / "tile" / "entries" / "000.p" / "1").write_bytes(b"\xff\xffshort")
    with pytest.raises(MalformedError):
        watched.round()
