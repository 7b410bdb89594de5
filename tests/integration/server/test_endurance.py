"""The server under bad clients, many clients, and kill -9."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from oidc_issuer import Issuer, make_tls
from server_process import ServerProcess, serve
from signing_client import sign_once

from pratique.journal.check import verify_log
from pratique.journal.journal import Journal
from pratique.model.clock import system_clock
from pratique.model.predicate import ISSUANCE
from pratique.store.blobs import BlobStore
from pratique.trust.authority.init import Authority, initialise
from pratique.trust.encoding import b64decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.enable_socket

ISSUER = "https://issuer.example.org"
CONFIG = """
listen = "127.0.0.1:0"
plain = true
[limits]
per_address = 0
per_identity = 0
body_seconds = 0.5
[[issuers]]
url = "https://issuer.example.org"
type = "email"
jwks = "jwks.json"
"""


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(ISSUER)


@pytest.fixture
def home(tmp_path: Path, issuer: Issuer) -> Path:
    folder = tmp_path / "home"
    initialise(folder / "trust", trust_domain="localhost", clock=system_clock)
    (folder / "jwks.json").write_text(json.dumps(issuer.jwks()))
    return folder


@pytest.fixture
def server(home: Path) -> Iterator[ServerProcess]:
    with serve(home, CONFIG) as running:
        yield running


def recorded(home: Path) -> set[bytes]:
    """Give the certificates that the journal knows of, having verified the whole log."""
    authority = Authority.load(home / "trust", system_clock)
    blobs = BlobStore(home / "blobs")
    with Journal.open(home, log_key=authority.log_key, origin="localhost", blobs=blobs) as journal:
        journal.recover()
        verify_log(home / "journal", root=authority.trusted_root, blobs=blobs)
        statements = [
            json.loads(_payload(journal.get(found.digest))) for found in journal.find(predicate_type=ISSUANCE)
        ]
    return {
        b64decode(item["certificate"], what="certificate")
        for statement in statements
        for item in statement["predicate"].get("certificates", [])
    }


def _payload(bundle: bytes) -> bytes:
    return b64decode(json.loads(bundle)["dsseEnvelope"]["payload"], what="payload")


def test_many_sign_at_once(server: ServerProcess, home: Path, issuer: Issuer) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda number: sign_once(server, issuer, f"p{number}@example.org"), range(24)))
    assert server.stop() == 0
    indexes = [item.index for item in done]
    assert len(set(indexes)) == 24
    assert {item.certificate for item in done} == recorded(home)


def test_what_was_given_out_survives_kill_9(server: ServerProcess, home: Path, issuer: Issuer) -> None:
    given: list[bytes] = []

    def client(number: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                given.append(sign_once(server, issuer, f"p{number}@example.org").certificate)

    with ThreadPoolExecutor(4) as pool:
        for number in range(4):
            pool.submit(client, number)
        while len(given) < 12:
            time.sleep(0.05)
        server.stop(signal.SIGKILL)
    assert set(given) <= recorded(home)
    with serve(home, CONFIG) as again:
        sign_once(again, issuer, "ada@example.org")


def test_a_second_server_is_refused(server: ServerProcess, home: Path) -> None:
    command = [sys.executable, "-m", "pratique", "serve", "--trust", "--home", str(home)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "another server runs on" in done.stderr
    assert server.request("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal",
        b"POST /api/v1/timestamp HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n0123",
        b"POST /api/v1/timestamp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ],
)
def test_those_who_dawdle_or_babble_are_shown_out(server: ServerProcess, sent: bytes) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass  # the end comes from the server
    assert server.request("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 12000000\r\n",
        b"Content-Length: 12000000\r\nExpect: 100-continue\r\n",
        b"Content-Length: 99999999999999\r\n",
        b"Transfer-Encoding: chunked\r\n",
    ],
)
def test_who_sends_too_much_is_told_so(server: ServerProcess, head: bytes) -> None:
    """Also while still sending: a reset connection would lose the answer."""
    parts = urlsplit(server.url)
    body = b"c00000\r\n" + b"x" * 12_582_912 if b"chunked" in head else b"x" * 12_000_000
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(b"POST /api/v1/timestamp HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n")
        if b"Expect" not in head:
            connection.sendall(body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"100 Continue" not in answer


def test_too_much_in_the_last_piece_is_too_much(server: ServerProcess) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        head = b"POST /api/v1/timestamp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"2000\r\n" + b"x" * 8192 + b"\r\n0\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_tls_and_nothing_else(home: Path, tmp_path: Path) -> None:
    make_tls(tmp_path / "tls")
    tls = f'certificate = "{tmp_path}/tls/tls.pem"\nkey = "{tmp_path}/tls/tls.key"\n'
    with serve(home, f'listen = "127.0.0.1:0"\n[tls]\n{tls}') as running:
        port = urlsplit(running.url).port
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert b"serving" not in connection.recv(65536)


def test_a_key_that_others_can_read(home: Path, tmp_path: Path) -> None:
    make_tls(tmp_path / "tls")
    (tmp_path / "tls" / "tls.key").chmod(0o644)
    tls = f'[tls]\ncertificate = "{tmp_path}/tls/tls.pem"\nkey = "{tmp_path}/tls/tls.key"\n'
    with pytest.raises(AssertionError, match="others than its owner"), serve(home, tls):
        pass
