"""Giving up rights, for a process that is about to run a policy engine: limits, and a list of system calls.

A filter that names what is allowed needs no list of what is dangerous: what an evaluation does is compute,
so it may take and return memory, read its request, write its answer and end. There is no call left that
opens a file or a socket, starts a process or signals one (seccomp(2); the numbers are from the kernel's
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h).

Standard library only: the engine's worker process imports it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import signal
import struct
from typing import Final

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER: Final = 2
_LOAD, _JUMP_EQ, _JUMP_GE, _RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, EPERM, _KILL = 0x7FFF0000, 0x00050001, 0x80000000
_NR, _ARCH = 0, 4
_X32_BIT: Final = 0x40000000
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

# Name, number on x86-64, number on aarch64.
COMPUTE: Final = """
read               0   63
write              1   64
close              3   57
mmap               9  222
mprotect          10  226
munmap            11  215
brk               12  214
rt_sigaction      13  134
rt_sigprocmask    14  135
rt_sigreturn      15  139
writev            20   66
sched_yield       24  124
mremap            25  216
madvise           28  233
exit              60   93
gettimeofday      96  169
getrusage         98  165
sigaltstack      131  132
restart_syscall  219  128
futex            202   98
clock_gettime    228  113
exit_group       231   94
getrandom        318  278
"""
# What the process that answers no request itself needs besides: to start the ones that do, and watch them.
SUPERVISE: Final = """
poll               7    -
ppoll            271   73
getpid            39  172
clone             56  220
clone3           435  435
fork              57    -
wait4             61  260
kill              62  129
getppid          110  173
prctl            157  167
setrlimit        160  164
gettid           186  178
set_robust_list  273   99
waitid           247   95
prlimit64        302  261
seccomp          317  277
rseq             334  293
pidfd_open       434  434
"""
# What a program that runs as it is must do without: sockets, and reaching into other processes.
OUTSIDE: Final = """
socket            41  198
connect           42  203
accept            43  202
sendto            44  206
sendmsg           46  211
bind              49  200
listen            50  201
socketpair        53  199
kill              62  129
ptrace           101  117
mount            165   40
unshare          272   97
accept4          288  242
sendmmsg         307  269
setns            308  268
process_vm_readv 310  270
process_vm_writev 311 271
bpf              321  280
io_uring_setup   425  425
pidfd_send_signal 424 424
pidfd_getfd      438  438
"""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def limit(**limits: int) -> None:
    """Lower resource limits, hard and soft: `limit(cpu=10, nofile=3)`."""
    for name, wanted in limits.items():
        kind = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = resource.getrlimit(kind)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (value, value))


def die_with(parent: int) -> None:
    """Be killed when the parent ends, even if it is killed itself; it must be single-threaded (prctl(2))."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def no_new_privileges() -> bool:
    """Make set-user-ID programs and file capabilities without effect, from now on; say whether it holds."""
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def allow_only(*tables: str) -> bool:
    """Answer EPERM to every system call that is not in a table; say whether the filter holds."""
    return _install(build_filter("".join(tables), ALLOW, EPERM))


def refuse(table: str) -> bool:
    """Answer EPERM to every system call in a table; say whether the filter holds."""
    return _install(build_filter(table, EPERM, ALLOW))


def _install(instructions: bytes) -> bool:
    program = _Program(len(instructions) // 8, instructions)
    return bool(instructions) and _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(program))


def build_filter(table: str, listed: int, others: int, machine: str | None = None) -> bytes:
    """Assemble the filter that answers so for calls in the table, and so for all others.

    Returns:
        an array of `struct sock_filter`, or nothing for a machine (`platform.machine()` when `None`) without
        numbers here.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    arch, column = known
    program = [(_LOAD, 0, 0, _ARCH), (_JUMP_EQ, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
    if column == 0:
        # The x32 numbers are other calls.
        program += [(_JUMP_GE, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    for line in table.split("\n"):
        number = line.split()[1 + column] if line else "-"
        if number != "-":
            program += [(_JUMP_EQ, 0, 1, int(number)), (_RETURN, 0, 0, listed)]
    program.append((_RETURN, 0, 0, others))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _prctl(option: int, *values: int) -> bool:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    done: int = ctypes.CDLL(None).prctl(option, *arguments)
    return done == 0
