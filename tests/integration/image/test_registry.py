"""The registry client, against Debian's docker-registry and registries that misbehave; loopback only."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import shutil
import subprocess
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.assemble import Assembled, Recipe, assemble
from pratique.image.descriptor import EMPTY, MANIFEST, Descriptor
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.image.manifest import Manifest
from pratique.image.registry import client
from pratique.image.registry.client import Repository
from pratique.image.registry.evidence import fetch_bundles
from pratique.image.registry.http import Credentials, Http
from pratique.image.registry.transfer import pull_image, push_image
from pratique.image.source import Source
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.enable_socket
BINARY = shutil.which("docker-registry")


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "data").write_bytes(bytes(range(256)) * 40)
    image = assemble(Recipe(sources=(Source(tmp_path / "app", "/app"),), compress=False), tmp_path / "layout")
    return Layout(tmp_path / "layout"), image


class Fake(http.server.BaseHTTPRequestHandler):
    """A registry in memory, with its faults switched on by name."""

    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def do(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        self.server.seen.append((self.command, self.path, self.headers.get("Authorization", "")))
        if path == "/token":
            self.answer(200, json.dumps({"token": "t0k3n"}).encode())
        elif self.server.wants and self.headers.get("Authorization") != self.server.wants:
            self.answer(401, WWW_Authenticate=self.server.challenge)
        else:
            self.serve(path, body)

    def serve(self, path: str, body: bytes) -> None:
        server, name = self.server, path.rpartition("/")[2]
        if "/blobs/uploads/" in path:
            self.upload(body)
        elif self.command == "PUT":
            server.manifests[name] = (body, self.headers["Content-Type"])
            server.manifests[f"sha256:{hashlib.sha256(body).hexdigest()}"] = server.manifests[name]
            self.answer(201)
        elif "/manifests/" in path and name in server.manifests:
            data, kind = server.manifests[name]
            self.answer(200, data, Content_Type=kind)
        elif "/blobs/" in path and name in server.blobs:
            if server.fault == "redirect":
                self.answer(307, Location=server.elsewhere)
            elif server.fault == "cut":
                self.send_response(200)
                self.send_header("Content-Length", "100000")
                self.end_headers()
                self.wfile.write(server.blobs[name][:10])
                self.close_connection = True
            elif server.fault == "stall":
                time.sleep(1)
                self.close_connection = True
            else:
                data = server.blobs[name]
                self.answer(200, {"longer": data + b"x", "other": data[::-1]}.get(server.fault, data))
        else:
            self.answer(404)

    def upload(self, body: bytes) -> None:
        server = self.server
        if self.command == "POST":
            server.upload = b""
            self.answer(202, Location="/v2/a/blobs/uploads/1?state=x")
        elif self.command == "PATCH":
            start = int(self.headers["Content-Range"].partition("-")[0])
            if start != len(server.upload):
                self.answer(416)
                return
            if server.interruptions:
                server.interruptions -= 1
                server.upload += body[: len(body) // 2]
                self.close_connection = True
                return
            server.upload += body
            self.answer(202, Location="/v2/a/blobs/uploads/1?state=y")
        elif self.command == "GET":
            self.answer(
                204, Range=f"0-{max(0, len(server.upload) - 1)}", Location="/v2/a/blobs/uploads/1?s=z"
            )
        else:
            digest = self.path.rpartition("digest=")[2]
            right = digest == f"sha256:{hashlib.sha256(server.upload).hexdigest()}"
            if right:
                server.blobs[digest] = server.upload
            self.answer(201 if right else 400)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do  # noqa: N815 - the standard library's names


class Server(http.server.ThreadingHTTPServer):
    """What the registry holds, and how it misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Fake)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.fault = self.wants = self.challenge = self.elsewhere = ""
        self.interruptions = 0
        self.upload = b""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    thread = threading.Thread(target=fake.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield fake
    fake.shutdown()
    fake.server_close()
    thread.join()


def repository(server: Server, credentials: Credentials | None = None, timeout: float = 10) -> Repository:
    return Repository(Http(server.host, credentials, timeout), "a")


def test_an_image_goes_there_and_back(server: Server, made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    layout, image = made
    push_image(layout, image.descriptor, repository(server), "v1")
    assert repository(server).head("v1") == image.descriptor.digest
    for reference in ("v1", image.descriptor.digest):
        with open_writer(tmp_path / "back") as writer:
            pulled = pull_image(repository(server), reference, writer)
        assert pulled.digest == image.descriptor.digest
    assert Layout(tmp_path / "back").config(image.manifest) == image.config
    server.seen.clear()
    push_image(layout, image.descriptor, repository(server), "v2")
    assert not [path for method, path, _ in server.seen if method in {"POST", "PATCH"}]


def test_an_interrupted_upload_goes_on_where_it_was(
    server: Server, made: tuple[Layout, Assembled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CHUNK", 3000)
    layout, image = made
    server.interruptions = 2
    push_image(layout, image.descriptor, repository(server), "v1")
    assert str(image.manifest.layers[0].digest) in server.blobs
    server.blobs.clear()
    server.interruptions = 99
    with pytest.raises(InfrastructureError, match="no answer"):
        push_image(layout, image.descriptor, repository(server), "v2")
    assert "v2" not in server.manifests


@pytest.mark.parametrize("fault", ["cut", "stall", "longer", "other"])
def test_nothing_is_kept_of_what_is_not_as_announced(
    server: Server, made: tuple[Layout, Assembled], tmp_path: Path, fault: str
) -> None:
    layout, image = made
    push_image(layout, image.descriptor, repository(server), "v1")
    server.fault = fault
    with (
        open_writer(tmp_path / "back") as writer,
        pytest.raises((InfrastructureError, EvidenceInvalidError)),
    ):
        pull_image(repository(server, timeout=0.3), "v1", writer)
    back = Layout(tmp_path / "back")
    assert back.index() == ()
    assert not list((tmp_path / "back" / "blobs" / "sha256").iterdir())


def test_a_manifest_of_another_digest_is_refused(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    push_image(layout, image.descriptor, repository(server), "v1")
    server.manifests[str(image.descriptor.digest)] = (b"{}", MANIFEST)
    with pytest.raises(EvidenceInvalidError, match="gave sha256"):
        repository(server).manifest(image.descriptor.digest)
    server.manifests["huge"] = (b" " * (5 << 20), MANIFEST)
    with pytest.raises(MalformedError, match="longer than"):
        repository(server).manifest("huge")
    with pytest.raises(UsageError, match="has no missing"):
        repository(server).manifest("missing")


def test_basic_and_token_authentication(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    me = Credentials("me", "s3cret")
    basic = "Basic " + base64.b64encode(b"me:s3cret").decode()
    server.wants, server.challenge = basic, 'Basic realm="r"'
    push_image(layout, image.descriptor, repository(server, me), "v1")
    with pytest.raises(UsageError, match="who asks"):
        repository(server).manifest("v1")
    with pytest.raises(UsageError, match="does not allow"):
        repository(server, Credentials("me", "wrong")).manifest("v1")
    server.wants, server.challenge = "Bearer t0k3n", 'Bearer realm="/token",service="s"'
    server.seen.clear()
    assert repository(server, me).head("v1") == image.descriptor.digest
    tokens = [(path, given) for _, path, given in server.seen if path.startswith("/token")]
    assert tokens == [("/token?service=s&scope=repository%3Aa%3Apull", basic)]
    assert "s3cret" not in repr(me)


def test_credentials_do_not_go_along_redirects(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    push_image(layout, image.descriptor, repository(server), "v1")
    other = Server()
    other.blobs = dict(server.blobs)
    threading.Thread(target=other.serve_forever, args=(0.01,), daemon=True).start()
    try:
        layer = image.manifest.layers[0]
        server.wants, server.challenge = Credentials("me", "s3cret").basic, "Basic"
        server.fault, server.elsewhere = "redirect", f"http://{other.host}/blobs/{layer.digest}"
        got = bytearray()
        repository(server, Credentials("me", "s3cret")).blob(layer, got.extend)
        assert hashlib.sha256(got).hexdigest() == layer.digest.hex
        assert [given for _, _, given in other.seen] == [""]
        for bad in ("http://example.com/x", "file:///etc/passwd"):
            server.elsewhere = bad
            with pytest.raises(InfrastructureError, match="not encrypted"):
                repository(server, Credentials("me", "s3cret")).blob(layer, got.extend)
        server.elsewhere = f"http://{server.host}/v2/a/blobs/{layer.digest}"
        with pytest.raises(InfrastructureError, match="redirects"):
            repository(server, Credentials("me", "s3cret")).blob(layer, got.extend)
    finally:
        other.shutdown()
        other.server_close()


def referrer(layout: Layout, image: Assembled, text: str) -> Descriptor:
    with open_writer(layout.root) as writer:
        manifest = Manifest(
            config=writer.add(b"{}", EMPTY),
            layers=(writer.add(text.encode(), "text/plain"),),
            artifact_type="application/x-note",
            subject=Descriptor(
                media_type=MANIFEST, digest=image.descriptor.digest, size=image.descriptor.size
            ),
        )
        return writer.add(manifest.encode(), MANIFEST)


def test_referrers_by_the_fallback_tag(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    there = repository(server)
    push_image(layout, image.descriptor, there, "v1")
    assert there.referrers(image.descriptor.digest) == ()
    notes = [referrer(layout, image, text) for text in ("one", "two")]
    for note in (*notes, notes[0]):
        push_image(layout, note, there)
    listed = there.referrers(image.descriptor.digest)
    assert [one.digest for one in listed] == [note.digest for note in notes]
    assert {one.artifact_type for one in listed} == {"application/x-note"}


def bundle_referrer(layout: Layout, image: Assembled, bundle: bytes) -> Descriptor:
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    with open_writer(layout.root) as writer:
        manifest = Manifest(
            config=writer.add(b"{}", EMPTY),
            layers=(writer.add(bundle, kind),),
            artifact_type=kind,
            subject=Descriptor(
                media_type=MANIFEST, digest=image.descriptor.digest, size=image.descriptor.size
            ),
        )
        return writer.add(manifest.encode(), MANIFEST)


def test_bundles_are_found_among_the_referrers(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    there = repository(server)
    push_image(layout, image.descriptor, there, "v1")
    push_image(layout, referrer(layout, image, "no bundle"), there)
    push_image(layout, bundle_referrer(layout, image, b'{"some": "bundle"}'), there)
    assert [one.bundle for one in fetch_bundles(there, image.descriptor.digest)] == [b'{"some": "bundle"}']


def test_a_referrer_of_something_else_is_refused(server: Server, made: tuple[Layout, Assembled]) -> None:
    layout, image = made
    there = repository(server)
    push_image(layout, bundle_referrer(layout, image, b"{}"), there)
    other = Digest("0" * 64)
    listed = server.manifests[f"sha256-{image.descriptor.digest.hex}"]
    server.manifests[f"sha256-{other.hex}"] = listed
    with pytest.raises(EvidenceInvalidError, match="and is none"):
        fetch_bundles(there, other)


@pytest.mark.parametrize("name", ["", "A", "a//b", "../x", "a/../b", "a b", "a?x", "x" * 300])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Repository(Http("localhost:1"), name)


@pytest.mark.parametrize("host", ["", "http://x", "x/y", "x@y", "x:port", "a b"])
def test_hosts_that_are_none_are_refused(host: str) -> None:
    with pytest.raises(UsageError):
        Http(host)


@pytest.mark.slow
@pytest.mark.skipif(
    BINARY is None, reason="docker-registry is not installed: apt-get install docker-registry"
)
def test_debians_registry(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    assert BINARY
    port = free_port()
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/store}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n"
    )
    with subprocess.Popen(
        [BINARY, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/v2/")
            layout, image = made
            there = Repository(Http(f"127.0.0.1:{port}"), "sea/harbour")
            push_image(layout, image.descriptor, there, "v1")
            note = referrer(layout, image, "note")
            push_image(layout, note, there)
            assert there.head("v1") == image.descriptor.digest
            assert there.head("v2") is None
            assert [one.digest for one in there.referrers(image.descriptor.digest)] == [note.digest]
            with open_writer(tmp_path / "back") as writer:
                assert pull_image(there, "v1", writer).digest == image.descriptor.digest
        finally:
            process.terminate()


def free_port() -> int:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Fake) as probe:
        return int(probe.server_address[1])


def wait_for(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 - loopback
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{url} does not answer")
