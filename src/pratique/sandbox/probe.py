"""Observe, from inside a sandbox, what it lets one do. A script: prints one JSON object."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys

_CLONE_NEWUSER = 0x10000000
_SETTINGS = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname",
    "/proc/sysrq-trigger",
    "/proc/mtrr",
)


def _writable(path: str) -> bool:
    """Whether a file can be opened for writing, or made where it does not exist."""
    try:
        os.close(os.open(path, os.O_WRONLY if os.path.isfile(path) else os.O_WRONLY | os.O_CREAT, 0o600))  # noqa: PTH113
    except OSError:
        return False
    return True


def _status() -> dict[str, str]:
    with open("/proc/self/status", encoding="ascii", errors="replace") as stream:  # noqa: PTH123
        return {key: value.strip() for key, _, value in (line.partition(":") for line in stream)}


def observe(read_only: list[str]) -> dict[str, object]:
    """Try what must not work, and look at what must not be there."""
    status = _status()
    libc = ctypes.CDLL(None, use_errno=True)
    return {
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "capabilities": sorted({status[key].strip("0") for key in ("CapEff", "CapPrm", "CapBnd", "CapInh")}),
        "noNewPrivileges": status["NoNewPrivs"] == "1",
        "seccomp": status["Seccomp"] == "2",
        "userNamespaces": libc.unshare(_CLONE_NEWUSER) == 0,
        "uid": os.getuid(),
        "groups": os.getgroups(),
        "processes": sum(name.isdigit() for name in os.listdir("/proc")),  # noqa: PTH208
        "descriptors": sorted(
            int(name)
            for name in os.listdir("/proc/self/fd")  # noqa: PTH208
            if os.path.exists(f"/proc/self/fd/{name}")  # noqa: PTH110
        ),
        "writable": sorted(path for path in (*read_only, *_SETTINGS) if _writable(path)),
        "hostname": socket.gethostname(),
    }


if __name__ == "__main__":
    json.dump(observe(sys.argv[1:]), sys.stdout)
