"""The embedded registry over HTTP: as clients use it, killed, misused, and as the spec tests it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from fake_registry import copy
from registry_process import serve_registry
from small_image import BUNDLE, refer_to, small_image

from pratique.errors import UsageError
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.registry.challenge import Credentials
from pratique.image.registry.client import Repository
from pratique.image.registry.http import Http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from server_process import ServerProcess

    from pratique.image.assemble import Assembled

CONFORMANCE = os.environ.get("PRATIQUE_OCI_CONFORMANCE")
pytestmark = pytest.mark.enable_socket
TOKEN, READER = "f00d" * 16, "beef" * 16
CLIENTS = f"""
anonymous = []
[[clients]]
name = "ci"
token_sha256 = "{hashlib.sha256(TOKEN.encode()).hexdigest()}"
may = ["pull", "push", "delete"]
repositories = ["sea/*"]
[[clients]]
name = "reader"
token_sha256 = "{hashlib.sha256(READER.encode()).hexdigest()}"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with serve_registry(tmp_path_factory.mktemp("registry")) as process:
        yield process


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    return small_image(tmp_path)


def repository(server: ServerProcess, name: str, credentials: Credentials | None = None) -> Repository:
    return Repository(Http(server.url.removeprefix("http://"), credentials), name)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def code(body: bytes) -> str:
    return str(json.loads(body)["errors"][0]["code"])


def test_an_image_with_what_refers_to_it(
    server: ServerProcess, made: tuple[Layout, Assembled], tmp_path: Path
) -> None:
    layout, image = made
    note = refer_to(layout, image.descriptor, "{}", BUNDLE)
    seal = refer_to(layout, note, "seal")
    there = repository(server, "sea/harbour")
    assert copy(layout, image.descriptor, there, "v1", referrers=True).plan.referrers == 2
    assert [one.digest for one in there.referrers(image.descriptor.digest)] == [note.digest]
    assert list(there.tags()) == ["v1"]  # no fallback tags: it has the endpoint
    other = repository(server, "sea/other")
    assert copy(there, image.descriptor, other, "v2", referrers=True).sent == 0  # all mounted
    with open_writer(tmp_path / "back") as writer:
        copy(other, other.resolve("v2", None), writer, referrers=True)
    assert [one.digest for one in Layout(tmp_path / "back").referrers(note.digest)] == [seal.digest]
    other.delete("v2")
    assert other.head("v2") is None
    assert other.head(image.descriptor.digest) == image.descriptor.digest
    other.delete(image.descriptor.digest)
    with pytest.raises(UsageError):
        other.resolve("", image.descriptor.digest)
    assert there.head("v1") == image.descriptor.digest  # what one deletes the other keeps


def test_pages_of_tags(server: ServerProcess, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    there = repository(server, "many/tags")
    names = sorted(f"v{number}" for number in range(25))
    for name in names:
        copy(layout, image.descriptor, there, name)
    seen, path = [], "/v2/many/tags/tags/list?n=10"
    while path:
        answer = server.request("GET", path)
        seen.append(json.loads(answer.body)["tags"])
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    assert [len(page) for page in seen] == [10, 10, 5]
    assert [tag for page in seen for tag in page] == names
    assert server.request("GET", "/v2/many/tags/tags/list?n=x").status == 400


@pytest.mark.parametrize(("method", "path", "status", "problem"), [
    ("GET", "/v2/../../etc/blobs/sha256:" + "0" * 64, 400, "NAME_INVALID"),
    ("GET", "/v2/A/manifests/v1", 400, "NAME_INVALID"),
    ("GET", "/v2/a/manifests/-x", 400, "MANIFEST_INVALID"),
    ("GET", "/v2/a/blobs/sha256:..%2f..", 404, "UNSUPPORTED"),
    ("GET", "/v2/a/blobs/sha512:" + "0" * 128, 400, "DIGEST_INVALID"),
    ("GET", "/v2/a/blobs/sha256:" + "0" * 64, 404, "BLOB_UNKNOWN"),
    ("PATCH", "/v2/a/blobs/uploads/..%2fcatalogue.sqlite", 404, "UNSUPPORTED"),
    ("PATCH", "/v2/a/blobs/uploads/" + "0" * 32, 404, "BLOB_UPLOAD_UNKNOWN"),
    ("PUT", "/v2/a/manifests/v1", 400, "MANIFEST_INVALID"),
    ("DELETE", "/v2/a/manifests/v1", 404, "MANIFEST_UNKNOWN"),
    ("GET", "/v2/a/tags/list", 404, "NAME_UNKNOWN"),
    ("POST", "/v2/", 405, "UNSUPPORTED"),
    ("GET", "/", 404, "UNSUPPORTED"),
])  # fmt: skip
def test_what_is_refused(server: ServerProcess, method: str, path: str, status: int, problem: str) -> None:
    answer = server.request(method, path, b"{}" if method in {"PUT", "PATCH"} else None)
    assert (answer.status, code(answer.body)) == (status, problem)


def test_bytes_that_are_not_what_they_are_called(server: ServerProcess) -> None:
    started = server.request("POST", "/v2/a/blobs/uploads/", b"")
    where = started.headers["location"]
    answer = server.request("PUT", f"{where}?digest={digest_of(b'other')}", b"bytes")
    assert (answer.status, code(answer.body)) == (400, "DIGEST_INVALID")
    assert server.request("GET", where).status == 404  # nothing is left of it
    answer = server.request("PUT", f"/v2/a/manifests/{digest_of(b'x')}", b"{}", {"Content-Type": "x"})
    assert code(answer.body) == "DIGEST_INVALID"


def test_an_upload_out_of_order(server: ServerProcess) -> None:
    where = server.request("POST", "/v2/a/blobs/uploads/", b"").headers["location"]
    assert server.request("PATCH", where, b"12345", {"Content-Range": "0-4"}).status == 202
    answer = server.request("PATCH", where, b"89", {"Content-Range": "7-8"})
    assert (answer.status, answer.headers["range"]) == (416, "0-4")
    assert server.request("GET", where).headers["range"] == "0-4"
    assert server.request("PUT", f"{where}?digest={digest_of(b'1234567')}", b"67").status == 201
    got = server.request("GET", f"/v2/a/blobs/{digest_of(b'1234567')}", None, {"Range": "bytes=2-4"})
    assert (got.status, got.body) == (206, b"345")


def test_a_manifest_needs_its_parts(server: ServerProcess, made: tuple[Layout, Assembled]) -> None:
    data = made[1].manifest.encode()
    kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    answer = server.request("PUT", "/v2/empty/manifests/v1", data, kind)
    assert (answer.status, code(answer.body)) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert server.request("PUT", "/v2/empty/manifests/v1", b" " * (5 << 20), kind).status == 413
    both = json.dumps(json.loads(data) | {"manifests": []}).encode()  # CVE-2021-41190
    assert code(server.request("PUT", "/v2/empty/manifests/v1", both, kind).body) == "MANIFEST_INVALID"


def test_a_page_in_a_browser_cannot_ask(server: ServerProcess) -> None:
    assert server.request("GET", "/v2/", None, {"Host": "rebound.example.com"}).status == 421
    assert server.request("GET", "/v2/", None, {"Host": "localhost:5000"}).status == 200


def test_who_may_do_what(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    with serve_registry(tmp_path / "home", CLIENTS) as server:
        assert server.request("GET", "/v2/").headers["www-authenticate"].startswith("Basic")
        assert server.request("GET", "/v2/", None, {"Authorization": f"Bearer {TOKEN}"}).status == 200
        copy(layout, image.descriptor, repository(server, "sea/harbour", Credentials("ci", TOKEN)), "v1")
        reader = Credentials("reader", READER)
        assert repository(server, "sea/harbour", reader).head("v1") == image.descriptor.digest
        for wrong in (Credentials("ci", READER), Credentials("reader", "x"), None):
            with pytest.raises(UsageError):
                repository(server, "sea/harbour", wrong).head("v1")
        with pytest.raises(UsageError, match="does not allow"):
            copy(layout, image.descriptor, repository(server, "sea/harbour", reader), "v2")
        with pytest.raises(UsageError, match="does not allow"):
            copy(layout, image.descriptor, repository(server, "land/harbour", Credentials("ci", TOKEN)), "v1")
        basic = "Basic " + base64.b64encode(f"ci:{TOKEN}".encode()).decode()
        source = f"/v2/sea/x/blobs/uploads/?mount={image.manifest.layers[0].digest}&from=land/x"
        assert server.request("POST", source, b"", {"Authorization": basic}).status == 403


def test_what_was_answered_survives_a_kill(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    with serve_registry(tmp_path / "home") as server:
        copy(layout, image.descriptor, repository(server, "a"), "v1")
        where = server.request("POST", "/v2/a/blobs/uploads/", b"").headers["location"]
        server.request("PATCH", where, b"12345", {"Content-Range": "0-4"})
        server.stop(signal.SIGKILL)
    with serve_registry(tmp_path / "home") as server:
        assert repository(server, "a").head("v1") == image.descriptor.digest
        assert server.request("GET", where).headers["range"] == "0-4"  # and the upload goes on
        assert server.request("PUT", f"{where}?digest={digest_of(b'1234567')}", b"67").status == 201


def test_damage_is_not_handed_out(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    with serve_registry(tmp_path / "home") as server:
        copy(layout, image.descriptor, repository(server, "a"), "v1")
        hex_ = image.descriptor.digest.hex
        (tmp_path / "home" / "registry" / "blobs" / "sha256" / hex_[:2] / hex_).write_bytes(b"{}")
        answer = server.request("GET", "/v2/a/manifests/v1")
        assert (answer.status, code(answer.body)) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(("config", "said"), [
    ('listen = "0.0.0.0:5000"', "in clear"),
    ('listen = "0.0.0.0:5000"\n[tls]\ncertificate = "a"\nkey = "b"', "anybody could write"),
    ('anonymous = ["pull"]', "everything is"),
    ('[[clients]]\nname = "a"\ntoken_sha256 = "secret"', "64 hex digits"),
    ("lisen = 1", "did you mean 'listen'"),
])  # fmt: skip
def test_a_configuration_that_would_be_open(tmp_path: Path, config: str, said: str) -> None:
    with pytest.raises(AssertionError, match="did not start: 2"), serve_registry(tmp_path, config):
        pass
    done = subprocess.run(
        [sys.executable, "-m", "pratique", "serve", "--registry", "--home", str(tmp_path)],
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert said in done.stderr


@pytest.mark.interop
@pytest.mark.skipif(CONFORMANCE is None, reason="PRATIQUE_OCI_CONFORMANCE: built by .ci/run")
@pytest.mark.parametrize("clients", [False, True], ids=["open", "tokens"])
def test_the_distribution_specs_conformance_cases(tmp_path: Path, *, clients: bool) -> None:
    """All of version 1.1, and deleting, but for other digests than SHA-256."""
    config = CLIENTS.replace("sea/*", "*") if clients else ""
    with serve_registry(tmp_path / "home", config) as server:
        settings = {
            "OCI_REGISTRY": server.url.removeprefix("http://"),
            "OCI_TLS": "disabled",
            "OCI_VERSION": "1.1",
            "OCI_DATA_SHA512": "false",
            "OCI_API_BLOBS_UPLOAD_CANCEL": "true",
            "OCI_API_BLOBS_DIGEST_HEADER": "true",
            "OCI_API_MANIFESTS_DIGEST_HEADER": "true",
            "OCI_RESULTS_DIR": str(tmp_path / "results"),
            **({"OCI_USERNAME": "ci", "OCI_PASSWORD": TOKEN} if clients else {}),
        }
        assert CONFORMANCE
        done = subprocess.run(
            [CONFORMANCE], check=False, capture_output=True, text=True, timeout=240, cwd=tmp_path,
            env={**os.environ, **settings},
        )  # fmt: skip
    cases = list(ET.parse(tmp_path / "results" / "junit.xml").iter("testcase"))  # noqa: S314 - our own child's
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert (done.returncode, failed) == (0, []), done.stderr[-2000:]
    assert len(cases) > 500
