"""A damaged or doctored log does not verify, and the message names the culprit."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import EvidenceInvalidError
from pratique.journal.check import verify_log, verify_log_with_key
from pratique.journal.journal import Journal
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed, parse_bundle
from pratique.trust.note import Checkpoint, log_key_id, sign_checkpoint
from pratique.trust.root import KEY_ED25519, LogInstance, TrustedRoot, Validity

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.model.digest import Digest
from hashlib import sha256

Open = Callable[[], Journal]
Sign = Callable[..., Signed]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, log_key: Ed25519PrivateKey, sign: Sign) -> Path:
    """A log of 300 entries: one full tile, partial ones of two checkpoints, and a level-1 tile."""
    home = tmp_path_factory.mktemp("original")
    blobs = BlobStore(home / "blobs")
    with Journal.open(home, log_key=log_key, origin="log.example.com", blobs=blobs) as journal:
        journal.append([sign(n) for n in range(299)])
        journal.append([sign(299)])
    return home


@pytest.fixture
def journal(original: Path, tmp_path: Path, opener: Open) -> Journal:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return opener()


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def complaint(journal: Journal) -> str:
    with pytest.raises(EvidenceInvalidError) as caught:
        journal.verify()
    return caught.value.message


def trusted_root(key: Ed25519PrivateKey) -> TrustedRoot:
    public = key.public_key()
    log = LogInstance(
        base_url="https://log.example.com",
        key=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        key_details=KEY_ED25519,
        log_id=log_key_id("log.example.com", public),
        valid_for=Validity(datetime(2026, 1, 1, tzinfo=UTC)),
    )
    return TrustedRoot(
        data=b"", tlogs=(log,), certificate_authorities=(), ctlogs=(), timestamp_authorities=()
    )


def test_copy_verifies_elsewhere_with_the_trusted_root_alone(
    journal: Journal, tmp_path: Path, log_key: Ed25519PrivateKey
) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "journal" / "tiles", copy / "journal" / "tiles")
    shutil.copytree(tmp_path / "blobs", copy / "blobs")
    report = verify_log(copy / "journal", root=trusted_root(log_key), blobs=BlobStore(copy / "blobs"))
    assert (report.origin, report.size, report.root) == ("log.example.com", 300, journal.head().root)


def test_other_root_does_not_verify_it(journal: Journal, tmp_path: Path) -> None:
    other = trusted_root(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    with pytest.raises(EvidenceInvalidError, match=r"not signed by log\.example\.com"):
        verify_log(tmp_path / "journal", root=other, blobs=journal.blobs)
    nobody = TrustedRoot(data=b"", tlogs=(), certificate_authorities=(), ctlogs=(), timestamp_authorities=())
    with pytest.raises(EvidenceInvalidError, match="knows no log"):
        verify_log(tmp_path / "journal", root=nobody, blobs=journal.blobs)


@pytest.mark.parametrize(
    ("tile", "offset", "named"),
    [
        ("tile/0/000", 0, "tile/0/000: the hash of entry 0 is wrong"),
        ("tile/0/000", 255 * 32, "tile/0/000: the hash of entry 255 is wrong"),
        ("tile/0/001.p/44", 43 * 32 + 31, "tile/0/001.p/44: the hash of entry 299 is wrong"),
        ("tile/1/000.p/1", 0, "tile/1/000.p/1: hash 0 is wrong"),
        ("tile/entries/000", 40, "tile/entries/000: entry 0 is not what was logged"),
        ("tile/entries/001.p/44", -1, "tile/entries/001.p/44: entry 299 is not what was logged"),
        ("tile/0/001.p/43", 5, "tile/0/001.p/43 is not the beginning of"),
        ("tile/entries/001.p/43", 5, "tile/entries/001.p/43 is not the beginning of"),
        ("tile/entries/000", 0, "tile/entries/000 ends in the middle of entry"),
    ],
)
def test_flipped_bit_in_a_tile_is_named_and_nothing_else(
    journal: Journal, tile: str, offset: int, named: str
) -> None:
    flip(journal.tiles.root / tile, offset)
    message = complaint(journal)
    assert named in message
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize(
    "tile", ["tile/0/000", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/44"]
)
def test_missing_tile_is_named_and_rendered_again(journal: Journal, opener: Open, tile: str) -> None:
    path = journal.tiles.root / tile
    before = path.read_bytes()
    path.unlink()
    assert f"{path} is missing" in complaint(journal)
    opener().recover()
    assert path.read_bytes() == before
    journal.verify()


@pytest.mark.parametrize("tile", ["tile/0/000", "tile/0/001.p/44", "tile/entries/001.p/44"])
def test_tile_with_something_behind_its_end_is_named(journal: Journal, tile: str) -> None:
    path = journal.tiles.root / tile
    path.write_bytes(path.read_bytes() + bytes(32))
    assert str(path) in complaint(journal)


def test_damaged_checkpoint_is_named_and_never_signed_over(journal: Journal, opener: Open) -> None:
    path = journal.tiles.checkpoint_path
    flip(path, 20)
    with pytest.raises(EvidenceInvalidError, match=str(path)):
        journal.verify()
    with pytest.raises(EvidenceInvalidError, match=str(path)):
        opener()


def test_checkpoint_that_is_not_text_is_named(journal: Journal) -> None:
    path = journal.tiles.checkpoint_path
    flip(path, path.read_bytes().index("\u2014".encode()))
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(EvidenceInvalidError, match=str(path)):
        journal.verify()


def test_missing_checkpoint_is_named(journal: Journal) -> None:
    journal.tiles.checkpoint_path.unlink()
    with pytest.raises(EvidenceInvalidError, match=r"checkpoint is missing"):
        journal.verify()


def test_log_signed_over_other_entries_is_told(journal: Journal, log_key: Ed25519PrivateKey) -> None:
    text = sign_checkpoint(Checkpoint("log.example.com", 300, bytes(32)), log_key)
    journal.tiles.checkpoint_path.write_text(text)
    message = complaint(journal)
    assert f"its root {bytes(32).hex()} is not that of the 300 entries" in message


def test_damaged_bundle_is_named(journal: Journal) -> None:
    ref = journal.find()[0]
    path = journal.blobs.path(ref.digest)
    flip(path, 0)
    message = complaint(journal)
    assert f"{path} is damaged" in message
    assert f"entry 299: its bundle {ref.digest} is damaged" in message


def lose(journal: Journal, digest: Digest) -> None:
    with contextlib.closing(sqlite3.connect(journal.blobs.root / "packed.sqlite")) as connection, connection:
        connection.execute("DELETE FROM blobs WHERE digest = ?", (bytes.fromhex(digest.hex),))


def test_missing_bundle_is_named(journal: Journal) -> None:
    ref = journal.find()[5]
    lose(journal, ref.digest)
    assert f"entry 294: its bundle {ref.digest} is missing" in complaint(journal)


def test_missing_bundle_of_a_copy_without_sequencer_is_told_by_its_entry(
    journal: Journal, tmp_path: Path, log_key: Ed25519PrivateKey
) -> None:
    journal.blobs.path(journal.find()[0].digest).unlink()
    shutil.copytree(journal.tiles.root, tmp_path / "copy" / "tiles")
    with pytest.raises(EvidenceInvalidError, match="entry 299: no blob is its bundle"):
        verify_log_with_key(
            tmp_path / "copy", origin="log.example.com", keys=[log_key.public_key()], blobs=journal.blobs
        )


@pytest.mark.parametrize(
    ("old", "new", "complaint_about_it"),
    [
        (b'"treeSize":"300"', b'"treeSize":"301"', "another tree head"),
        (b'"logIndex":"299"', b'"logIndex":"298"', "entry 299"),
        (b'"sig":"c2ln', b'"sig":"d2ln', "does not rebuild to its log entry"),
        (b64encode(sha256(b"key").digest()), b64encode(bytes(32)), "of another key than its own"),
        (b'"payloadType":"a', b'"payloadType":"b', "does not rebuild to its log entry"),
    ],
)
def test_doctored_bundle_is_no_bundle_of_its_entry(
    journal: Journal, old: bytes, new: bytes, complaint_about_it: str
) -> None:
    ref = journal.find()[0]
    data = journal.get(ref.digest)
    assert old in data
    journal.blobs.path(ref.digest).unlink()
    journal.blobs.put(data.replace(old, new))
    assert complaint_about_it in complaint(journal)


def test_made_up_bundles_of_others_do_not_disturb(journal: Journal) -> None:
    data = journal.get(journal.find()[0].digest)
    journal.blobs.put(data.replace(b'"sig":"c2ln', b'"sig":"d2ln'))
    journal.blobs.put(b'{"dsseEnvelope": nonsense')
    key_id = parse_bundle(data).log.log_id
    assert key_id
    assert journal.verify().size == 300


def test_rolled_back_log_is_told_by_a_bundle_of_its_future(
    journal: Journal, opener: Open, sign: Sign, tmp_path: Path
) -> None:
    journal.close()
    shutil.copytree(tmp_path / "journal", tmp_path / "old")
    opener().append([sign(300)])
    shutil.rmtree(tmp_path / "journal")
    shutil.copytree(tmp_path / "old", tmp_path / "journal")
    message = complaint(journal)
    assert "its head of size 301 is signed, but its published checkpoint is of size 300" in message
    assert "rolled back" in message


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE entries SET leaf = x'00' WHERE position = 7", "its entry 7 is not the one in the log"),
        ("DELETE FROM entries WHERE position = 9", "entry 9 of the log is missing in it"),
        ("UPDATE heads SET root = x'00' WHERE size = 299", "its head of size 299 is not the one it signed"),
        ("UPDATE heads SET checkpoint = 'x' WHERE size = 299", "its head of size 299: note"),
        ("DELETE FROM heads WHERE size = 300", "it is at size 299, the published checkpoint at 300"),
    ],
)
def test_doctored_sequencer_is_named(journal: Journal, statement: str, named: str, tmp_path: Path) -> None:
    journal.close()
    path = tmp_path / "journal" / "sequencer.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert f"{path}: {named}" in complaint(journal)


def test_damaged_sequencer_is_named(journal: Journal, opener: Open, tmp_path: Path) -> None:
    journal.close()
    path = tmp_path / "journal" / "sequencer.sqlite"
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    assert f"{path}" in complaint(journal)
    path.write_bytes(b"no database " * 1000)
    assert f"{path} is damaged" in complaint(journal)
    with pytest.raises(EvidenceInvalidError, match=str(path)):
        opener()
