"""The journal on a real S3 server (SeaweedFS), by the command line: published, copied, lost and restored."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from obstore.store import S3Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WEED = os.environ.get("PRATIQUE_SEAWEEDFS")
PORTS = ("-master.port", "-volume.port", "-filer.port", "-s3.port")
KEYS = {"AWS_ACCESS_KEY_ID": "tester", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}

pytestmark = [
    pytest.mark.interop,
    pytest.mark.slow,
    pytest.mark.enable_socket,
    pytest.mark.skipif(WEED is None, reason="no SeaweedFS: PRATIQUE_SEAWEEDFS names its program"),
]


class Server:
    """One SeaweedFS on loopback, with its S3 face, that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        credentials = [{"accessKey": "tester", "secretKey": "not-a-secret"}]
        actions = ["Admin", "Read", "Write", "List"]
        identities = [{"name": "tester", "credentials": credentials, "actions": actions}]
        (folder / "s3.json").write_text(json.dumps({"identities": identities}))
        (folder / "data").mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['-s3.port']}"

    def start(self) -> None:
        options = [f"{name}={port}" for name, port in self.ports.items()]
        command = [WEED or "", "server", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-s3", f"-s3.config={self.folder}/s3.json", "-master.volumeSizeLimitMB=64", *options]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([*command, "-volume.max=8"], stdout=log, stderr=log)
        shell = [WEED or "", "shell", f"-master=127.0.0.1:{self.ports['-master.port']}"]
        for _ in range(100):
            with socket.socket() as probe:
                ready = probe.connect_ex(("127.0.0.1", self.ports["-s3.port"])) == 0
            if ready:
                made = subprocess.run(
                    shell, input=b"s3.bucket.create -name team\n", capture_output=True, check=False
                )
                if (made.returncode == 0 or b"exists" in made.stdout + made.stderr) and self._keeps_objects():
                    return
            time.sleep(0.5)
        pytest.fail(f"SeaweedFS did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def _keeps_objects(self) -> bool:
        """Say whether its volumes are there too: its S3 face answers before, with internal errors."""
        store = S3Store(
            "team",
            endpoint=self.endpoint,
            access_key_id="tester",
            secret_access_key="not-a-secret",
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        try:
            obstore.put(store, "probe", b"probe")
            return bytes(obstore.get(store, "probe").bytes()) == b"probe"
        except obstore.exceptions.BaseError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that are free, as are those 10,000 above, which SeaweedFS takes for gRPC."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port < 50_000 and port not in found:
            found.append(port)
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("seaweedfs"))
    server.start()
    yield server
    server.stop()


class Machine:
    """A state directory, and the command line on it."""

    def __init__(self, home: Path, server: Server, prefix: str) -> None:
        self.home = home
        self.server = server
        self.url = f"s3://team/{prefix}"

    def run(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        done = self.start(*arguments)
        output, errors = done.communicate(timeout=240)
        assert done.returncode == code, (output + errors).decode()
        found: dict[str, Any] = json.loads(output)
        return found

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pratique", *arguments, "--home", str(self.home), "--json"]
        environment = {**os.environ, **KEYS}
        return subprocess.Popen(
            command, env=environment, cwd=self.home.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def enrol(self, number: int, code: int = 0) -> dict[str, Any]:
        key = self.home.parent / f"key-{number}"
        if not key.exists():
            self.run("trust", "keygen", str(key))
        return self.run(
            "trust", "enrol", f"p{number}", "--key", f"{key}.pub", "--role", "approver", code=code
        )

    def store(self) -> dict[str, Any]:
        return self.run("log", "store", self.url, "--endpoint", self.server.endpoint)

    def size(self) -> int:
        found = self.run("log", "check")
        size: int = found["size"]
        return size


@pytest.fixture
def machine(tmp_path: Path, server: Server, request: pytest.FixtureRequest) -> Machine:
    made = Machine(tmp_path / "state", server, f"log-{abs(hash(request.node.name))}")
    made.run("trust", "init")
    made.enrol(0)
    return made


def test_what_was_there_and_what_comes_is_published_and_restored(machine: Machine, tmp_path: Path) -> None:
    stored = machine.store()
    assert stored["size"] == machine.size()
    assert "tester" not in (machine.home / "storage.toml").read_text()
    machine.enrol(1)
    size = machine.size()
    assert size > stored["size"]

    options = ("--endpoint", machine.server.endpoint)
    root = str(machine.home / "trust" / "trusted_root.json")
    copy = str(tmp_path / "copy")
    assert machine.run("log", "fetch", machine.url, copy, "--trusted-root", root, *options)["size"] == size
    watched = ("log", "follow", copy, "--state", str(tmp_path / "monitor"), "--trusted-root", root)
    assert machine.run(*watched)["size"] == size

    evidence = machine.run("log", "list", "-n", "100")
    lost = tmp_path / "lost"
    machine.home.rename(lost)
    machine.home.mkdir(mode=0o700)
    shutil.copytree(lost / "trust", machine.home / "trust")
    assert machine.run("log", "restore", machine.url, *options)["size"] == size
    assert machine.size() == size
    assert machine.run("log", "list", "-n", "100") == evidence
    machine.enrol(2)
    assert machine.size() > size

    old = Machine(lost, machine.server, "")
    refused = old.run(
        "trust", "enrol", "q", "--key", str(tmp_path / "key-2.pub"), "--role", "approver", code=4
    )
    assert "is an old copy" in refused["error"]["message"]


def test_a_server_that_is_away_costs_nothing_but_the_wait(
    machine: Machine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    machine.server = Server(tmp_path_factory.mktemp("away"))
    machine.server.start()
    try:
        machine.store()
        size = machine.size()
        machine.server.stop()
        failed = machine.enrol(1, code=5)
        assert "check the endpoint" in failed["error"]["hint"]
        assert machine.size() == size  # refused before anything was signed
        machine.server.start()
        assert machine.run("log", "push")["size"] == size
        machine.enrol(1)
        assert machine.size() > size
    finally:
        machine.server.stop()


def test_killed_while_publishing(machine: Machine, tmp_path: Path) -> None:
    machine.store()
    chance = random.Random(2026)  # noqa: S311 - when to kill
    machine.run("trust", "keygen", str(tmp_path / "key"))
    for number in range(12):
        arguments = ("trust", "enrol", f"k{number}", "--key", str(tmp_path / "key.pub"), "--role", "approver")
        process = machine.start(*arguments)
        time.sleep(chance.uniform(0.2, 1.6))
        process.kill()
        process.communicate()
    machine.enrol(50)
    size = machine.size()
    copy, root = str(tmp_path / "copy"), str(machine.home / "trust" / "trusted_root.json")
    options = ("--trusted-root", root, "--endpoint", machine.server.endpoint)
    assert machine.run("log", "fetch", machine.url, copy, *options)["size"] == size


def test_wrong_credentials_and_what_is_not_there(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--endpoint", machine.server.endpoint)
    root = str(machine.home / "trust" / "trusted_root.json")
    nothing = f"{machine.url}/nothing"
    refused = machine.run(
        "log", "fetch", nothing, str(tmp_path / "copy"), "--trusted-root", root, *options, code=4
    )
    assert "there is no checkpoint" in refused["error"]["message"]
    monkeypatch.setitem(KEYS, "AWS_SECRET_ACCESS_KEY", "another")
    denied = machine.run("log", "store", machine.url, *options, code=5)
    assert "not-a-secret" not in json.dumps(denied)
    assert not (machine.home / "storage.toml").exists()
