"""Entries whose payload stays with their signer: logged, proven, recovered, no cover for lost evidence."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError
from pratique.journal.journal import Journal
from pratique.journal.writer import BareEntry
from pratique.store.blobs import BlobStore
from pratique.testing.authority import make_authority
from pratique.trust.bundle import LOG_ENTRY_START, encode_log_entry, parse_bundle, parse_log_entry
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.trust.authority.init import Authority

STATEMENT = Statement((Subject("a", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {})
LEAF = BareEntry(b'{"a":1}')


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)[0]


@pytest.fixture
def journal(tmp_path: Path, authority: Authority) -> Iterator[Journal]:
    with open_journal(tmp_path, authority) as opened:
        yield opened


def open_journal(home: Path, authority: Authority) -> Journal:
    blobs = BlobStore(home / "blobs")
    return Journal.open(home, log_key=authority.log_key, origin=authority.trust_domain, blobs=blobs)


def test_beside_evidence(journal: Journal, authority: Authority) -> None:
    signed = authority.signer("builder").sign(STATEMENT)
    recorded = journal.append([signed, LEAF, signed])
    assert [item.index for item in recorded] == [0, 1, 2]
    proof = parse_log_entry(recorded[1].bundle)
    verify_inclusion(leaf_hash(LEAF.leaf), 1, proof.tree_size, proof.hashes, proof.root_hash)
    assert list(journal.entries(1, 2)) == [LEAF.leaf]
    assert [found.index for found in journal.find()] == [2, 0]
    assert journal.get(recorded[1].digest) == recorded[1].bundle
    assert journal.verify().size == 3


def test_the_index_is_rebuilt_around_them(journal: Journal, authority: Authority) -> None:
    journal.append([LEAF, authority.signer("builder").sign(STATEMENT)])
    before = journal.index.dump()
    journal.rebuild_index()
    assert journal.index.dump() == before


def test_a_batch_that_was_cut_short(tmp_path: Path, journal: Journal, authority: Authority) -> None:
    (recorded,) = journal.append([LEAF])
    path = journal.blobs.path(recorded.digest)
    path.chmod(0o600)
    path.unlink()
    journal.close()
    with sqlite3.connect(tmp_path / "journal" / "sequencer.sqlite") as connection:
        connection.execute("INSERT INTO pending VALUES (0, 1, x'')")
    connection.close()
    with open_journal(tmp_path, authority) as again:
        assert again.get(recorded.digest) == recorded.bundle
        assert again.verify().size == 1


def test_a_bare_entry_is_no_cover_for_lost_evidence(journal: Journal, authority: Authority) -> None:
    (recorded,) = journal.append([authority.signer("builder").sign(STATEMENT)])
    bare = encode_log_entry(parse_bundle(recorded.bundle).log)
    assert bare.startswith(LOG_ENTRY_START)
    path = journal.blobs.path(recorded.digest)
    path.chmod(0o600)
    path.unlink()
    journal.blobs.put_all([bare])
    with pytest.raises(EvidenceInvalidError, match="only the bare entry of what was evidence"):
        journal.verify()
    (journal.tiles.root.parent / "sequencer.sqlite").unlink()
    with pytest.raises(EvidenceInvalidError, match="only the bare entry of what was evidence"):
        journal.verify()
