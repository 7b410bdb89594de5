"""A registry in memory, without the referrers endpoint, its faults switched on by name; loopback only."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pratique.image.copy import Copied, plan_copy, run_copy
from pratique.image.registry.client import Repository
from pratique.image.registry.connections import Connections
from pratique.image.registry.http import Http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pratique.image.descriptor import Descriptor
    from pratique.image.place import Reader, Writer
    from pratique.image.registry.challenge import Credentials


class _Cut:
    """Writes so many bytes of an answer, and then nothing more."""

    def __init__(self, stream: Any, left: int) -> None:
        self._stream = stream
        self._left = left

    def write(self, data: bytes) -> int:
        self._stream.write(data[: self._left])
        self._left -= min(self._left, len(data))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Fake(http.server.BaseHTTPRequestHandler):
    server: FakeRegistry
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        server = self.server
        server.seen.append((self.command, self.path, self.headers.get("Authorization", "")))
        if server.cut_after is not None and server.cut_where in path:
            self.wfile = _Cut(self.wfile, server.cut_after)  # type: ignore[assignment]
            self.close_connection = True
        if path == "/token":
            self.answer(200, json.dumps({"token": "t0k3n"}).encode())
        elif server.wants and self.headers.get("Authorization") != server.wants:
            self.answer(401, WWW_Authenticate=server.challenge)
        elif server.busy:
            server.busy -= 1
            self.answer(503, Retry_After="7")
        else:
            with server.lock:
                self.serve(path, body)

    def serve(self, path: str, body: bytes) -> None:
        server, name = self.server, path.rpartition("/")[2]
        repository = re.sub(r"/v2/(.*)/(blobs|manifests|tags|referrers)/.*", r"\1", path)
        if "/blobs/uploads/" in path:
            self.upload(name, body)
        elif path.endswith("/tags/list"):
            tags = sorted(tag for tag in server.manifests if not tag.startswith("sha256:"))
            self.answer(200, json.dumps({"name": repository, "tags": tags}).encode())
        elif self.command == "PUT":
            if server.before_put:
                server.before_put(name, body)
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            server.manifests[name] = server.manifests[digest] = (body, self.headers["Content-Type"])
            self.answer(201)
        elif self.command == "DELETE" and name in server.manifests:
            data = server.manifests.pop(name)
            if name.startswith("sha256:"):
                for tag in [tag for tag, known in server.manifests.items() if known == data]:
                    del server.manifests[tag]
            self.answer(202)
        elif "/manifests/" in path and name in server.manifests:
            data, kind = server.manifests[name]
            self.answer(200, data, Content_Type=kind)
        elif "/blobs/" in path and name in server.blobs:
            self.blob(server.blobs[name])
        else:
            self.answer(404)

    def blob(self, data: bytes) -> None:
        server = self.server
        if server.fault == "redirect":
            self.answer(307, Location=server.elsewhere)
        elif server.fault == "stall":
            server.lock.release()
            time.sleep(1)
            server.lock.acquire()
            self.close_connection = True
        elif server.fault == "no-range" or (start := self.headers.get("Range")) is None:
            self.answer(200, {"longer": data + b"x", "other": data[::-1]}.get(server.fault, data))
        else:
            first = int(start.removeprefix("bytes=").removesuffix("-"))
            where = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.answer(206, data[first:], Content_Range=where)

    def upload(self, name: str, body: bytes) -> None:
        server = self.server
        if self.command == "POST":
            if "mount=" in self.path and server.mounts:
                self.answer(201)
                return
            server.uploads.append(b"")
            self.answer(202, Location=f"/v2/a/blobs/uploads/{len(server.uploads) - 1}?state=x")
            return
        number = int(name)
        if self.command == "DELETE":
            self.answer(204)
        elif self.command == "GET":
            last = max(0, len(server.uploads[number]) - 1)
            self.answer(204, Range=f"0-{last}", Location=f"/v2/a/blobs/uploads/{number}?state=z")
        elif body and int(self.headers.get("Content-Range", "0-").partition("-")[0]) != len(
            server.uploads[number]
        ):
            self.answer(416)
        elif server.interruptions:
            server.interruptions -= 1
            server.uploads[number] += body[: len(body) // 2]
            self.close_connection = True
        else:
            server.uploads[number] += body
            self.end_upload(server.uploads[number])

    def end_upload(self, data: bytes) -> None:
        if self.command == "PATCH":
            self.answer(202, Location=self.path.replace("state=", "state=y"))
            return
        digest = self.path.rpartition("digest=")[2]
        right = digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        if right:
            self.server.blobs[digest] = data
        self.answer(201 if right else 400)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815 - names given


class FakeRegistry(http.server.ThreadingHTTPServer):
    """What the registry holds, and how it misbehaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Fake)
        self.lock = threading.Lock()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[bytes, str]] = {}
        self.uploads: list[bytes] = []
        self.seen: list[tuple[str, str, str]] = []
        self.fault = self.wants = self.challenge = self.elsewhere = self.cut_where = ""
        self.interruptions = self.busy = 0
        self.cut_after: int | None = None
        self.mounts = False
        self.before_put: Callable[[str, bytes], None] | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: tests make them."""

    def repository(
        self, credentials: Credentials | None = None, *, timeout: float = 10, name: str = "a"
    ) -> Repository:
        http = Http(self.host, credentials, connections=Connections(timeout), sleep=lambda _: None)
        return Repository(http, name)


@contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """Run one."""
    fake = FakeRegistry()
    thread = threading.Thread(target=fake.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.shutdown()
        fake.server_close()
        thread.join()


def copy(
    source: Reader, descriptor: Descriptor, target: Writer, name: str = "", *, referrers: bool = False
) -> Copied:
    """Copy an image as the command does."""
    plan = plan_copy(source, descriptor, referrers=referrers)
    return run_copy(plan, source, target, name, lambda _done, _total: None)


def files_below(folder: Path) -> list[str]:
    """List the files in a folder."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
