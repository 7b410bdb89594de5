"""A real HTTP service as an application tar, an environment for it, and proof that nothing keeps running."""

from __future__ import annotations

import io
import os
import signal
import socket
import tarfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from pratique.deploy import machine
from pratique.deploy.plan import DeploymentPlan, Service, deployment_id, make_plan
from pratique.deploy.rollout import Facts, Outcome, roll_out
from pratique.deploy.target.directory import DirectoryTarget
from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = """
import http.server, json, os, sys
VERSION = {version!r}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({{"version": VERSION, "pid": os.getpid(), "cwd": os.getcwd(),
                            "environment": dict(os.environ), "argv": sys.argv}}).encode()
        self.send_response(200 if self.path == "/" else {health})
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("starting", VERSION, flush=True)
{extra}
class Server(http.server.HTTPServer):
    allow_reuse_address = True
    {server}
Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Answer(msgspec.Struct):
    """What the service says of itself."""

    version: str
    pid: int
    cwd: str
    environment: dict[str, str]
    argv: list[str]


class World:
    """One environment with its port, a place for artifacts, and everything that was recorded."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.target = DirectoryTarget(folder / "env")
        self.recorded: list[tuple[str, Facts]] = []
        self.runs = 0

    def application(
        self, version: str, *, health: int = 200, extra: str = "", server: str = "pass"
    ) -> tuple[Digest, Path]:
        source = APP.format(version=version, health=health, extra=extra, server=server).encode()
        path = self.folder / f"app-{version}.tar"
        with tarfile.open(path, "w") as archive:
            info = tarfile.TarInfo("app.py")
            info.size = len(source)
            archive.addfile(info, io.BytesIO(source))
        return sha256_bytes(path.read_bytes()), path

    def plan(self, artifact: Digest, *, service: bool = True, **settings: object) -> DeploymentPlan:
        values: dict[str, object] = {
            "command": ("{python}", "-I", "-B", "{release}/app.py", "{port}"),
            "port": self.port,
            "health": "/health",
            "environment": {"MODE": "test"},
            "start_seconds": 20,
            "stop_seconds": 5,
            **settings,
        }
        return make_plan(
            environment="test",
            path=str(self.target.path),
            artifact_name="app.tar",
            artifact=artifact,
            service=Service(**values) if service else None,  # type: ignore[arg-type]
        )

    def deploy(
        self, artifact: Digest, path: Path, *, plan: DeploymentPlan | None = None, again: bool = False
    ) -> Outcome:
        self.runs += not again
        plan = plan or self.plan(artifact)
        decision = sha256_bytes(str(self.runs).encode())
        return roll_out(
            approved(decision),
            plan,
            deployment_id=deployment_id(plan.digest, decision, [Digest("b" * 64)]),
            artifact=path,
            target=self.target,
            record=lambda phase, facts: self.recorded.append((phase, facts)),
        )

    def ask(self, path: str = "/") -> Answer:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as response:
            return msgspec.json.decode(response.read(), type=Answer)

    @property
    def phases(self) -> list[str]:
        return [phase for phase, _ in self.recorded]

    def processes(self) -> dict[int, str]:
        """Every process that has anything to do with this environment, by its command line or directory."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                if str(self.folder) in f"{line} {(entry / 'cwd').readlink()}":
                    found[int(entry.name)] = line
        return found

    def services(self) -> dict[int, str]:
        return {pid: line for pid, line in self.processes().items() if "app.py" in line}


def approved(decision: Digest) -> machine.Deployment:
    return machine.replay([machine.GatePassed(decision), machine.QuorumMet((Digest("b" * 64),))])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path, free_port())
    yield world
    for pid, line in world.processes().items():
        if "launcher.py" not in line:  # a log writer has to end by itself
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (left := world.processes()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left, f"processes left behind: {left}"
