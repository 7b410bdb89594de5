"""Becomes the service. Run as a script (`python -I -S launcher.py`), told what to do in JSON on stdin.

    deployer ─ run ─▶ launcher ─ fork ─▶ log writer, which ends when the service's output does
                          │
                          └───── fork ─▶ setsid, pid file, exec ─▶ the service

The service is nobody's child, so it outlives the deployer. The deployer may die at any point: the start
lock, an open file handed down to here, is let go only by exec, and by then the pid file is there; so
whoever gets the lock next sees every service that was started. Standard output reports what went wrong;
exec closes it, so nothing on it means that the service runs.

Its one argument, the environment's state directory, is for whoever reads a list of processes.
Standard library only: this file is run by path, in isolation from the package it is in.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

_CHUNK = 65536


def main() -> None:
    """Read what to do, and leave two processes behind: the service, and the writer of its log."""
    specification = json.load(
        sys.stdin
    )  # cut off when the deployer died: then nothing was started, and this fails
    os.set_inheritable(specification["lock"], False)  # noqa: FBT003 - positional only
    os.umask(0o077)
    output, service_end = os.pipe()
    if os.fork() == 0:
        _write_log(output, specification["log"], specification["logLimit"])
    if os.fork() == 0:
        _become(specification, service_end)


def _become(specification: dict[str, Any], service_end: int) -> NoReturn:
    report = os.dup(1)  # not inheritable: exec closes it
    try:
        os.setsid()
        os.chdir(specification["release"])
        _write_pid_file(specification["pidFile"], specification["identity"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(service_end, 1)
        os.dup2(service_end, 2)
        for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(ignored_by_python, signal.SIG_DFL)
        os.execve(specification["argv"][0], specification["argv"], specification["environment"])  # noqa: S606 - an argument vector, no shell
    except (OSError, ValueError) as error:
        with suppress(OSError):  # the deployer may be gone
            os.write(report, f"{specification['argv'][0]}: {error}".encode())
    finally:
        os._exit(127)


def _write_pid_file(path: str, identity: dict[str, Any]) -> None:
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as stream:  # noqa: PTH123 - start up fast
        start = int(stream.read().rpartition(")")[2].split()[19])
    content = json.dumps({**identity, "pid": os.getpid(), "start": start}).encode()
    temporary = f"{path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(handle, content)
    os.fsync(handle)
    os.close(handle)
    os.replace(temporary, path)  # noqa: PTH105 - start up fast
    folder = os.open(os.path.dirname(path), os.O_RDONLY)  # noqa: PTH120 - start up fast
    os.fsync(folder)
    os.close(folder)


def _write_log(output: int, path: str, limit: int) -> NoReturn:
    """Copy the service's output to its log, of which two pieces of at most `limit` bytes are kept.

    A disk that is full loses lines; it must not stop the service, so reading never stops.
    """
    try:
        os.setsid()
        os.chdir("/")
        os.dup2(output, 0)
        for handle in [int(name) for name in os.listdir("/proc/self/fd") if int(name) > 0]:  # noqa: PTH208 - start up fast
            with suppress(OSError):
                os.close(handle)
        while chunk := os.read(0, _CHUNK):
            with suppress(OSError):
                _append(path, chunk, limit)
    finally:
        os._exit(0)


def _append(path: str, chunk: bytes, limit: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    log = os.open(path, flags, 0o600)
    try:
        os.write(log, chunk)
        full = os.fstat(log).st_size >= limit
    finally:
        os.close(log)
    if full:
        os.replace(path, f"{path}.1")  # noqa: PTH105 - start up fast


if __name__ == "__main__":
    main()
