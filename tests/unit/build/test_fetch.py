"""Fetching by digest from a server on this machine that does all that servers do wrong."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path  # noqa: TC003
from typing import Any

import pytest

from pratique.build import download, index
from pratique.build import fetch as fetching
from pratique.build.download import Downloader
from pratique.build.fetch import fetch
from pratique.build.index import IndexConfig, load_index_config, parse_page
from pratique.build.lock import Lock, parse_lock
from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, MalformedError

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]

WHEEL = "demo-1.0-py3-none-any.whl"
SDIST = "demo-1.0.tar.gz"
DATA = b"the locked bytes" * 1000
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, self.headers.get("Authorization")))
                outer.answers.get(self.path, lambda handler: handler.send_error(404))(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()

    def page(self, *files: str, html: bool = False) -> None:
        if html:
            body = "".join(f'<a href="../../files/{name}#sha256=0">{name}</a>' for name in files).encode()
            self.answers["/simple/demo/"] = body_of(body, "text/html; charset=utf-8")
        else:
            listed = [{"filename": name, "url": f"../../files/{name}", "hashes": {}} for name in files]
            body = json.dumps({"meta": {"api-version": "1.1"}, "name": "demo", "files": listed}).encode()
            self.answers["/simple/demo/"] = body_of(body, "application/vnd.pypi.simple.v1+json")


def body_of(body: bytes, kind: str = "application/octet-stream", length: int | None = None) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def redirect(to: str) -> Answer:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


def locked(*data: bytes) -> Lock:
    hashes = " ".join(f"--hash=sha256:{hashlib.sha256(item).hexdigest()}" for item in data or (DATA,))
    return parse_lock(f"demo==1.0 {hashes}\n".encode(), what="lock")


def get(server: Server, directory: Path, lock: Lock | None = None, **options: Any) -> Any:
    config = options.pop("config", IndexConfig(indexes=(f"{server.url}/simple",)))
    limits = {"stall_seconds": 0.3, "total_seconds": 5} | options.pop("limits", {})
    return fetch(
        lock or locked(),
        directory,
        config=lambda: config,
        downloader=functools.partial(Downloader, **limits),
        pause=lambda _: None,
        **options,
    )


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(("name", "kind"), [(WHEEL, "wheel"), (SDIST, "sdist")])
def test_fetches_what_is_locked_once(
    server: Server, tmp_path: Path, name: str, kind: Any, *, html: bool
) -> None:
    server.page(WHEEL, SDIST, "demo-2.0-py3-none-any.whl", html=html)
    server.answers[f"/files/{name}"] = body_of(DATA)
    seen: list[tuple[str, int]] = []
    (item,) = get(server, tmp_path, kind=kind, progress=lambda *event: seen.append(event))
    assert item.path.read_bytes() == DATA
    assert (item.name, item.version, item.purl) == ("demo", "1.0", "pkg:pypi/demo@1.0")
    assert seen[-1] == (name, len(DATA))
    asked = len(server.requests)
    get(server, tmp_path, kind=kind)
    assert len(server.requests) == asked
    assert [path.name for path in tmp_path.iterdir()] == [name]


def refused(server: Server, directory: Path, kind: type[Exception], match: str, **options: Any) -> None:
    with pytest.raises(kind, match=match):
        get(server, directory, **options)
    assert list(directory.iterdir()) == []


def test_other_bytes_are_refused(server: Server, tmp_path: Path) -> None:
    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = body_of(b"evil")
    refused(server, tmp_path, EvidenceInvalidError, "no file that was locked for demo 1.0")
    assert len([path for path, _ in server.requests if path.startswith("/files")]) == 1


def test_a_cut_download_is_tried_again_and_then_refused(server: Server, tmp_path: Path) -> None:
    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = body_of(DATA[:100], length=len(DATA))
    refused(server, tmp_path, InfrastructureError, "cut short|IncompleteRead|stopped answering")
    assert len([path for path, _ in server.requests if path.startswith("/files")]) == 3


def test_a_download_that_works_at_the_second_attempt(server: Server, tmp_path: Path) -> None:
    server.page(WHEEL)
    answers = iter([lambda handler: handler.send_error(503), body_of(DATA)])
    server.answers[f"/files/{WHEEL}"] = lambda handler: next(answers)(handler)  # noqa: PLW0108
    assert get(server, tmp_path)[0].path.read_bytes() == DATA


def test_a_stalled_server_is_given_up(server: Server, tmp_path: Path) -> None:
    gate = threading.Event()

    def stall(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")
        gate.wait(10)

    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = stall
    try:
        refused(server, tmp_path, InfrastructureError, "stopped answering", attempts=1)
    finally:
        gate.set()


def test_a_dripping_server_meets_the_deadline(server: Server, tmp_path: Path) -> None:
    gate = threading.Event()

    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not gate.is_set():
            try:
                handler.wfile.write(b"x")
            except OSError:
                return
            time.sleep(0.02)

    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = drip
    try:
        refused(
            server, tmp_path, InfrastructureError, "took longer", attempts=1, limits={"total_seconds": 0.2}
        )
    finally:
        gate.set()


def test_a_huge_file_is_cut_off(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_FILE_BYTES", 1000)
    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = body_of(DATA)
    refused(server, tmp_path, InfrastructureError, "more than the 1000 bytes", attempts=1)


def test_a_huge_page_is_cut_off(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MAX_PAGE_BYTES", 10)
    server.page(WHEEL)
    refused(server, tmp_path, InfrastructureError, "more than the 10 bytes", attempts=1)


def test_redirects_are_followed_without_the_password(server: Server, tmp_path: Path) -> None:
    server.page(WHEEL)
    page = server.answers["/simple/demo/"]
    server.answers["/moved/demo/"] = redirect("/simple/demo/")
    server.answers[f"/files/{WHEEL}"] = body_of(DATA)
    server.answers["/simple/demo/"] = page
    with_password = server.url.replace("//", "//user:s3cret@")
    get(server, tmp_path, config=IndexConfig(indexes=(f"{with_password}/moved",)))
    sent = dict(server.requests)
    assert sent["/moved/demo/"] == "Basic dXNlcjpzM2NyZXQ="
    assert sent["/simple/demo/"] is None


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://192.0.2.1/x"])
def test_redirects_to_elsewhere_are_refused(server: Server, tmp_path: Path, to: str) -> None:
    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = redirect(to)
    refused(server, tmp_path, InfrastructureError, "302|redirect", attempts=1)


def test_an_endless_redirect_ends(server: Server, tmp_path: Path) -> None:
    server.page(WHEEL)
    server.answers[f"/files/{WHEEL}"] = redirect(f"/files/{WHEEL}")
    refused(server, tmp_path, InfrastructureError, "302", attempts=1)


@pytest.mark.parametrize(
    "name",
    [
        "../demo-1.0-py3-none-any.whl",
        "/opt/demo-1.0-py3-none-any.whl",
        "demo-1.0-py3-none-any.whl/..",
        ".whl",
        "x",
    ],
)
def test_hostile_file_names_are_no_candidates(server: Server, tmp_path: Path, name: str) -> None:
    server.page(name)
    refused(server, tmp_path, ConfigError, "no wheel of demo 1.0")


def test_a_project_that_no_index_has(server: Server, tmp_path: Path) -> None:
    refused(server, tmp_path, ConfigError, "no wheel of demo 1.0")


def test_passwords_are_never_in_messages(server: Server, tmp_path: Path) -> None:
    server.answers["/simple/demo/"] = lambda handler: handler.send_error(500)
    address = server.url.replace("//", "//user:s3cret@")
    with pytest.raises(InfrastructureError) as caught:
        get(server, tmp_path, config=IndexConfig(indexes=(f"{address}/simple",)))
    assert "s3cret" not in str(caught.value)
    assert "500" in str(caught.value)


def test_a_directory_of_files_needs_no_network(server: Server, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / WHEEL).write_bytes(DATA)
    config = IndexConfig(find_links=(str(links),), indexes=(f"{server.url}/simple",))
    (item,) = get(server, tmp_path / "to", config=config)
    assert item.path.read_bytes() == DATA
    assert server.requests == []


def test_a_file_that_was_tampered_with_afterwards_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / WHEEL).write_bytes(b"tampered")
    with pytest.raises(EvidenceInvalidError, match="not the file that was locked"):
        get(server, tmp_path)


def test_plain_http_only_from_here_or_trusted_hosts() -> None:
    for url in ("http://192.0.2.1/x", "file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(InfrastructureError, match="not an address"):
            Downloader(IndexConfig()).get(url, max_bytes=10)
    assert Downloader(IndexConfig(trusted_hosts=("192.0.2.1",)))._allowed("http://192.0.2.1/x")


def test_pip_tells_its_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.test/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TRUSTED_HOST", "index.test")
    config = load_index_config()
    assert config.indexes[0] == "https://index.test/simple"
    assert config.find_links == (str(tmp_path),)
    assert config.trusted_hosts == ("index.test",)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert load_index_config().indexes == ()


def test_a_pip_that_cannot_answer_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "_ASK_PIP", "raise SystemExit('broken configuration')")
    with pytest.raises(ConfigError, match="broken configuration") as caught:
        load_index_config()
    assert caught.value.hint


def test_pages_that_make_no_sense() -> None:
    with pytest.raises(MalformedError, match="without files"):
        parse_page(b"{}", "application/json", "https://index.test/")
    page = b'{"files": [1, {"filename": 2, "url": "x"}, {"filename": "a", "url": "b"}]}'
    links = parse_page(page, "application/json", "https://index.test/simple/")
    assert [(link.filename, link.url) for link in links] == [("a", "https://index.test/simple/b")]
    assert (
        parse_page(b"<a>no address</a><a href='http://[broken'>x</a>", "text/html", "https://i.test/") == ()
    )


def test_public_addresses_lose_what_may_be_secret() -> None:
    assert download.public("https://user:pass@host.test:8443/a?token=1#x") == "https://host.test:8443/a"
