"""Left behind: what an earlier job on this machine could have prepared for this one."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

from pratique.model.finding import Result, Severity
from pratique.runner.check import Check, Outcome, Profile, judge
from pratique.runner.processes import job_of, processes

if TYPE_CHECKING:
    from pratique.runner.probe import Probe

_SHOWN = 6
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SESSION = frozenset({"systemd", "(sd-pam)", "dbus-daemon", "dbus-broker", "dbus-broker-lau"})
_KTHREADD = 2
_CACHES = (  # the variable that moves it, and where it is otherwise, under home
    ("PIP_CACHE_DIR", ".cache/pip"),
    ("UV_CACHE_DIR", ".cache/uv"),
    ("npm_config_cache", ".npm"),
    ("GOCACHE", ".cache/go-build"),
    ("GOMODCACHE", "go/pkg/mod"),
    ("CCACHE_DIR", ".cache/ccache"),
    ("SCCACHE_DIR", ".cache/sccache"),
    ("CARGO_HOME", ".cargo"),
    ("GRADLE_USER_HOME", ".gradle"),
    ("", ".m2"),
    ("", ".local/share/pnpm"),
)
_SHARED_KINDS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "glusterfs", "fuse.sshfs", "lustre"}
)
_WORKER_LOG = re.compile(r"Worker_.*\.log\Z")


def _single_use(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = []
    if probe.earlier_build:
        problems.append(f"build {probe.earlier_build} ran here since the machine started")
    boot = re.search(r"^btime (\d+)$", probe.read("/proc/stat"), re.MULTILINE)
    if boot is None:
        raise ValueError("no btime in /proc/stat")
    # A change time, unlike a modification time, cannot be set.
    head = probe.stat(f"{probe.workspace}/.git/HEAD")
    if head and head.st_ctime < int(boot.group(1)):
        problems.append("the checkout is older than the machine's start")
    runner, _, _ = probe.environ.get("RUNNER_WORKSPACE", "").rstrip("/").rpartition("/")
    logs = [name for name in probe.list(f"{runner}/../_diag") if _WORKER_LOG.match(name)] if runner else []
    if len(logs) > 1:
        problems.append(f"the CI runner's logs tell of {len(logs)} jobs")
    return judge(problems, "no sign of an earlier job since the machine started")


def _left_processes(probe: Probe, profile: Profile) -> Outcome:
    table = processes(probe)
    own = table[int(probe.status_field("Pid"))]
    if own.uid == 0 and not profile.contained:
        return Outcome(
            Result.UNKNOWN, "root owns the system's processes too: left-over ones cannot be told from them"
        )
    job = job_of(table, own.pid)
    left = [
        process
        for process in table.values()
        if process.uid == own.uid
        and process.pid not in job
        and process.name not in _SESSION
        and _KTHREADD not in {process.pid, process.parent}
    ]
    shown = ", ".join(f"{process.name} (pid {process.pid})" for process in left[:_SHOWN])
    more = f", and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
    return judge([f"same user, other job: {shown}{more}"] if left else [], "every process is this job's")


def _caches(probe: Probe, profile: Profile) -> Outcome:
    own = int(probe.status_field("Uid").split()[1])
    mounts = _mounts(probe)
    problems, seen = [], 0
    for variable, usual in _CACHES:
        path = (probe.environ.get(variable, "") if variable else "") or f"{probe.home()}/{usual}"
        path = path.rstrip("/")
        status = probe.stat(path)
        if status is None:
            continue
        seen += 1
        if status.st_mode & _OTHERS_WRITE:
            problems.append(f"{path} can be written by others")
        if status.st_uid not in {0, own}:
            problems.append(f"{path} belongs to uid {status.st_uid}")
        for point, kind in mounts.items():
            inside = point == path or point.startswith(f"{path}/")
            if inside and (profile.contained or kind in _SHARED_KINDS):
                problems.append(f"{point} is a volume ({kind}) that outlives the job")
    return judge(problems, f"{seen} of the usual caches are there, none is shared")


def _mounts(probe: Probe) -> dict[str, str]:
    """Give the file system type at each writable mount point (proc_pid_mountinfo(5))."""
    found = {}
    for line in probe.read("/proc/self/mountinfo").splitlines():
        fields = line.split()
        if "rw" in fields[5].split(","):
            found[fields[4]] = fields[fields.index("-") + 1]
    return found


CHECKS = (
    Check(
        id="EPH-21",
        title="Single use",
        whole=Severity.LOW,
        contained=Severity.MEDIUM,
        fix="give each job a fresh machine or container, for example with an ephemeral runner",
        look=_single_use,
    ),
    Check(
        id="EPH-22",
        title="Left-over processes",
        whole=Severity.MEDIUM,
        contained=Severity.MEDIUM,
        fix="end them (`kill PID`), and give each job a user or container of its own",
        look=_left_processes,
    ),
    Check(
        id="EPH-24",
        title="Shared writable caches",
        whole=Severity.MEDIUM,
        contained=Severity.HIGH,
        fix="give each trust level a cache of its own, and mount shared ones read-only",
        look=_caches,
    ),
)
