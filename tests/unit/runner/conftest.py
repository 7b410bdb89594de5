"""A pretended machine: a folder that stands for `/`, in good order until a test breaks something."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pratique.runner.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.runner.baseline import Baseline

NOW = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
ME = os.getuid() or 1000  # the tree's owner, whoever runs the tests
STATUS = f"""Name:\tpython
Umask:\t0022
Pid:\t100
PPid:\t50
Uid:\t{ME}\t{ME}\t{ME}\t{ME}
Gid:\t1000\t1000\t1000\t1000
Groups:\t1000
CapEff:\t0000000000000000
CapBnd:\t00000000000004fb
NoNewPrivs:\t1
Seccomp:\t2
"""
SYSCTLS = {
    "kernel/yama/ptrace_scope": "1",
    "kernel/kptr_restrict": "1",
    "kernel/dmesg_restrict": "1",
    "kernel/unprivileged_bpf_disabled": "2",
    "kernel/randomize_va_space": "2",
    "kernel/perf_event_paranoid": "3",
    "fs/protected_hardlinks": "1",
    "fs/protected_symlinks": "1",
    "fs/protected_fifos": "1",
    "fs/protected_regular": "2",
    "fs/suid_dumpable": "0",
    "kernel/core_pattern": "core",
    "kernel/osrelease": "6.12.0-test",
    "kernel/arch": "x86_64",
    "kernel/hostname": "forge",
    "kernel/random/boot_id": "9a8b7c6d-0000-4000-8000-000000000001",
}


def process(name: str, parent: int, uid: int) -> str:
    return f"Name:\t{name}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"


NET_HEADER = "Inter-|   Receive\n face |bytes\n"
TCP_HEADER = "  sl  local_address rem_address   st tx_queue\n"
ROUTE_HEADER = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
GOOD = {
    "/proc/self/status": STATUS,
    "/proc/self/uid_map": "         0     100000      65536\n",
    "/proc/self/attr/current": "docker-default (enforce)\n",
    "/proc/self/mountinfo": "1 0 0:50 / / rw - overlay overlay rw\n2 1 0:51 / /proc rw - proc proc rw\n",
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/limits": "Limit  Soft  Hard  Units\nMax core file size        0          unlimited   bytes\n",
    "/proc/net/dev": NET_HEADER + "    lo: 0\n  eth0: 0\n",
    "/proc/net/route": ROUTE_HEADER,
    "/proc/net/tcp": TCP_HEADER + "   0: 0100007F:1F90 00000000:0000 0A 0\n",
    "/proc/sysrq-trigger": "",
    "/proc/cpuinfo": "flags\t\t: fpu hypervisor\n",
    "/sys/fs/cgroup/memory.max": "1073741824\n",
    "/sys/fs/cgroup/pids.max": "4096\n",
    "/sys/devices/system/cpu/vulnerabilities/meltdown": "Not affected\n",
    "/etc/passwd": f"root:x:0:0::/root:/bin/sh\nbuild:x:{ME}:1000::/home/build:/bin/sh\n",
    "/etc/group": "root:x:0:\nbuild:x:1000:\ndocker:x:999:\n",
    "/etc/os-release": '# made for tests\nPRETTY_NAME="Test Linux 1"\nSUPPORT_END=2030-06-30\n',
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/proc/1/status": process("init", 0, 0),
    "/proc/50/status": process("bash", 1, ME),
    "/proc/60/status": process("auditd", 1, 0),
    "/proc/100/status": process("python", 50, ME),
    "/proc/stat": "cpu 1 2 3\nbtime 1000\n",
    "/usr/bin/make": "#!make\n",
    "/var/lib/dpkg/info/make.list": "/.\n/usr\n/usr/bin\n/usr/bin/make\n",
    "/var/lib/dpkg/status": "",
    "/dev/null": "",
    "/work/.git/HEAD": "ref: refs/heads/main\n",
    "/work/.git/config": '[remote "origin"]\n\turl = https://example.org/x.git\n',
}


MODES = {
    "/usr/bin": 0o755,
    "/usr/bin/make": 0o755,
    "/bin": 0o755,
    "/home/build": 0o750,
    "/tmp": 0o1777,  # noqa: S108 - in the tree
}


class Machine:
    """Change it through its methods, then take its probe; `reset` undoes every change.

    Making the whole tree anew for each test would take most of the tests' time.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.good = GOOD | {f"/proc/sys/{name}": value for name, value in SYSCTLS.items()}
        self.changed: set[str] = set()
        self.made: list[Path] = []
        for path, text in self.good.items():
            self.write(path, text)
        for path in MODES:
            if path not in self.good:
                self.at(path).mkdir(parents=True, exist_ok=True)
        self.made.clear()
        self.reset()

    def reset(self) -> None:
        self.environ = {"HOME": "/home/build", "PATH": "/usr/bin:/bin"}
        self.accessible: set[str] = set()
        self.clock: int | OSError = 0
        self.baseline: Baseline | None = None
        self.earlier_build = ""
        for path in sorted(self.changed):
            if not self.at(path).is_dir():
                self.at(path).unlink(missing_ok=True)
            if path in self.good:
                self.at(path).parent.mkdir(parents=True, exist_ok=True)
                self.at(path).write_text(self.good[path])
        for folder in reversed(self.made):
            folder.rmdir()
        for path, mode in MODES.items():
            self.at(path).chmod(mode)
        self.age("/var/lib/dpkg/status", 1)
        self.changed.clear()
        self.made.clear()

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def write(self, path: str, text: str) -> None:
        self._touch(path)
        self.at(path).write_text(text)

    def program(self, path: str, text: str = "", mode: int = 0o755) -> None:
        self.write(path, text)
        self.at(path).chmod(mode)

    def link(self, path: str, target: str) -> None:
        self._touch(path)
        self.at(path).symlink_to(target)

    def give_away(self, path: str) -> None:
        """Let a path belong to somebody else, by the means the test's own user has."""
        if os.getuid() == 0:
            os.chown(self.at(path), 4321, -1)
        else:
            self.replace("/proc/self/status", f"Uid:\t{ME}\t{ME}", f"Uid:\t{ME}\t4321")

    def age(self, path: str, days: int) -> None:
        moment = NOW.timestamp() - days * 86400
        os.utime(self.at(path), (moment, moment))

    def replace(self, path: str, old: str, new: str) -> None:
        text = self.at(path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def folder(self, path: str, mode: int) -> None:
        self._touch(f"{path}/x")
        self.at(path).chmod(mode)

    def remove(self, path: str) -> None:
        self._touch(path)
        self.at(path).unlink()

    def deny(self, path: str) -> None:
        """Make a path unreadable even for root, as EPERM would: a link to itself."""
        self._touch(path)
        self.at(path).unlink(missing_ok=True)
        self.at(path).symlink_to(self.at(path).name)

    def socket(self, path: str) -> None:
        """Put a Unix socket there; its name is reached through a descriptor, as it would be too long."""
        self._touch(path)
        parent = os.open(self.at(path).parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as handle:
            handle.bind(f"/proc/self/fd/{parent}/{self.at(path).name}")
        os.close(parent)

    def _touch(self, path: str) -> None:
        self.changed.add(path)
        missing = [folder for folder in self.at(path).parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir()
            self.made.append(folder)

    def access(self, path: Path, mode: int) -> bool:
        del mode
        return f"/{path.relative_to(self.root)}" in self.accessible

    def clock_status(self) -> int:
        if isinstance(self.clock, OSError):
            raise self.clock
        return self.clock

    def probe(self) -> Probe:
        return Probe(
            root=self.root,
            environ=self.environ,
            workspace="/work",
            hash_key=b"k" * 32,
            access=self.access,
            clock_status=self.clock_status,
            clock=lambda: NOW,
            baseline=self.baseline,
            earlier_build=self.earlier_build,
        )


@pytest.fixture(scope="session")
def pretended(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture
def machine(pretended: Machine) -> Iterator[Machine]:
    yield pretended
    pretended.reset()
