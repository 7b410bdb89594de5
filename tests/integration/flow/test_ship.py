"""The whole path of a small real project, with real commands, as its people walk it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pratique.flow.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Project

REPOSITORY = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """As careful users have it; the build must be able to read its inputs all the same."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("strict_umask")
def test_from_source_to_live_with_two_approvals(project: Project) -> None:
    waiting = project.ask("ship", expect=6)
    assert waiting["arrival"] == "awaiting-approval"
    assert "2 more with role approver (ada or grace)" in waiting["waitingFor"]
    assert not waiting["build"]["reused"]
    assert waiting["rebuild"]["identical"]

    first = project.ask("approve", "--key", project.keys[0])
    assert first["missing"] == ["1 more with role approver (grace)"]
    project.run("deploy", expect=6)
    assert project.ask("approve", "--key", project.keys[1])["missing"] == []

    live = project.ask("ship")
    assert live["arrival"] == "live"
    assert live["deployment"]["approvers"] == "ada, grace"
    assert live["artifact"] == waiting["artifact"]
    assert live["decision"] == waiting["decision"]
    name = live["artifact"]["name"]
    current = project.home / "shelf" / "current" / name
    copied = project.folder.parent / "copied"
    project.run("build", "--output", copied)
    assert current.read_bytes() == (copied / name).read_bytes()

    journalled = project.ask("log", "list", "-n", "1000")
    again = project.ask("ship")
    assert again["build"]["reused"]
    assert again["deployment"] == live["deployment"]
    assert project.ask("log", "list", "-n", "1000") == journalled
    assert project.ask("status")["inSync"] is True


def test_the_account_holds_on_another_machine(released: Project, tmp_path: Path) -> None:
    live = released.ask("status")["live"]
    report = released.ask("report", live, "-o", tmp_path / "report.html")
    assert report["evidence"] > 8
    assert live.removeprefix("sha256:") in (tmp_path / "report.html").read_text(encoding="utf-8")
    package = tmp_path / "buoy.audit"
    released.run("audit", "export", live, "-o", package)
    fingerprint = released.ask("trust", "show")["fingerprint"]
    shutil.rmtree(released.home)  # nothing of it is needed

    offline = [sys.executable, str(REPOSITORY / "tools" / "offline")]
    if subprocess.run([*offline, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    auditor = tmp_path / "auditor"
    auditor.mkdir()
    command = [*offline, "pratique", "audit", "verify", str(package), "--fingerprint", fingerprint]
    environment = {**released.environment, "PRATIQUE_HOME": str(auditor / "home")}
    result = subprocess.run(
        command, cwd=auditor, env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert "HOLDS" in result.stdout
    assert live in result.stdout
    assert list(auditor.iterdir()) == []


def test_nothing_depends_on_the_index(released: Project) -> None:
    before = Workspace.open(released.home).journal.index.dump()
    assert len(before["evidence"]) > 20
    for file in released.home.glob("index.sqlite*"):
        file.unlink()
    assert released.ask("ship")["build"]["reused"]
    assert Workspace.open(released.home).journal.index.dump() == before
    for file in released.home.glob("index.sqlite*"):
        file.write_bytes(b"not a database")
    released.run("log", "reindex")
    assert Workspace.open(released.home).journal.index.dump() == before
    released.run("log", "check")


def test_a_dry_run_tells_and_touches_nothing(released: Project) -> None:
    def state() -> dict[str, bytes]:
        files = [path for path in released.home.rglob("*") if path.is_file() and ".sqlite" not in path.name]
        return {str(path): path.read_bytes() for path in files}

    before = state()
    told = {item["stage"]: item["reusable"] for item in released.ask("ship", "--dry-run")["stages"]}
    assert told == {"build": True, "rebuild": True, "scan": False, "gate": False, "deploy": True}
    released.release("1.2.0")
    said = released.run("ship", "--dry-run")
    assert "would         build     python-wheel of git+file:buoy@" in said
    assert "would         deploy    to buoy.shelf; waits for approvals" in said
    assert state() == before


def test_a_second_run_waits_for_the_first_and_finds_its_work_done(project: Project) -> None:
    runs = [project.start("ship", *project.approving()) for _ in range(2)]
    outputs = [run.communicate(timeout=120)[0].decode() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    kinds = [entry["predicateType"] for entry in project.ask("log", "list", "-n", "100")["entries"]]
    assert "".join(outputs).count("the other run of buoy has ended") == 1
    assert len(kinds) == len(project.keys) + 10  # as many as one run makes: posture … live


def test_the_deployed_artifact_brought_back_when_it_was_damaged(released: Project) -> None:
    digest = released.ask("status")["live"].removeprefix("sha256:")
    blob = released.home / "blobs" / "sha256" / digest[:2] / digest
    blob.chmod(0o600)
    blob.write_bytes(b"rotten")
    rebuilt = released.ask("build")
    assert not rebuilt["reused"]
    assert rebuilt["artifact"]["digest"] == f"sha256:{digest}"
    assert blob.read_bytes() != b"rotten"
