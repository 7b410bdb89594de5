"""`pratique serve --registry` as a process of its own, on loopback."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def serve_registry(home: Path, config: str = "") -> Iterator[ServerProcess]:
    """Serve a registry with its storage in `home/registry`, on a port of its own choosing."""
    home.mkdir(exist_ok=True)
    listen = "" if "listen =" in config else 'listen = "127.0.0.1:0"\n'
    (home / "registry.toml").write_text(listen + config)
    command = [sys.executable, "-m", "pratique", "serve", "--registry", "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            for line in process.stderr:
                if found := re.match(r"serving on (\S+)", line):
                    yield ServerProcess(process, found[1])
                    return
            raise AssertionError(f"the registry did not start: {process.wait(30)}")
        finally:
            process.terminate()
            process.communicate(timeout=30)
