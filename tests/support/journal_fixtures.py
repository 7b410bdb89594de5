"""Fixtures for tests of the journal: a journal in a temporary home, and statements with no real signature."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.journal.journal import Journal
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.store.blobs import BlobStore
from pratique.trust.bundle import Signed
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORIGIN = "log.example.com"


@pytest.fixture(scope="session")
def log_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def sign() -> Callable[..., Signed]:
    def sign(
        number: int, predicate_type: str = "https://example.com/a/v1", *, certificate: bytes | None = None
    ) -> Signed:
        subject = Subject(f"artifact-{number}", {"sha256": hashlib.sha256(b"%d" % number).hexdigest()})
        payload = Statement((subject,), predicate_type, {"number": number}).encode()
        key = b"key" if certificate is None else None
        return Signed(payload, PAYLOAD_TYPE, b"signature %d" % number, certificate, key, b"timestamp")

    return sign


@pytest.fixture
def opener(tmp_path: Path, log_key: Ed25519PrivateKey) -> Iterator[Callable[[], Journal]]:
    """Open the journal of `tmp_path` as often as wanted; all are closed in the end."""
    opened: list[Journal] = []

    def open_journal() -> Journal:
        blobs = BlobStore(tmp_path / "blobs")
        opened.append(Journal.open(tmp_path, log_key=log_key, origin=ORIGIN, blobs=blobs))
        return opened[-1]

    yield open_journal
    for journal in opened:
        journal.close()
