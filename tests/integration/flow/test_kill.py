"""`kill -9` anywhere in `ship`: nothing journalled is lost, nothing half-written counts, and it completes."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

KILLS = 50
SEED = 20261123


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ship_survives_being_killed_at_any_point(project: Project) -> None:
    chance = random.Random(SEED)  # noqa: S311 - choosing moments, not secrets
    began = time.monotonic()
    project.run("ship", *project.approving())
    whole_run = time.monotonic() - began
    entries = project.ask("log", "list", "-n", "100000")["entries"]
    kills = versions = 0
    while kills < KILLS:
        versions += 1
        project.release(f"1.{versions}.0")
        while kills < KILLS:
            process = project.start("ship", *project.approving())
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=chance.uniform(0.05, whole_run * 1.1))
            finished = process.poll() is not None
            process.kill()
            output = process.communicate(timeout=60)[0].decode()
            if finished:
                assert process.returncode == 0, output
                break
            kills += 1
            entries = nothing_is_lost(project, entries)
    project.run("ship", *project.approving())
    status = project.ask("status")
    assert status["inSync"] is True
    nothing_is_lost(project, entries)


def nothing_is_lost(project: Project, before: list[dict[str, object]]) -> list[dict[str, object]]:
    """The log is whole, and what was in it still is, where it was."""
    project.run("log", "check")
    after: list[dict[str, object]] = project.ask("log", "list", "-n", "100000")["entries"]
    assert after[len(after) - len(before) :] == before
    assert not list((project.home / "trust").glob("*.tmp"))
    return after
