"""A runner with a root of its own hands evidence to the team's server, whose gate counts it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from server_process import serve

from pratique.flow.evidence import gather
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.clock import system_clock
from pratique.model.digest import sha256_file
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
PROJECT = """\
[project]
name = "app"
[build]
recipe = "python-wheel"
tools = "build.lock"
[build.source]
directory = "."
[[scan.advisories]]
name = "none"
path = "advisories"
date = 2026-11-22
licence = "CC0-1.0"
"""
SERVER = """
[trust]
server = "{url}"
root = "team"
"""
POLICY = """
[policy]
profile = "starter"
[policy.trust.require]
provenance.artifacts = ["x"]
sbom.artifacts = ["x"]
vulns.artifacts = ["x"]
test-result.command = "ask the runner"
[policy.trust.roles.runners]
signers = [{issuer = "https://ci.local/pratique", subject = "spiffe://ci.local/scanner", root = "ci"}]
may_sign = ["test-result"]
"""


def pratique(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "pratique", *arguments, "--json"],
        check=False, capture_output=True, text=True, timeout=120, cwd=folder,
    )  # fmt: skip
    assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    body: dict[str, Any] = json.loads(done.stdout or "{}")
    return body


def test_from_the_runners_journal_into_the_teams_gate(tmp_path: Path) -> None:
    runner, team = tmp_path / "runner", tmp_path / "team"
    for folder, domain in ((runner, "ci.local"), (team, "team.local")):
        folder.mkdir()
        init_trust(folder / ".pratique", trust_domain=domain, clock=system_clock)
    for home, other, name in ((runner, team, "team"), (team, runner, "ci")):
        root = shutil.copy(other / ".pratique/trust/trusted_root.json", home / "root.json")
        fingerprint = str(sha256_file(home / "root.json"))
        pratique(home, "trust", "use", str(root), "--fingerprint", fingerprint, "--name", name)
    artifact = runner / "app.bin"
    artifact.write_bytes(b"an application")
    (team / "pratique.toml").write_text(PROJECT + POLICY)
    pratique(team, "gate", str(artifact), code=1)

    journal = Workspace.open(runner / ".pratique")
    subject = [Subject("app.bin", sha256_file(artifact).digest_set)]
    body = {"result": "PASSED", "configuration": [], "passedTests": ["all"]}
    ours = journal.record("scanner", predicate.TEST_RESULT, body, subject).digest
    (runner / "pratique.toml").write_text(PROJECT + SERVER.format(url="http://127.0.0.1:1"))
    pratique(runner, "log", "send", "--about", str(artifact), code=5)
    assert not (runner / ".pratique/sent").exists()

    config = 'listen = "127.0.0.1:0"\nplain = true\n'
    with serve(team / ".pratique", config) as server:  # which names no root of others
        (runner / "pratique.toml").write_text(PROJECT + SERVER.format(url=server.url))
        pratique(runner, "log", "send", "--about", str(artifact), code=1)
    with serve(team / ".pratique", f'{config}[evidence]\nroots = ["ci"]\n') as server:
        (runner / "pratique.toml").write_text(PROJECT + SERVER.format(url=server.url))
        (sent,) = pratique(runner, "log", "send", "--about", str(artifact))["sent"]
        assert sent["bundle"] == str(ours)
        assert pratique(runner, "log", "send", "--about", str(artifact))["sent"] == []
        shutil.rmtree(runner / ".pratique/sent")  # forgotten here: there it is once
        assert pratique(runner, "log", "send", "--about", str(artifact))["sent"] == [sent]

    (brought,) = gather(Workspace.open(team / ".pratique"), sha256_file(artifact)).imported
    assert str(brought.digest) == sent["evidence"]
    assert str(brought.signer) == "spiffe://ci.local/scanner (root ci)"
    pratique(team, "gate", str(artifact))


def test_a_server_whose_root_of_others_is_not_there(tmp_path: Path) -> None:
    init_trust(tmp_path, trust_domain="team.local", clock=system_clock)
    config = 'plain = true\n[evidence]\nroots = ["ci"]\n'
    with pytest.raises(AssertionError, match="no root 'ci' is in use here"), serve(tmp_path, config):
        pass
