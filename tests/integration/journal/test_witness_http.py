"""A witness over HTTP, two processes and the command line: it cosigns what grows, and nothing else."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket]


def pratique(*arguments: object, code: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-m", "pratique", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode == code, (done.stdout + done.stderr).decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Log:
    """A state directory with a log that can grow."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.people = 0

    def grow(self) -> None:
        self.people += 1
        key = self.home.parent / f"{self.home.name}-{self.people}.key"
        pratique("trust", "keygen", key)
        person = f"p{self.people}"
        pratique("trust", "enrol", person, "--key", f"{key}.pub", "--role", "approver", "--home", self.home)

    def collect(self, url: str, witness: Path, code: int = 0) -> dict[str, Any]:
        options = ("--from", url, "--witness", witness / "witness.vkey", "--home", self.home)
        return pratique("log", "collect", *options, code=code)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path / "log")
    pratique("trust", "init", "--home", made.home)
    made.grow()
    return made


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    folder = tmp_path / "witness"
    pratique("witness", "init", folder, "--name", "watch.example.com/w1")
    return folder


@pytest.fixture
def url(log: Log, witness: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "pratique", "witness", "serve", str(witness)]
    command += ["--log", str(log.home / "trust" / "trusted_root.json"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr
        line = process.stderr.readline().decode()
        assert line.startswith("serving on http://127.0.0.1:"), line
        yield line.removeprefix("serving on ").strip()
        process.terminate()
        assert process.wait(timeout=30) == 0


def post(url: str, body: bytes) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("POST", "/add-checkpoint", body)
    reply = connection.getresponse()
    found = reply.status, reply.getheader("Content-Type") or "", reply.read().decode()
    connection.close()
    return found


def test_a_log_that_grows_is_cosigned_each_time(log: Log, witness: Path, url: str) -> None:
    first = log.collect(url, witness)
    assert first["witnesses"] == ["watch.example.com/w1"]
    log.grow()
    second = log.collect(url, witness)
    assert second["size"] > first["size"]
    held = pratique("log", "witnesses", "--home", log.home)["cosignatures"]
    assert [item["size"] for item in held] == [second["size"], first["size"]]

    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    connection.request("GET", f"/{sha256(b'pratique.local').hexdigest()}/checkpoint")
    cosigned = connection.getresponse().read().decode()
    connection.close()
    assert cosigned.startswith(f"pratique.local\n{second['size']}\n")
    assert "\n— watch.example.com/w1 " in cosigned


def test_a_log_that_forgot_what_was_cosigned_is_told_where_to_start(
    log: Log, witness: Path, url: str
) -> None:
    log.collect(url, witness)
    shutil.rmtree(log.home / "journal" / "cosignatures")
    log.grow()
    assert log.collect(url, witness)["witnesses"] == ["watch.example.com/w1"]


def test_an_old_copy_of_a_log_is_found_out(log: Log, witness: Path, url: str, tmp_path: Path) -> None:
    old = Log(tmp_path / "old")
    shutil.copytree(log.home, old.home)
    old.people = 10
    log.grow()
    size = log.collect(url, witness)["size"]
    refused = old.collect(url, witness, code=4)
    assert f"cosigned {size} entries of this log, which has {size - 1}" in refused["error"]["message"]
    old.grow()  # the same size as what was cosigned, with another root: a fork
    refused = old.collect(url, witness, code=4)
    assert "FORK" in refused["error"]["message"]
    assert len(list((witness / "misbehaviour").iterdir())) == 1


def test_what_is_no_request_is_answered_as_the_specification_says(log: Log, witness: Path, url: str) -> None:
    request = pratique("log", "checkpoint", "--with-proof-from", "0", "--home", log.home)["request"]
    size = log.collect(url, witness)["size"]
    assert post(url, request.encode()) == (409, "text/x.tlog.size", f"{size}\n")
    assert not (witness / "misbehaviour").exists()
    again = request.replace("old 0\n", f"old {size}\n", 1)
    status, _, line = post(url, again.encode())
    assert status == 200
    assert line.startswith("— watch.example.com/w1 ")
    assert post(url, again.replace("pratique.local", "other.example").encode())[0] == 404
    text, _, signature = again.rpartition(" ")
    assert post(url, f"{text} {signature[:20]}AAAA{signature[24:]}".encode())[0] == 403
    for junk in (b"", b"\xff\xfe", b"old x\n\n", b"old 0\nAAAA\n\n"):
        assert post(url, junk)[0] == 400
    assert post(url, b"x" * 3_000_000)[0] == 413


def test_nobody_is_there(log: Log, witness: Path) -> None:
    refused = log.collect("http://127.0.0.1:9", witness, code=5)
    assert "cannot be reached" in refused["error"]["message"]
    assert "is no https address" in log.collect("http://w.example.com", witness, code=2)["error"]["message"]


def test_plain_http_stays_on_this_machine(log: Log, witness: Path) -> None:
    root = log.home / "trust" / "trusted_root.json"
    refused = pratique("witness", "serve", witness, "--log", root, "--listen", "0.0.0.0:0", code=2)
    assert "plain HTTP" in refused["error"]["message"]
