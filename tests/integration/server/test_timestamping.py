"""The timestamp authority as clients meet it: over HTTP, judged by OpenSSL."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from server_process import ServerProcess, serve

from pratique.journal.journal import Journal
from pratique.model.clock import system_clock
from pratique.model.predicate import ISSUANCE
from pratique.store.blobs import BlobStore
from pratique.trust.authority.init import Authority, initialise
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.enable_socket,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]
QUERY = {"Content-Type": "application/timestamp-query"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    home = tmp_path / "home"
    initialise(home / "trust", trust_domain="localhost", clock=system_clock)
    with serve(home, 'listen = "127.0.0.1:0"\nplain = true\n') as running:
        yield running


def openssl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", "ts", *arguments], cwd=folder, check=False, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "options", [["-sha256", "-cert"], ["-sha384", "-cert"], ["-sha512", "-cert", "-no_nonce"]]
)
def test_openssl_verifies(server: ServerProcess, tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "data").write_bytes(b"some data")
    openssl(tmp_path, "-query", "-data", "data", *options, "-out", "query")
    answer = server.request("POST", "/api/v1/timestamp", (tmp_path / "query").read_bytes(), QUERY)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/timestamp-reply")
    (tmp_path / "reply").write_bytes(answer.body)
    (tmp_path / "chain").write_bytes(server.request("GET", "/api/v1/timestamp/certchain").body)
    done = openssl(tmp_path, "-verify", "-queryfile", "query", "-in", "reply", "-CAfile", "chain")
    assert "Verification: OK" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("options", "failure"),
    [(["-sha1"], "badAlg"), (["-sha256", "-tspolicy", "1.2.3"], "unacceptedPolicy")],
)
def test_a_rejection_says_why(
    server: ServerProcess, tmp_path: Path, options: list[str], failure: str
) -> None:
    (tmp_path / "data").write_bytes(b"some data")
    openssl(tmp_path, "-query", "-data", "data", *options, "-out", "query")
    answer = server.request("POST", "/api/v1/timestamp", (tmp_path / "query").read_bytes(), QUERY)
    assert answer.status == 400
    (tmp_path / "reply").write_bytes(answer.body)
    done = openssl(tmp_path, "-verify", "-queryfile", "query", "-in", "reply")
    assert f"failure codes: {failure}" in done.stderr


def test_what_is_no_query(server: ServerProcess) -> None:
    assert server.request("POST", "/api/v1/timestamp", b"\x30\x00", QUERY).status == 400
    assert server.request("POST", "/api/v1/timestamp", b"x", {"Content-Type": "text/plain"}).status == 415
    assert server.request("POST", "/api/v1/timestamp", b"\x30" * 5000, QUERY).status == 413
    assert server.request("GET", "/api/v1/timestamp").status == 405
    assert server.request("GET", "/nowhere").status == 404


def test_stopping_records_what_was_noted(server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"some data")
    openssl(tmp_path, "-query", "-data", "data", "-sha256", "-out", "query")
    server.request("POST", "/api/v1/timestamp", (tmp_path / "query").read_bytes(), QUERY)
    server.request("POST", "/api/v1/timestamp", b"not DER", QUERY)
    assert server.stop() == 0
    home = tmp_path / "home"
    authority = Authority.load(home / "trust", system_clock)
    blobs = BlobStore(home / "blobs")
    with Journal.open(home, log_key=authority.log_key, origin="localhost", blobs=blobs) as journal:
        (found,) = journal.find(predicate_type=ISSUANCE)
        verified = verify_bundle(journal.get(found.digest), authority.trusted_root)
    assert verified.signer.subject == "spiffe://localhost/authority"
    (stamp,) = verified.statement.predicate["timestamps"]
    assert stamp["digest"] == "1307990e6ba5ca145eb35e99182a9bec46531bc54ddf656a602c780fa0240dee"
    assert verified.statement.predicate["refusals"] == [
        {"endpoint": "timestamp", "reason": "bad-data-format", "address": "127.0.0.1", "count": 1}
    ]
