from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path  # noqa: TC003 - fixtures' types are looked at
from typing import Any

import pytest

from pratique.model.digest import Digest
from pratique.store.blobs import BlobStore


class Project:
    """A state directory, an artifact and a claim, and the command line as people use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        (folder / "file.whl").write_bytes(b"an artifact")
        (folder / "claim.json").write_text('{"reviewed": true}')
        self.ok("trust", "init")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PRATIQUE_")}
        clean.pop("SSH_AUTH_SOCK", None)
        return subprocess.run(
            [sys.executable, "-m", "pratique", *arguments],
            cwd=self.folder,
            env={**clean, "SSH_ASKPASS_REQUIRE": "never", **self.environment},
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            start_new_session=True,  # without a terminal
        )

    def ok(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)

    def fails(self, *arguments: str) -> dict[str, Any]:
        done = self.run(*arguments, "--json")
        assert done.returncode != 0, done.stdout
        error: dict[str, Any] = json.loads(done.stdout)["error"]
        return error

    def enrol(self, key: str, person: str = "ada") -> Any:
        address = f"{person}@app.example"
        return self.ok("trust", "enrol", person, "--key", key, "--email", address, "--role", "reviewer")

    def attest(self, key: str) -> list[str]:
        return [
            "attest", "file.whl", "--type", "https://app.example/reviewed/v1", "--predicate", "claim.json",
            "--key", key,
        ]  # fmt: skip

    def bundle(self, evidence: str) -> Any:
        with BlobStore(self.folder / ".pratique" / "blobs").open(Digest(evidence[7:])) as stream:
            return json.load(stream)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)
