"""An authority whose keys are elsewhere: here, in encrypted files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import ConfigError, InfrastructureError, UsageError
from pratique.flow.signing import key_opener
from pratique.flow.trust import init_trust
from pratique.model.clock import system_clock
from pratique.testing.authority import MemoryLog
from pratique.trust.authority.init import Authority
from pratique.trust.authority.remote import RemoteLogKey
from pratique.trust.keys import generate_key
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.trust.signers.port import Secret

STATEMENT = Statement((Subject("app.whl", {"sha256": "ab" * 32}),), "https://slsa.dev/provenance/v1", {})


def ask(secret: Secret) -> bytes:
    assert secret.kind == "passphrase"
    return b"correct horse"


@pytest.fixture
def remote(tmp_path: Path) -> dict[str, str]:
    for name in ("ca", "tsa", "ctlog"):
        generate_key(tmp_path / f"{name}.key", passphrase=b"correct horse")
    return {name: f"file:{tmp_path}/{name}.key" for name in ("ca", "tsa", "ctlog")}


def test_it_signs_and_is_verified(tmp_path: Path, remote: dict[str, str]) -> None:
    home = tmp_path / "home"
    init_trust(home, trust_domain="pratique.local", clock=system_clock, remote=remote, ask=ask)
    held = {path.name for path in (home / "trust" / "keys").iterdir()}
    assert held == {"ca.uri", "tsa.uri", "ctlog.uri", "log.pem"}
    authority = Authority.load(home / "trust", system_clock, key_opener(ask, system_clock))
    bundle = MemoryLog(authority).append(authority.signer("builder").sign(STATEMENT))
    assert verify_bundle(bundle, authority.trusted_root).signer.subject == "spiffe://pratique.local/builder"


def test_another_key_than_the_roots(tmp_path: Path, remote: dict[str, str]) -> None:
    home = tmp_path / "home"
    init_trust(home, trust_domain="pratique.local", clock=system_clock, remote=remote, ask=ask)
    (tmp_path / "tsa.key").unlink()
    generate_key(tmp_path / "tsa.key", passphrase=b"correct horse")
    with pytest.raises(ConfigError, match=r"tsa\.uri is not the key"):
        Authority.load(home / "trust", system_clock, key_opener(ask, system_clock))


def test_nobody_to_ask_for_the_passphrase(tmp_path: Path, remote: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="nobody to ask"):
        init_trust(tmp_path / "home", trust_domain="pratique.local", clock=system_clock, remote=remote)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("remote", "reason"),
    [({"witness": "file:x"}, "no key 'witness'"), ({"log": "file:x"}, "a log signs with Ed25519")],
)
def test_no_such_key(tmp_path: Path, remote: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        init_trust(tmp_path, trust_domain="pratique.local", clock=system_clock, remote=remote)
    assert not list(tmp_path.iterdir())


class Faulty:
    """Holds a log's key, and signs with another."""

    where = "faulty:log"

    def __init__(self, *, right: bool) -> None:
        self._key = Ed25519PrivateKey.generate()
        shown = self._key if right else Ed25519PrivateKey.generate()
        self.public_key = shown.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign_message(self, message: bytes) -> bytes:
        return self._key.sign(message)


def test_a_logs_signature_is_checked_before_it_goes_anywhere() -> None:
    assert RemoteLogKey(Faulty(right=True)).sign(b"a tree head")
    with pytest.raises(InfrastructureError, match="does not verify under its own public key"):
        RemoteLogKey(Faulty(right=False)).sign(b"a tree head")
