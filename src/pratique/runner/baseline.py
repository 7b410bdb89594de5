"""A machine as somebody vouched for it: tools, setuid programs, settings, accounts, search path.

Recorded once as runner-baseline/v1 evidence (docs/spec/runner-baseline.md) and compared with ever after.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.model.clock import format_time
from pratique.runner.context import describe
from pratique.runner.identity import identity_digest
from pratique.runner.probe import UnreadableError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.model.digest import Digest
    from pratique.runner.probe import Probe

_TOOLS = (
    "ar as awk bash bwrap c++ cargo cc clang clang++ cmake cp curl cut docker dpkg env find g++ gcc git "
    "go grep gzip install java javac ld ld.gold ld.lld ln ls make meson mkdir mv mvn ninja node npm nm "
    "objcopy openssl patch perl pip pip3 pkg-config pnpm podman python python3 ranlib rm rustc sed sh "
    "sort strip sudo tar test tr uv wget which xargs xz yarn zip"
)
TOOLS: Final = tuple(_TOOLS.split())
_SYSCTLS = (
    "fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks "
    "fs/suid_dumpable kernel/core_pattern kernel/dmesg_restrict kernel/io_uring_disabled "
    "kernel/kexec_load_disabled kernel/kptr_restrict kernel/modules_disabled kernel/perf_event_paranoid "
    "kernel/randomize_va_space kernel/unprivileged_bpf_disabled kernel/unprivileged_userns_clone "
    "kernel/yama/ptrace_scope net/core/bpf_jit_harden user/max_user_namespaces "
    "vm/unprivileged_userfaultfd"
)
SYSCTLS: Final = tuple(_SYSCTLS.split())
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_SETUID_FOLDERS = {  # folder → how many folders deep
    "/bin": 0,
    "/sbin": 0,
    "/usr/bin": 0,
    "/usr/sbin": 0,
    "/usr/local/bin": 0,
    "/usr/local/sbin": 0,
    "/usr/lib": 2,
    "/usr/libexec": 2,
    "/opt": 2,
    "/tmp": 0,  # noqa: S108 - looked at, not used
    "/var/tmp": 0,  # noqa: S108 - likewise
    "/dev/shm": 0,  # noqa: S108 - likewise
}


class Tool(msgspec.Struct, frozen=True):
    """Where the search path leads for a command, and what is there; no digest where it may not be read."""

    path: str
    sha256: str | None = None


class Baseline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is recorded of a machine (runner-baseline/v1).

    Attributes:
        recorded_at: when, by the machine's own time (RFC 3339).
        context: as a posture's.
        path: the search path's folders, in order.
        commands: what can be run in each of them, by name.
        tools: the commands that builds run, by name.
        setuid: mode and owner of each program that runs as another user, by path.
        sysctls: kernel settings, by name with slashes; those that cannot be read are left out.
        accounts: uid, gid and shell of each account, by name.
    """

    recorded_at: str
    context: dict[str, str]
    path: tuple[str, ...]
    commands: dict[str, tuple[str, ...]]
    tools: dict[str, Tool]
    setuid: dict[str, str]
    sysctls: dict[str, str]
    accounts: dict[str, str]


def take_baseline(probe: Probe) -> Baseline:
    """Look at the machine as it is.

    Raises:
        UnreadableError: something that every machine lets be read cannot be read here.
    """
    folders = search_path(probe)
    return Baseline(
        recorded_at=format_time(probe.clock()),
        context=describe(probe),
        path=folders,
        commands=commands(probe, tuple(folder for folder in folders if _listable(probe, folder))),
        tools=tools(probe, folders),
        setuid=setuid(probe, folders),
        sysctls=sysctls(probe),
        accounts=accounts(probe),
    )


def baseline_predicate(baseline: Baseline) -> dict[str, Any]:
    """Write a baseline as the predicate of a runner-baseline/v1 statement."""
    written: dict[str, Any] = msgspec.to_builtins(baseline)
    return written


def parse_baseline(predicate: Mapping[str, Any]) -> Baseline:
    """Read the predicate of a verified runner-baseline/v1 statement.

    Raises:
        EvidenceInvalidError: it has another shape.
    """
    try:
        return msgspec.convert(predicate, Baseline)
    except msgspec.ValidationError as error:
        raise EvidenceInvalidError(
            f"runner baseline: {error}", hint="record it again with: pratique runner baseline"
        ) from error


def subject_of(probe: Probe) -> tuple[str, Digest]:
    """Give the name and the digest that a baseline's subject has: host name and canonical machine identity.

    Raises:
        UnreadableError: the machine has no identity.
    """
    return probe.read("/proc/sys/kernel/hostname").strip() or "machine", identity_digest(probe)


def search_path(probe: Probe) -> tuple[str, ...]:
    """Give the search path's absolute folders, in order, each once: /bin is /usr/bin on most systems.

    A folder whose name is not UTF-8 cannot be named in evidence, and is left out.
    """
    entries = [entry for entry in probe.environ.get("PATH", "").split(":") if entry.startswith("/")]
    folders = dict.fromkeys(probe.follow(entry.rstrip("/")) for entry in entries)
    return tuple(folder for folder in folders if folder == printable(folder))


def commands(probe: Probe, folders: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Give the names of what can be run in each folder; raises as `Probe.scan`."""
    return {folder: tuple(sorted(_programs(probe, folder))) for folder in folders}


def _listable(probe: Probe, folder: str) -> bool:
    try:
        probe.list(folder)
    except UnreadableError:
        return False
    return True


def _programs(probe: Probe, folder: str) -> list[str]:
    return [
        printable(name)
        for name, status in probe.scan(folder).items()
        if stat.S_ISLNK(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_mode & 0o111)
    ]


def tools(probe: Probe, folders: tuple[str, ...]) -> dict[str, Tool]:
    """Find each of `TOOLS` where a shell would find it first, and digest it."""
    found = {}
    for name in TOOLS:
        for folder in folders:
            path = f"{folder.rstrip('/')}/{name}"
            try:
                status = probe.stat(path)
            except UnreadableError:
                continue  # a shell passes over it, too
            if status and stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
                found[name] = Tool(path, _digest(probe, path))
                break
    return found


def _digest(probe: Probe, path: str) -> str | None:
    try:
        return probe.sha256(path)
    except UnreadableError:
        return None


def setuid(probe: Probe, folders: tuple[str, ...]) -> dict[str, str]:
    """Give mode and owner of the setuid and setgid programs in the search path and the system's folders."""
    found: dict[str, str] = {}
    pending = list((dict.fromkeys(folders, 0) | _SETUID_FOLDERS).items())
    while pending:
        folder, depth = pending.pop()
        if probe.follow(folder) != folder:
            continue  # seen where it leads to
        try:
            entries = probe.scan(folder)
        except UnreadableError:
            continue  # what this user may not list, it may not run either
        for name, status in entries.items():
            path = f"{folder.rstrip('/')}/{name}"
            if stat.S_ISDIR(status.st_mode) and depth:
                pending.append((path, depth - 1))
            elif stat.S_ISREG(status.st_mode) and status.st_mode & _SPECIAL:
                found[printable(path)] = (
                    f"{stat.S_IMODE(status.st_mode):04o} uid {status.st_uid} gid {status.st_gid}"
                )
    return found


def sysctls(probe: Probe) -> dict[str, str]:
    """Read the kernel's settings that can be read."""
    found = {}
    for name in SYSCTLS:
        try:
            found[name] = probe.read(f"/proc/sys/{name}").strip()
        except UnreadableError:
            continue
    return found


def accounts(probe: Probe) -> dict[str, str]:
    """Read uid, gid and shell of each account (passwd(5)).

    Raises:
        UnreadableError: /etc/passwd cannot be read.
        ValueError: it has another form.
    """
    found = {}
    for line in probe.read("/etc/passwd").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, uid, gid, _, _, shell = line.split(":")
            found[name] = f"uid {uid} gid {gid} shell {shell}"
    return found
