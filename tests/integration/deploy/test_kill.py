"""A deployer that dies at any point: the next one completes the work, and exactly one service runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.enable_socket
DEPLOYER = Path(__file__).with_name("killable_deployer.py")


class Deployer:
    """The process of `killable_deployer.py`, and what it is to deploy."""

    def __init__(self, world: Any, process: subprocess.Popen[str]) -> None:
        self.world = world
        self.process = process
        self.log = world.folder / "recorded"

    def run(self, turn: int, artifact: Digest, path: Path, **how: float) -> int:
        plan = self.world.plan(artifact, start_seconds=5 if "bad" not in path.name else 1)
        job = {
            "id": str(sha256_bytes(f"{turn}".encode())),
            "plan": plan.encode().decode(),
            "artifact": str(path),
            "record": str(self.log),
            **how,
        }
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def last_record(self) -> str:
        return str(self.log.read_text().splitlines()[-1])


@pytest.fixture
def deployer(world: Any) -> Iterator[Deployer]:
    command = [sys.executable, str(DEPLOYER)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Deployer(world, process)
        process.communicate()


def whole(world: Any, *expected: Digest | None) -> None:
    """Whoever looks meanwhile sees one release or another, never half of one."""
    observed = world.target.inspect()
    assert observed.current in expected
    assert observed.problems == ()


def test_killed_before_every_other_change_to_the_world(world: Any, deployer: Deployer) -> None:
    live = world.application("0")
    assert deployer.run(0, *live) == 0
    candidates = [live[0]]
    kills = 0
    for turn, step in enumerate(range(1, 1000, 2)):
        fresh = world.application(str(step))
        candidates.append(fresh[0])
        code = deployer.run(step, *fresh, step=step)
        whole(world, *candidates)
        if code == 0:
            break  # it makes fewer changes than that
        assert code == -9
        kills += 1
        if turn % 4 < 2:
            continue  # the next one finds another's unfinished work
        if turn % 4 == 2:
            kills += deployer.run(step, *fresh, step=1 + step // 2) == -9
            whole(world, *candidates)
        assert deployer.run(step, *fresh) == 0
        assert deployer.last_record().split()[0] == "live"
        assert world.ask().version == str(step)
        assert len(world.services()) == 1
        whole(world, fresh[0])
        candidates = [fresh[0]]
    assert kills >= 30


def test_killed_after_random_times(world: Any, deployer: Deployer) -> None:
    one, two = world.application("1"), world.application("2")
    assert deployer.run(-1, *one) == 0
    new, old = two, one
    chance = random.Random(20261123)  # noqa: S311 - not for secrets
    for turn in range(8):
        for _ in range(1 + turn % 3):
            deployer.run(turn, *new, delay=chance.uniform(0.0, 0.2))
            whole(world, old[0], new[0])
        assert deployer.run(turn, *new) == 0
        assert world.ask().version == ("2" if new is two else "1")
        assert len(world.services()) == 1
        new, old = old, new


def test_killed_while_going_back_from_an_unhealthy_release(world: Any, deployer: Deployer) -> None:
    one, bad = world.application("1"), world.application("bad", extra="sys.exit(1)")
    assert deployer.run(-1, *one) == 0
    for step in (30, 36, 42):
        assert deployer.run(step, *bad, step=step) in {-9, 2}
        whole(world, one[0], bad[0])
        assert deployer.run(step, *bad) == 2
        assert deployer.last_record() == f"failed {one[0]} {one[0]}"
        assert world.ask().version == "1"
        assert len(world.services()) == 1
        whole(world, one[0])
