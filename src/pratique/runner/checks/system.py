"""The system underneath: hooks into every process, kernel settings, accounts, limits, tools, clock, CI."""

from __future__ import annotations

import re
import stat

from pratique.model.finding import Result, Severity
from pratique.runner import drift
from pratique.runner.check import Check, Outcome, Profile, judge, not_applicable
from pratique.runner.probe import Probe, UnreadableError

_HOOKS = (
    "LD_PRELOAD",
    "LD_AUDIT",
    "BASH_ENV",
    "PYTHONSTARTUP",
    "PYTHONPATH",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "PERL5OPT",
    "RUBYOPT",
    "GIT_TEMPLATE_DIR",
)
_GIT_HOOK = re.compile(r"^\s*(hookspath|templatedir|fsmonitor)\s*=", re.IGNORECASE | re.MULTILINE)
_SYSCTLS = {  # least value
    "kernel/yama/ptrace_scope": 1,
    "kernel/kptr_restrict": 1,
    "kernel/dmesg_restrict": 1,
    "kernel/unprivileged_bpf_disabled": 1,
    "kernel/randomize_va_space": 2,
    "kernel/perf_event_paranoid": 2,
    "fs/protected_hardlinks": 1,
    "fs/protected_symlinks": 1,
    "fs/protected_fifos": 1,
    "fs/protected_regular": 1,
}
_VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"
_UNLIMITED = 1 << 60
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_UNSYNCHRONISED = 0x40  # STA_UNSYNC, adjtimex(2)
_DEBUG = (
    "ACTIONS_STEP_DEBUG",
    "ACTIONS_RUNNER_DEBUG",
    "RUNNER_DEBUG",
    "CI_DEBUG_TRACE",
    "CI_DEBUG_SERVICES",
    "SYSTEM_DEBUG",
)
_UNTRUSTED_EVENTS = frozenset({"pull_request", "pull_request_target", "issue_comment", "workflow_run"})


def _hooks(probe: Probe, profile: Profile) -> Outcome:
    del profile
    found = [name for name in _HOOKS if probe.environ.get(name)]
    if probe.read_if_there("/etc/ld.so.preload").strip():
        found.append("/etc/ld.so.preload")
    found += [
        f"{hook.group(1)} in {path}"
        for path in ("/etc/gitconfig", f"{probe.home()}/.gitconfig")
        if (hook := _GIT_HOOK.search(probe.read_if_there(path)))
    ]
    return judge([f"set: {', '.join(found)}"] if found else [], "none of the usual hooks is set")


def _sysctls(probe: Probe, profile: Profile) -> Outcome:
    del profile
    weak, unknown = [], []
    for name, least in _SYSCTLS.items():
        try:
            value = int(probe.read(f"/proc/sys/{name}"))
        except UnreadableError:
            unknown.append(name.replace("/", "."))
            continue
        if value < least:
            weak.append(f"{name.replace('/', '.')}={value}, at least {least} wanted")
    weak += drift.sysctl_changes(probe)
    if unknown and not weak:
        return Outcome(Result.UNKNOWN, f"cannot be read: {' '.join(unknown)}", "/proc/sys")
    return judge(weak, "all as wanted", location="/proc/sys")


def _cpu(probe: Probe, profile: Profile) -> Outcome:
    del profile
    names = probe.list(_VULNERABILITIES)
    if not names:
        return Outcome(Result.UNKNOWN, "the kernel does not say", _VULNERABILITIES)
    found = [name for name in names if probe.read(f"{_VULNERABILITIES}/{name}").startswith("Vulnerable")]
    return judge(
        [f"without mitigation: {' '.join(found)}"] if found else [], "mitigated", location=_VULNERABILITIES
    )


def _accounts(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = []
    for line in probe.read("/etc/passwd").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, password, uid = line.split(":")[:3]
        if uid == "0" and name != "root":
            problems.append(f"{name} is a second root")
        if not password:
            problems.append(f"{name} has no password")
    problems += drift.account_changes(probe)
    return judge(problems, "one root, no empty password", location="/etc/passwd")


def _limits(probe: Probe, profile: Profile) -> Outcome:
    if not profile.contained:
        return not_applicable("this machine's limits are its own size")
    paths = {}
    for line in probe.read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path.rstrip("/")
    unlimited = []
    for kind, new, old in (
        ("memory", "memory.max", "memory.limit_in_bytes"),
        ("pids", "pids.max", "pids.max"),
    ):
        if kind in paths:
            value = probe.read(f"/sys/fs/cgroup/{kind}{paths[kind]}/{old}")
        else:
            value = probe.read(f"/sys/fs/cgroup{paths['']}/{new}")
        if value.strip() == "max" or int(value) >= _UNLIMITED:
            unlimited.append(kind)
    return judge(
        [f"no limit: {' '.join(unlimited)}"] if unlimited else [], "memory and processes are limited"
    )


def _path(probe: Probe, profile: Profile) -> Outcome:
    del profile
    entries = probe.environ.get("PATH", "").split(":")
    own = int(probe.status_field("Uid").split()[1])
    problems = []
    for entry in entries:
        if not entry.startswith("/"):
            problems.append(f"relative entry {entry!r}")
            continue
        status = probe.stat(entry)
        if status is None:
            continue
        if status.st_mode & _OTHERS_WRITE:
            problems.append(f"{entry} can be written by others")
        if status.st_uid not in {0, own}:
            problems.append(f"{entry} belongs to uid {status.st_uid}")
    problems += drift.path_changes(probe)
    return judge(problems, f"{len(entries)} entries, none writable by others", location="PATH")


def _modes(probe: Probe, profile: Profile) -> Outcome:
    del profile
    problems = []
    umask = int(probe.status_field("Umask"), 8)
    if umask & _OTHERS_WRITE != _OTHERS_WRITE:
        problems.append(f"umask {umask:04o} lets others write")
    for path in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - looked at, not used
        status = probe.stat(path)
        if status and status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
            problems.append(f"{path} is writable by all, and not sticky")
    home = probe.stat(probe.home())
    if home and home.st_mode & _OTHERS_WRITE:
        problems.append("the home directory is writable by others")
    return judge(problems, f"umask {umask:04o}")


def _clock(probe: Probe, profile: Profile) -> Outcome:
    del profile
    try:
        status = probe.clock_status()
    except OSError as error:
        return Outcome(Result.UNKNOWN, f"adjtimex: {error.strerror or error}")
    return judge(
        ["the kernel's clock is not synchronised"] if status & _UNSYNCHRONISED else [], "synchronised"
    )


def _ci(probe: Probe, profile: Profile) -> Outcome:
    del profile
    environ = probe.environ
    if not any(environ.get(name) for name in ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD")):
        return not_applicable("not run by a CI system")
    problems = [
        f"{name} is on" for name in _DEBUG if environ.get(name, "").lower() not in {"", "0", "false", "no"}
    ]
    event = environ.get("GITHUB_EVENT_NAME", "")
    if environ.get("RUNNER_ENVIRONMENT") == "self-hosted" and event in _UNTRUSTED_EVENTS:
        problems.append(f"event {event} runs on a self-hosted runner")
    return judge(problems, "no debug switch, no untrusted event on an own runner")


CHECKS = (
    Check(
        id="EPH-23",
        title="Hooks into other programs",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="unset them for the build and remove the file or setting",
        look=_hooks,
    ),
    Check(
        id="HST-26",
        title="Kernel hardening settings",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="set them in /etc/sysctl.d on the host",
        look=_sysctls,
    ),
    Check(
        id="HST-28",
        title="Processor vulnerabilities",
        whole=Severity.LOW,
        contained=Severity.MEDIUM,
        fix="update microcode and kernel, and keep mitigations on",
        look=_cpu,
    ),
    Check(
        id="HST-30",
        title="Accounts",
        whole=Severity.HIGH,
        contained=Severity.MEDIUM,
        fix="remove the account or lock its password (`passwd -l NAME`)",
        look=_accounts,
    ),
    Check(
        id="HST-31",
        title="Resource limits",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="start the container with memory and process limits",
        look=_limits,
    ),
    Check(
        id="TOO-32",
        title="Search path",
        whole=Severity.HIGH,
        contained=Severity.HIGH,
        fix="set PATH to absolute folders that only root or the building user can write",
        look=_path,
    ),
    Check(
        id="TOO-35",
        title="File modes and shared folders",
        whole=Severity.MEDIUM,
        contained=Severity.LOW,
        fix="use umask 022 and `chmod +t` the shared folders",
        look=_modes,
    ),
    Check(
        id="TIM-36",
        title="Clock",
        whole=Severity.LOW,
        contained=Severity.LOW,
        fix="run a time service such as chrony on the host",
        look=_clock,
    ),
    Check(
        id="CI-37",
        title="CI debugging and untrusted events",
        whole=Severity.MEDIUM,
        contained=Severity.MEDIUM,
        fix="turn the debug variable off; run untrusted events on hosted, single-use runners",
        look=_ci,
    ),
)
