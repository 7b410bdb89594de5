"""`ship` where the project names its team's server: nothing is deployed whose evidence did not get there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from server_process import serve
from signer_peers import free_port

from pratique.flow.evidence import gather
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model.clock import system_clock
from pratique.model.digest import parse_digest, sha256_file

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = [pytest.mark.enable_socket, pytest.mark.slow]
SERVER = """
[trust]
server = "{url}"
root = "team"
"""


def test_evidence_first(project: Project, tmp_path: Path) -> None:
    team = tmp_path / "team"
    init_trust(team, trust_domain="team.local", clock=system_clock)
    for home, other, name in ((project.home, team, "team"), (team, project.home, "ci")):
        root = other / "trust/trusted_root.json"
        project.run("trust", "use", root, "--fingerprint", sha256_file(root), "--name", name, "--home", home)
    port = free_port()
    config = project.read("pratique.toml") + SERVER.format(url=f"http://127.0.0.1:{port}")
    project.write("pratique.toml", config)
    project.release("1.0.1")
    assert "127.0.0.1 failed 4 times" in project.run("ship", *project.approving(), expect=5)
    assert not (project.folder / "shelf").exists()
    with serve(team, f'listen = "127.0.0.1:{port}"\nplain = true\n[evidence]\nroots = ["ci"]\n'):
        shipped = project.ask("ship", *project.approving())
    assert shipped["build"]["reused"]
    assert shipped["arrival"] == "live"
    artifact = parse_digest(shipped["artifact"]["digest"])
    brought = gather(Workspace.open(team), artifact).imported
    there = {str(item.source.evidence) for item in brought}
    assert there == set(shipped["sent"])
    said = {shipped["build"]["evidence"], shipped["rebuild"]["evidence"], shipped["decision"]["evidence"]}
    assert said | {shipped["scan"]["sbom"], shipped["scan"]["vulns"]} <= there
    assert {item.signer.root for item in brought} == {"ci"}
