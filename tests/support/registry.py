"""Debian's docker-registry, run for one test on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BINARY = shutil.which("docker-registry")


@contextmanager
def debian_registry(folder: Path) -> Iterator[str]:
    """Run the registry with its storage in a folder; gives its host and port."""
    if BINARY is None:
        pytest.skip("docker-registry is not installed: apt-get install docker-registry")
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with _running(folder, port) as process:
            if _answers(f"http://127.0.0.1:{port}/v2/", process):
                yield f"127.0.0.1:{port}"
                return
    pytest.fail("docker-registry does not answer, on five ports")


@contextmanager
def _running(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    assert BINARY
    config = folder / "registry.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/store}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n"
    )
    command = [BINARY, "serve", str(config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the registry answers; it ends by itself when another has taken its port meanwhile."""
    for _ in range(1200):
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - loopback
        except OSError:
            if process.poll() is not None:
                return False
            time.sleep(0.05)
        else:
            return True
    return False
