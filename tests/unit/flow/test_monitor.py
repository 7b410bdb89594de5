"""Who signed an entry, read from the entry alone, and who nobody expects."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.flow.monitor import entry_signer, expecting
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.authority.init import Authority, initialise
from pratique.trust.bundle import Signed
from pratique.trust.entry import leaf_of
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from pathlib import Path

STATEMENT = Statement((Subject("a", {"sha256": "0" * 64}),), "https://example.com/a/v1", {})


def authority_in(folder: Path) -> Authority:
    def clock() -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    initialise(folder, trust_domain="yard.example", clock=clock)
    return Authority.load(folder, clock)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority_in(tmp_path_factory.mktemp("one") / "trust")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority_in(tmp_path_factory.mktemp("two") / "trust")


def by_key(spki: bytes) -> bytes:
    return leaf_of(Signed(b"{}", PAYLOAD_TYPE, b"signature", None, spki, b"timestamp"))


def test_signers_by_certificate_and_by_key(authority: Authority) -> None:
    entry = leaf_of(authority.signer("builder").sign(STATEMENT))
    assert str(entry_signer(entry, authority.trusted_root)) == "spiffe://yard.example/builder"
    found = entry_signer(by_key(b"spki"), authority.trusted_root)
    assert str(found) == f"key {hashlib.sha256(b'spki').hexdigest()}"


def test_a_certificate_with_the_right_name_of_a_foreign_authority(
    authority: Authority, stranger: Authority
) -> None:
    entry = leaf_of(stranger.signer("builder").sign(STATEMENT))
    with pytest.raises(SignatureInvalidError, match="no certificate authority"):
        entry_signer(entry, authority.trusted_root)
    told = expecting(authority.trusted_root, ["*"])(5, entry)
    assert told.startswith("entry 5: no certificate authority")


def test_patterns(authority: Authority) -> None:
    entry = leaf_of(authority.signer("builder").sign(STATEMENT))
    root = authority.trusted_root
    for patterns in (["spiffe://yard.example/builder"], ["nobody", "spiffe://yard.example/*"], ["*"]):
        assert expecting(root, patterns)(0, entry) == ""
    for patterns in (["SPIFFE://yard.example/builder"], ["builder"], ["key *"], []):
        assert expecting(root, patterns)(0, entry) == "entry 0: signed by spiffe://yard.example/builder"
    assert expecting(root, ["key *"])(0, by_key(b"spki")) == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"hashedrekord", b"intoto"),
        (b"0.0.2", b"0.0.1"),
        (b"publicKey", b"nothing"),
        (b"verifier", b"nothing"),
        (b'"rawBytes":"', b'"rawBytes":"?'),
        (b'{"apiVersion"', b'[{"apiVersion"'),
        (b'"publicKey":{', b'"x509Certificate":{"rawBytes":"AAAA"},"publicKey":{'),
        (b'"publicKey":{', b'"x509Certificate":{'),
    ],
)
def test_other_entries_name_no_signer(authority: Authority, old: bytes, new: bytes) -> None:
    entry = by_key(b"spki")
    assert old in entry
    with pytest.raises(EvidenceInvalidError):
        entry_signer(entry.replace(old, new), authority.trusted_root)
    assert expecting(authority.trusted_root, ["*"])(3, entry.replace(old, new)).startswith("entry 3: ")


def test_bytes_that_are_no_entry(authority: Authority) -> None:
    with pytest.raises(MalformedError):
        entry_signer(b"\xff", authority.trusted_root)
