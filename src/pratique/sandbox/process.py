"""Keep watch over one running sandbox: limits, log, time, disk, and the certainty that it is over.

The sandbox's first process is held at a gate (`--block-fd`) until its limits are set from outside, so no
code of ours runs between fork and exec, and threads of the caller do no harm. Its pidfd tells the end: when
the first process of a PID namespace is gone, the kernel has killed and reaped every other one in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import time
from typing import TYPE_CHECKING

from pratique.errors import SandboxError

if TYPE_CHECKING:
    from pratique.sandbox.cgroup import Group
    from pratique.sandbox.job import Job, Limits

_POLL_SECONDS = 0.1
_DISK_SECONDS = 1.0
_START_SECONDS = 30.0
_CHUNK = 65536
_MAX_DEPTH = 100


class BoundedLog:
    """The first and the last half of a stream, in bounded memory."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        """Take in more of the stream."""
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:] if room > 0 else data
        if (excess := len(self._tail) - self._half) > 0:
            del self._tail[:excess]
            self.dropped += excess

    def value(self) -> bytes:
        """Give what was kept, with the gap marked."""
        gap = f"\n[… {self.dropped} bytes of log left out …]\n".encode() if self.dropped else b""
        return bytes(self._head) + gap + bytes(self._tail)


class Watch:
    """One bubblewrap process and what it reports about its child.

    Args:
        process: bubblewrap, its output on a pipe.
        status: read end of `--json-status-fd`.
        gate: write end of `--block-fd`.
    """

    def __init__(self, process: subprocess.Popen[bytes], status: int, gate: int, limits: Limits) -> None:
        self._process = process
        self._status = status
        self._gate = gate
        self._limits = limits
        self._report = b""
        self._first: int | None = None
        self.log = BoundedLog(limits.log_bytes)

    def start(self, job: Job, group: Group, *, limited: bool) -> None:
        """Wait for the first process, limit it unless it was `limited` at birth, and let it go.

        Raises:
            SandboxError: bubblewrap gave up before there was one; the message carries its own words.
        """
        deadline = time.monotonic() + _START_SECONDS
        while b"child-pid" not in self._report or not self._report.endswith(b"\n"):
            if not select.select([self._status], [], [], max(0, deadline - time.monotonic()))[0]:
                raise SandboxError("the sandbox did not start in time")
            chunk = os.read(self._status, _CHUNK)
            if not chunk:
                raise self._failed()
            self._report += chunk
        pid = int(json.loads(self._report.splitlines()[0])["child-pid"])
        try:
            self._first = os.pidfd_open(pid)
            if not limited:
                for kind, value in rlimits(job.limits, group).items():
                    resource.prlimit(pid, kind, (value, value))
                os.sched_setaffinity(pid, cpus(job))
            group.add(pid)
            os.write(self._gate, b"\n")
        except (OSError, ValueError) as error:
            raise SandboxError(f"the sandbox's limits could not be set: {error}") from error

    def _failed(self) -> SandboxError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        output = self._process.stdout
        words = os.read(output.fileno(), _CHUNK) if output and self._process.poll() is not None else b""
        return SandboxError(
            f"the sandbox could not be set up: {words.decode(errors='replace').strip()[:2000]}"
        )

    def until_over(self, workdir: str) -> str:
        """Collect the log until the command ends or a limit stops it; give the reason, or nothing."""
        output = self._process.stdout
        if output is None:
            raise SandboxError("the sandbox has no log")
        deadline = time.monotonic() + self._limits.wall_seconds
        next_look = 0.0
        is_open = True
        while self._process.poll() is None:
            now = time.monotonic()
            if now >= deadline:
                return "time-out"
            if now >= next_look:
                if (reason := disk_overrun(workdir, self._limits)) is not None:
                    return reason
                # Looking at a big tree takes time of its own; it must not become the main occupation.
                next_look = time.monotonic() + max(_DISK_SECONDS, 10 * (time.monotonic() - now))
            if is_open and select.select([output], [], [], _POLL_SECONDS)[0]:
                chunk = os.read(output.fileno(), _CHUNK)
                self.log.add(chunk)
                is_open = bool(chunk)
            elif not is_open:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=_POLL_SECONDS)
        return disk_overrun(workdir, self._limits) or ""

    def end(self) -> None:
        """Kill what is left, wait until the kernel says it is all gone, and take the last of the log."""
        if self._first is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._first, signal.SIGKILL)
        if self._process.poll() is None and self._first is None:
            self._process.kill()
        if self._first is not None:
            select.select([self._first], [], [])
            os.close(self._first)
            self._first = None
        self._process.wait()
        with contextlib.suppress(OSError, ValueError):
            while self._process.stdout and (chunk := os.read(self._process.stdout.fileno(), _CHUNK)):
                self.log.add(chunk)
        if self._process.stdout:
            self._process.stdout.close()

    def exit_code(self) -> int | None:
        """Give the command's exit code as bubblewrap reported it, or nothing when it reported none."""
        while chunk := os.read(self._status, _CHUNK):
            self._report += chunk
        for line in self._report.splitlines():
            with contextlib.suppress(ValueError):
                if "exit-code" in (said := json.loads(line)):
                    return int(said["exit-code"])
        return None


def cpus(job: Job) -> list[int]:
    """Give the processors a job may use, always the same ones for the same number."""
    return sorted(os.sched_getaffinity(0))[: job.cpus if job.cpus is None else max(1, job.cpus)]


def rlimits(limits: Limits, group: Group) -> dict[int, int]:
    """Give the limit of each kind (RLIMIT_*) for a process; those that the group enforces are left to it."""
    values = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    if group.enforced_by["processes"] == "rlimit":
        values[resource.RLIMIT_NPROC] = limits.processes
    if group.enforced_by["memory"] == "rlimit":
        values[resource.RLIMIT_AS] = limits.memory_bytes
    return {kind: min(value, _hard(kind)) for kind, value in values.items()}


def _hard(kind: int) -> int:
    """An ordinary user can only lower a limit further."""
    hard = resource.getrlimit(kind)[1]
    return hard if hard != resource.RLIM_INFINITY else 2**62


def disk_overrun(workdir: str, limits: Limits) -> str | None:
    """Say `disk` when a tree outgrew its limits; it may be changing, and hostile, while it is looked at."""
    pending, used, count = [(workdir, 0)], 0, 0
    while pending:
        folder, depth = pending.pop()
        if depth > _MAX_DEPTH:
            return "disk"
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError),
            os.scandir(folder) as entries,
        ):
            for entry in entries:
                count += 1
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append((entry.path, depth + 1))
                    else:
                        used += entry.stat(follow_symlinks=False).st_blocks * 512
                if used > limits.disk_bytes or count > limits.disk_files:
                    return "disk"
    return None
