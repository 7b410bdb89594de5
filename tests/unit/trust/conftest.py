from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from pratique.testing.authority import START, MemoryLog, SettableClock, make_authority
from pratique.trust.identity import EnrolledKey
from pratique.trust.keys import generate_key, spki
from pratique.trust.signer import KeySigner
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from pratique.trust.authority.init import Authority

STATEMENT = Statement(
    (Subject("app.whl", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {"answer": 42}
)


class World(NamedTuple):
    authority: Authority
    clock: SettableClock
    log: MemoryLog
    key_signer: KeySigner
    keys: dict[str, EnrolledKey]
    statement: Statement
    by_certificate: bytes
    by_key: bytes


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An authority, a log with a few entries, and a bundle of each kind; tests change none of it."""
    folder = tmp_path_factory.mktemp("world")
    authority, clock = make_authority(folder)
    log = MemoryLog(authority)
    private_key = generate_key(folder / "ann.pem")
    key_signer = KeySigner(private_key, authority.timestamp)
    public = spki(private_key.public_key())
    keys = {key_signer.identity.subject: EnrolledKey(public, "ann", START)}
    for role in ("runner", "scanner", "verifier"):
        log.append(authority.signer(role).sign(STATEMENT))
    by_certificate = log.append(authority.signer("builder").sign(STATEMENT))
    by_key = log.append(key_signer.sign(STATEMENT))
    return World(authority, clock, log, key_signer, keys, STATEMENT, by_certificate, by_key)
