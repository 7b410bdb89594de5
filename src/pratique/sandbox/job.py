"""The sandbox's interface: a job in, an outcome out, and the isolation that held while it ran.

A backend keeps these promises, or raises `SandboxError` before the job's first instruction:

- the job sees the host's tool chain and the job's mounts, all read-only, and one writable directory;
- it has no network, no capability, no way to gain one, and sees no process but its own;
- when `run` returns, every process of the job is dead, so what it left behind no longer changes.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - msgspec resolves field types at run time
from typing import Any, Protocol

import msgspec

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


class Mount(msgspec.Struct, frozen=True):
    """A host file or directory that the job sees read-only, at the absolute path `target`."""

    source: Path
    target: str


class Workdir(msgspec.Struct, frozen=True):
    """The one writable directory: `source` on the host, `target` inside."""

    source: Path
    target: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a job may use up. Bytes and seconds; a breach ends the job, never the machine.

    Attributes:
        wall_seconds: wall-clock time until the whole process tree is killed.
        cpu_seconds: processor time of each single process.
        memory_bytes: of the whole job where a cgroup can be had, else address space of each process.
        processes: processes and threads alive at once.
        file_bytes: size of each single file.
        disk_bytes: sum of the files in the working directory, looked at about once a second.
        disk_files: number of entries in the working directory.
        open_files: descriptors of each process.
        tmp_bytes: size of each of /tmp and /dev/shm.
        log_bytes: how much of standard output and error is kept: the first and the last half.
    """

    wall_seconds: float = 1800
    cpu_seconds: int = 1800
    memory_bytes: int = 4 * GIBIBYTE
    processes: int = 512
    file_bytes: int = 2 * GIBIBYTE
    disk_bytes: int = 8 * GIBIBYTE
    disk_files: int = 500_000
    open_files: int = 1024
    tmp_bytes: int = 512 * MEBIBYTE
    log_bytes: int = 4 * MEBIBYTE


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One command to run in isolation.

    Attributes:
        argv: the command; its first word is an absolute path inside.
        mounts: read-only inputs. Targets may not lie within one another (see `layout`).
        workdir: the writable directory, which is also the current one.
        env: the whole environment; nothing is inherited.
        hostname: the host name inside.
        umask: the umask the command starts with.
        cpus: how many processors it may use; all that the caller has when `None`.
    """

    argv: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    workdir: Workdir
    env: dict[str, str] = msgspec.field(default_factory=dict)
    hostname: str = "build"
    umask: int = 0o022
    cpus: int | None = None
    limits: Limits = Limits()


class Isolation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which isolation held, as observed from inside by `preflight`; recorded in provenance.

    Attributes:
        isolation_class: `namespaces` for the full set below. A weaker backend must say another word.
        backend: which program made it, with `version` and where it came from (`origin`: system or wheel).
        namespaces: the kernel namespaces that were the job's own.
        network: `none`: a network namespace with nothing in it but a loopback.
        privileges: what the job could not do: capabilities, gaining privileges, nested user namespaces.
        host_user: `unprivileged` when the caller is an ordinary user, `dropped-from-root` when root
            changed to a user of its own for the job.
        seccomp: digest of the system-call filter, or `none`.
        resource_limits: what enforces each limit: `cgroup-v1`, `cgroup-v2` or `rlimit`.
    """

    isolation_class: str
    backend: str
    version: str
    origin: str
    namespaces: tuple[str, ...]
    network: str
    privileges: str
    host_user: str
    seccomp: str
    resource_limits: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form that provenance carries."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain["class"] = plain.pop("isolationClass")
        plain["namespaces"] = list(self.namespaces)
        return plain


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended.

    Attributes:
        returncode: of the command; 128+n when signal n ended it, -1 when the sandbox stopped it.
        stopped: why the sandbox stopped it (`time-out`, `disk`), or empty.
        log: standard output and error as they came, bounded (`Limits.log_bytes`).
        log_dropped: bytes that did not fit; their place in the log is marked.
        isolation: which isolation held.
    """

    returncode: int
    stopped: str
    log: bytes
    log_dropped: int
    isolation: Isolation

    @property
    def ok(self) -> bool:
        """Whether the command ran to its end and was content."""
        return self.returncode == 0 and not self.stopped


class Sandbox(Protocol):
    """Runs one command on read-only inputs and says which isolation held (see the module's promises)."""

    @property
    def python(self) -> str:
        """The absolute path, inside, of the Python interpreter that this program runs on."""

    def preflight(self) -> Isolation:
        """Run a real sandbox and observe from inside what holds.

        Raises:
            SandboxError: anything of the promises does not hold here; the hint says what to do.
        """

    def run(self, job: Job) -> Outcome:
        """Run one job to its end; a failing command is an outcome, not an error.

        Raises:
            SandboxError: the job cannot be isolated as promised, and so was not run.
        """
