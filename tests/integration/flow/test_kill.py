"""`kill -9` anywhere: nothing journalled is lost, nothing half-written counts, the same command completes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from pratique.flow.workspace import Workspace
from pratique.journal.index import EvidenceRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

KILLS = 50
SEED = 20261123
BLOB = re.compile(r"[0-9a-f]{64}")

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(900)]

Entries = list[EvidenceRef]


@pytest.fixture
def chance() -> random.Random:
    return random.Random(SEED)  # noqa: S311 - choosing moments, not secrets


def entries_of(project: Project) -> Entries:
    """What the next command finds in the journal; opening it completes what the killed one left."""
    with Workspace.open(project.home).journal as journal:
        return journal.find()


def kill_after(project: Project, seconds: float, *arguments: str | Path) -> bool:
    """Start a command and kill it after some time; say whether the kill came before its end."""
    process = project.start(*arguments)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    finished = process.poll() is not None
    process.kill()
    output = process.communicate(timeout=60)[0].decode()
    assert not finished or process.returncode == 0, output
    return not finished


def nothing_is_lost(project: Project, before: Entries) -> Entries:
    """The log is whole with the evidence of every entry, and what was in it still is, where it was."""
    after = entries_of(project)
    assert after[len(after) - len(before) :] == before
    with Workspace.open(project.home).journal as journal:
        assert journal.verify().size == len(after)
    return after


def nothing_is_half_written(project: Project) -> None:
    """Every visible blob is what its name says, and what is being written is only where that belongs."""
    for path in project.home.rglob("*"):
        if not path.is_file():
            continue
        inside = path.relative_to(project.home)
        if inside.parts[:2] == ("blobs", "sha256"):
            assert BLOB.fullmatch(path.name)
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        elif inside.parts[0] != "work" and inside.parts[:2] != ("blobs", "tmp"):
            assert path.stat().st_mode & 0o077 == 0 or inside.parts[1] == "releases", inside
    assert not list((project.home / "trust").glob(".*"))


def nothing_is_left_behind(project: Project) -> None:
    """After a run that came to its end no scratch of killed ones is there, and no process of theirs."""
    assert not list((project.home / "work").iterdir())
    assert not list((project.home / "blobs" / "tmp").iterdir())
    stray = [path for path in project.home.rglob(".tmp-*") if path.is_file()]
    assert not stray
    marker = str(project.home / "work").encode()
    assert not [line for line in command_lines() if marker in line]


def command_lines() -> Iterator[bytes]:
    for name in os.listdir("/proc"):  # noqa: PTH208 - names are all there is to see
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as stream:  # noqa: PTH123
                yield stream.read()


def test_ship_survives_being_killed_at_any_point(project: Project, chance: random.Random) -> None:
    began = time.monotonic()
    project.run("ship", *project.approving())
    whole_run = time.monotonic() - began
    entries = entries_of(project)
    kills = versions = 0
    while kills < KILLS:
        versions += 1
        project.release(f"1.{versions}.0")
        while kills < KILLS:
            # Once the first stages are in the journal the late ones come soon: so does every other kill.
            longest = whole_run * 1.1 if kills % 2 else whole_run / 5
            if not kill_after(project, chance.uniform(0.05, longest), "ship", *project.approving()):
                nothing_is_left_behind(project)
                break
            kills += 1
            nothing_is_half_written(project)
            if kills % 3:  # now and then the next run meets what was left exactly as it was left
                entries = nothing_is_lost(project, entries)
    project.run("ship", *project.approving())
    nothing_is_lost(project, entries)
    nothing_is_half_written(project)
    nothing_is_left_behind(project)
    assert project.ask("status")["inSync"] is True


def test_trust_init_survives_being_killed(bare_project: Project, chance: random.Random) -> None:
    for _ in range(6):
        killed = kill_after(bare_project, chance.uniform(0.02, 0.3), "trust", "init")
        folder = bare_project.home / "trust"
        if folder.exists():  # wholly there, or not at all
            bare_project.run("log", "check")
            break
        assert killed
    else:
        bare_project.run("trust", "init")
    bare_project.run("trust", "init", expect=2)
    bare_project.run("log", "check")
    assert not list(bare_project.home.glob(".trust*"))


def test_approve_survives_being_killed(project: Project, chance: random.Random) -> None:
    project.run("ship", expect=6)
    entries = entries_of(project)
    for _ in range(6):
        kill_after(project, chance.uniform(0.1, 0.5), "approve", "--key", project.keys[0])
        entries = nothing_is_lost(project, entries)
        nothing_is_half_written(project)
    project.run("approve", "--key", project.keys[0])
    assert "1 more" in project.ask("ship", expect=6)["waitingFor"]  # however often ada approved, she is one
    project.run("ship", *project.approving())
    nothing_is_left_behind(project)


def test_deploying_a_service_survives_being_killed(service: Project, chance: random.Random) -> None:
    service.run("ship", expect=6)
    for key in service.keys:
        service.run("approve", "--key", key)
    entries = entries_of(service)
    for _ in range(6):
        kill_after(service, chance.uniform(0.2, 1.5), "deploy")
        entries = nothing_is_lost(service, entries)
    deployed = service.ask("deploy")
    status = service.ask("status")
    assert status["inSync"] is True
    assert {step["phase"] for step in status["history"]} == {"rolling-out", "live"}
    assert deployed["url"].startswith("http://127.0.0.1:")
    nothing_is_left_behind(service)


def test_a_deployment_cut_off_goes_on_under_its_own_id(service: Project) -> None:
    """Its beginning is journalled, then it is killed while the service is being waited for."""
    service.write("pratique.toml", service.read("pratique.toml").replace("SLOW = '0'", "SLOW = '3'"))
    service.release("1.0.1")
    service.run("ship", expect=6)
    for key in service.keys:
        service.run("approve", "--key", key)
    process = service.start("deploy")
    deadline = time.monotonic() + 60
    while not (begun := service.ask("log", "list", "--type", "deployment")["entries"]):
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert len(begun) == 1
    first = service.ask("verify", begun[0]["evidence"])["predicate"]
    deployed = service.ask("deploy")
    records = service.ask("log", "list", "--type", "deployment")["entries"]
    second = service.ask("verify", records[0]["evidence"])["predicate"]
    assert len(records) == 2
    assert (first["phase"], second["phase"]) == ("rolling-out", "live")
    assert first["deploymentId"] == second["deploymentId"] == deployed["deploymentId"]
