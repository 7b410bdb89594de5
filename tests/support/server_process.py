"""`pratique serve --trust` as a process of its own, for tests that need the real thing on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


class ServerProcess:
    """A server that has said where it listens."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process = process
        self.url = url
        self.context: ssl.SSLContext | None = None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Make one request on a connection of its own."""
        parts = urlsplit(self.url)
        connection = (
            http.client.HTTPSConnection(parts.hostname, parts.port, timeout=30, context=self.context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        )
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            given = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(reply.status, reply.read(), given)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it, and give its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)


@contextlib.contextmanager
def serve(home: Path, config: str) -> Iterator[ServerProcess]:
    """Serve a state directory with a configuration; `listen` should have port 0."""
    (home / "serve.toml").write_text(config)
    command = [sys.executable, "-m", "pratique", "serve", "--trust", "--home", str(home)]
    log = home / "serve.log"
    with (
        log.open("w") as stream,
        subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            stdout=stream,
            text=True,
            env={**os.environ, "PRATIQUE_TRACEBACK": "1"},
        ) as process,
    ):
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"serving on (\S+)", first)
        if not found:
            raise AssertionError(first + process.stderr.read())
        try:
            yield ServerProcess(process, found[1])
        finally:
            if process.poll() is None:
                process.kill()
