"""A state directory in a folder of its own, its evidence signed for real; nothing is built in it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from pratique.flow.config import Project, parse_config
from pratique.flow.trust import enrol, generate_key_pair, init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.digest import sha256_bytes
from pratique.trust.keys import load_private_key
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.statement import KeySigner
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.model.digest import Digest

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ARTIFACT = sha256_bytes(b"an artifact")
SUBJECT = Subject("app-1.whl", ARTIFACT.digest_set)


class Clock:
    """Tells the time it is set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        return self.now


class State:
    """A state directory, and the people around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        init_trust(folder / "home", trust_domain="pratique.local", clock=self.clock)
        self.workspace = self.reopened()

    def reopened(self) -> Workspace:
        """Open it as the next command does."""
        return Workspace.open(self.folder / "home", clock=self.clock)

    def key(self, name: str) -> Path:
        """Make a key, once."""
        path = self.folder / f"{name}.key"
        if not path.exists():
            generate_key_pair(path, passphrase=None)
        return path

    def enrol(self, name: str, *, email: str = "", until: dt.datetime | None = None) -> Path:
        """Enrol a person as approver, with a key of their own."""
        path = self.key(name)
        enrol(
            self.workspace,
            name,
            public_key=f"{path}.pub",
            ask=lambda _: b"",
            emails=[email or f"{name}@app.example"],
            roles=["approver"],
            not_after=until,
        )
        return path

    def project(self, **policy: Any) -> Project:
        """Give a project beside the state directory, with what its `[policy]` says."""
        source = {"name": "a", "path": "a", "date": self.clock().date(), "licence": "CC0-1.0"}
        shelf = {"kind": "directory", "path": "x", "quorum": [{"role": "approver"}]}
        table = {
            "project": {"name": "app"},
            "build": {"recipe": "python-wheel", "tools": "t.lock", "source": {"directory": "."}},
            "scan": {"advisories": [source]},
            "policy": policy,
            "environments": {"production": shelf},
        }
        return Project(root=self.folder, config=parse_config(table, what="pratique.toml"))

    def sign(self, key: Path, predicate_type: str, body: dict[str, object]) -> Digest:
        """Journal a claim about the artifact by somebody's key, enrolled or not."""
        signer = KeySigner(LocalKey(load_private_key(key)), self.workspace.authority.timestamp)
        return self.workspace.append(signer, predicate_type, body, [SUBJECT]).digest

    def record(self, role: str, predicate_type: str, body: dict[str, object]) -> Digest:
        """Journal a claim about the artifact by one of the authority's roles."""
        return self.workspace.record(role, predicate_type, body, [SUBJECT]).digest

    def provenance(self) -> Digest:
        """Journal a provenance of the artifact, written by Dana."""
        source = {"name": "app", "annotations": {"kind": "source", "authors": ["Dana <dana@app.example>"]}}
        body: dict[str, object] = {
            "buildDefinition": {
                "externalParameters": {"project": "app"},
                "resolvedDependencies": [source],
            },
            "runDetails": {"builder": {"id": "spiffe://pratique.local/builder"}},
        }
        return self.record("builder", predicate.PROVENANCE, body)

    def damage(self, evidence: Digest) -> None:
        """Let the disk spoil a piece of evidence."""
        path = self.workspace.blobs.path(evidence)
        path.chmod(0o600)
        path.write_bytes(path.read_bytes() + b"\n")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)
