"""Processes and sockets as Linux's /proc tells of them: who somebody is, and who listens where.

A process is known by pid *and* start time *and* boot, as pids are used again. Signals go through a pidfd that
was opened before the start time was compared, so they cannot reach a stranger who got the pid in between.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROC: Final = Path("/proc")
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]\Z")
_LISTEN: Final = "0A"
_GONE: Final = "ZX"


class Process(msgspec.Struct, frozen=True):
    """One process, ever: pid, start time in clock ticks since boot, and the boot's id."""

    pid: int
    start: int
    boot: str


class Stat(msgspec.Struct, frozen=True):
    """What /proc/<pid>/stat says, as far as it matters here."""

    state: str
    session: int
    start: int


def boot_id() -> str:
    """Give the id of this boot of the machine."""
    return (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()


def read_stat(pid: int) -> Stat | None:
    """Look a process up; None if there is none, or only its exit status is left.

    The name in the middle is the process's own choice, brackets and blanks included, so fields are counted
    from the last bracket (proc(5)).
    """
    try:
        fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return (
        None if fields[0] in _GONE else Stat(state=fields[0], session=int(fields[3]), start=int(fields[19]))
    )


def is_alive(process: Process) -> bool:
    """Say whether it is this very process that runs now."""
    stat = read_stat(process.pid)
    return stat is not None and stat.start == process.start and process.boot == boot_id()


def working_directory(pid: int) -> str:
    """Give the directory a process works in; empty if it cannot be told."""
    try:
        return str((_PROC / str(pid) / "cwd").readlink())
    except OSError:
        return ""


def session_of(leader: Process, marker: bytes) -> list[Process]:
    """Find what runs in the session that a process leads or led.

    While anything of a session runs, the kernel does not give its number away. Should the leader and all the
    others be gone and the number be used by strangers, they are told by the marker they lack.

    Args:
        leader: the process that started the session.
        marker: an environment entry (`NAME=value`) that everything started in the session inherits.
    """
    if leader.boot != boot_id():
        return []
    led = is_alive(leader)
    if not led and read_stat(leader.pid) is not None:
        return []
    return [
        Process(pid, stat.start, leader.boot)
        for pid in _pids()
        if (stat := read_stat(pid)) and stat.session == leader.pid and (led or marker in _environment(pid))
    ]


def send(process: Process, number: signal.Signals) -> None:
    """Signal a process if it is still the same one; else do nothing.

    Raises:
        PermissionError: it belongs to another user.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if is_alive(process):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def loopback_listeners(port: int) -> set[int]:
    """Give the inodes of all sockets that could answer on 127.0.0.1:<port>."""
    found: set[int] = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (_PROC / "self/net" / table).read_text("ascii").splitlines()[1:]
        except FileNotFoundError:
            continue  # a kernel without IPv6
        for line in lines:
            fields = line.split()
            address, _, at = fields[1].partition(":")
            if fields[3] == _LISTEN and int(at, 16) == port and address in _ANSWERING:
                found.add(int(fields[9]))
    return found


def sockets_of(pid: int) -> set[int]:
    """Give the inodes of the sockets that a process holds; none if it may not be looked at."""
    found = set()
    with suppress(OSError):
        for handle in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):
                if inode := _SOCKET.match(str(handle.readlink())):
                    found.add(int(inode.group(1)))
    return found


def holder_of(inodes: set[int]) -> str:
    """Name a process that holds one of these sockets, for people: `process 123 (nginx)`."""
    for pid in _pids():
        if inodes & sockets_of(pid):
            name = ""
            with suppress(OSError):
                name = (_PROC / str(pid) / "comm").read_text("utf-8", "replace").strip()
            return f"process {pid} ({name})" if name.isprintable() else f"process {pid}"
    return "a process of another user"


def _pids() -> Iterator[int]:
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a path object per process is what makes a scan slow
        if entry.isdigit():
            yield int(entry)


def _environment(pid: int) -> list[bytes]:
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _kernel_form(address: bytes) -> str:
    """Write an address as /proc/net does: 32-bit words in the machine's own byte order, in hex."""
    return "".join(f"{word:08X}" for word in struct.unpack(f"={len(address) // 4}I", address))


_ANSWERING: Final = frozenset(
    _kernel_form(socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address))
    for address in ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0")  # noqa: S104 - recognised, not bound
)
