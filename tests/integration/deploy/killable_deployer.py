"""Carries out roll-outs, each in a fork, and kills them with SIGKILL where it is told to.

One job a line on stdin: the deployment, and either `step` (dies before its step-th change to the world, by
the interpreter's own audit events) or `delay` (dies after so many seconds). Answers how it ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pratique.deploy import machine
from pratique.deploy.plan import parse_plan
from pratique.deploy.rollout import Facts, roll_out
from pratique.deploy.target.directory import DirectoryTarget
from pratique.model.digest import Digest

CHANGES = {
    "os.rename", "os.mkdir", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.utime", "os.truncate",
    "subprocess.Popen", "socket.connect", "fcntl.flock", "shutil.rmtree", "record",
}  # fmt: skip
DIGEST = Digest("b" * 64)


def main() -> None:
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _deploy(job)
        if "delay" in job:
            time.sleep(job["delay"])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _deploy(job: dict[str, Any]) -> None:
    left = job.get("step", 0)

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if writes or event in CHANGES:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def record(phase: str, facts: Facts) -> None:
        sys.audit("record")
        with Path(job["record"]).open("a") as stream:
            stream.write(f"{phase} {facts.previous} {facts.serving}\n")
        sys.audit("record")

    code = 1
    try:
        plan = parse_plan(job["plan"].encode())
        sys.addaudithook(count)
        outcome = roll_out(
            machine.replay([machine.GatePassed(DIGEST), machine.QuorumMet((DIGEST,))]),
            plan,
            deployment_id=job["id"],
            artifact=Path(job["artifact"]),
            target=DirectoryTarget(Path(plan.path)),
            record=record,
        )
        code = {"live": 0, "failed": 2}[outcome.phase]
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
