"""A small real project with real locked inputs, and the command line run on it as a user would."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
INPUTS = REPOSITORY / "examples" / "harbour" / "inputs"
LOCK = REPOSITORY / "examples" / "harbour" / "build.lock"

PYPROJECT = """\
[build-system]
requires = ["flit-core>=3.12,<5"]
build-backend = "flit_core.buildapi"

[project]
name = "buoy"
version = "{version}"
description = "A small package."
"""

CONFIG = """\
[project]
name = "buoy"

[build]
recipe = "python-wheel"
tools = "build.lock"
inputs = "{inputs}"

[build.source]
directory = "."

[[scan.advisories]]
name = "facts collected by hand"
path = "{advisories}"
date = 2026-11-22
licence = "CC0-1.0"

[policy.data]
levels."posture.critical" = "warn"
vulns.max_database_age_days = 36500

[environments.shelf]
kind = "directory"
path = "shelf"
quorum = [{{ role = "approver", count = 2 }}]
"""


SERVICE = """
[environments.shelf.service]
command = ["{{python}}", "-S", "-m", "buoy", "{{port}}"]
port = {port}
health = "/healthz"
start_seconds = 20
stop_seconds = 5
environment = {{ PYTHONPATH = "lib", PYTHONDONTWRITEBYTECODE = "1", SLOW = '0' }}
"""

PROGRAM = """\
import http.server
import os
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


time.sleep(int(os.environ["SLOW"]))
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Project:
    """A project in a git repository of its own, its state directory, and two approvers' keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "buoy"
        self.home = folder / "home"
        self.keys = [folder / "ada.key", folder / "grace.key"]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "PATH": path, "PRATIQUE_HOME": str(self.home)}
        (self.folder / "buoy").mkdir(parents=True)
        shutil.copy(LOCK, self.folder / "build.lock")
        advisories = REPOSITORY / "examples" / "advisories"
        self.write("pratique.toml", CONFIG.format(inputs=INPUTS, advisories=advisories))
        self.write("buoy/__init__.py", '"""A buoy."""\n')
        self.release("1.0.0")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def release(self, version: str) -> None:
        """Commit a version."""
        self.write("pyproject.toml", PYPROJECT.format(version=version))
        if not (self.folder / ".git").exists():
            self.git("init", "--quiet")
        self.git("add", "--all")
        who = ["-c", "user.name=Dana", "-c", "user.email=dana@buoy.example"]
        self.git(*who, "commit", "--quiet", "--message", version)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True)

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start a command in the project's folder."""
        return subprocess.Popen(
            ["pratique", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, *arguments: str | Path, expect: int = 0) -> str:
        """Run a command, and give what it printed."""
        process = self.start(*arguments)
        output = process.communicate(timeout=180)[0].decode()
        assert process.returncode == expect, output
        return output

    def ask(self, *arguments: str | Path, expect: int = 0) -> dict[str, Any]:
        """Run a command with --json, and give its result."""
        process = subprocess.run(
            ["pratique", *map(str, arguments), "--json"],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            timeout=180,
        )
        assert process.returncode == expect, process.stdout.decode() + process.stderr.decode()
        body: dict[str, Any] = json.loads(process.stdout)
        return body

    def approving(self) -> list[str | Path]:
        """The options that approve on the way with both keys."""
        return [word for key in self.keys for word in ("--approve-with", key)]


def new_project(folder: Path) -> Project:
    if not any(INPUTS.glob("flit_core-*.whl")):
        pytest.skip("the examples' locked inputs are not here: make fetch")
    return Project(folder)


@pytest.fixture
def bare_project(tmp_path: Path) -> Project:
    """A project without a trust root."""
    return new_project(tmp_path)


@pytest.fixture(scope="session")
def once_released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """Versions 1.0.0 and 1.1.0, each of which went live; and a copy of all of it."""
    folder = tmp_path_factory.mktemp("released") / "here"
    folder.mkdir()
    released = new_project(folder)
    enrol_approvers(released)
    advisories = folder / "advisories"
    shutil.copytree(REPOSITORY / "examples" / "advisories", advisories)
    released.write("pratique.toml", CONFIG.format(inputs=INPUTS, advisories=advisories))
    for version in ("1.0.0", "1.1.0"):
        released.release(version)
        released.run("ship", *released.approving())
    shutil.copytree(folder, folder.with_name("saved"), symlinks=True)
    return released, folder


@pytest.fixture
def released(once_released: tuple[Project, Path]) -> Iterator[Project]:
    """The same state at the same place for every test."""
    project, folder = once_released
    yield project
    shutil.rmtree(folder)
    shutil.copytree(folder.with_name("saved"), folder, symlinks=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def service(project: Project, socket_enabled: None) -> Iterator[Project]:  # noqa: ARG001 - to find a free port
    """The project as an application that serves HTTP."""
    config = project.read("pratique.toml").replace('recipe = "python-wheel"', 'recipe = "python-app"')
    project.write("buoy/__main__.py", PROGRAM)
    project.write("pratique.toml", config + SERVICE.format(port=free_port()))
    project.release("1.0.0")
    yield project
    project.start("stop").communicate(timeout=60)


@pytest.fixture
def project(bare_project: Project) -> Project:
    """A project with a trust root and two enrolled approvers."""
    enrol_approvers(bare_project)
    return bare_project


def enrol_approvers(project: Project) -> None:
    project.run("trust", "init")
    for key in project.keys:
        project.run("trust", "keygen", key)
        project.run(
            "trust", "enrol", key.stem, "--key", f"{key}.pub", "--email", f"{key.stem}@buoy.example",
            "--role", "approver",
        )  # fmt: skip
