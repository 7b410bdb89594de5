"""A system-call filter for builds, assembled as classic BPF without libseccomp (seccomp(2), bpf(4)).

Defence in depth below the namespaces: it closes kernel interfaces that no build needs and that kernel bugs
keep being found behind. Everything else is allowed. `clone3` and io_uring answer ENOSYS, so that libraries
fall back to calls whose arguments a filter can see. Layout of `struct seccomp_data`: nr at 0, arch at 4,
arguments from 16, little-endian 64-bit words.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final

_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NR, _ARCH, _ARG0_LOW, _ARG1_LOW = 0, 4, 16, 24
_X32_BIT: Final = 0x40000000
_NAMESPACE_FLAGS: Final = (
    0x7E020080  # CLONE_NEWTIME | NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

# Name, number on x86-64, number on aarch64: from the kernel's arch/x86/entry/syscalls/syscall_64.tbl and
# include/uapi/asm-generic/unistd.h.
_DENIED: Final = """
ptrace              101  117
process_vm_readv    310  270
process_vm_writev   311  271
kcmp                312  272
mount               165   40
umount2             166   39
pivot_root          155   41
chroot              161   51
open_tree           428  428
move_mount          429  429
fsopen              430  430
fsconfig            431  431
fsmount             432  432
fspick              433  433
mount_setattr       442  442
open_tree_attr      467  467
unshare             272   97
setns               308  268
bpf                 321  280
perf_event_open     298  241
userfaultfd         323  282
quotactl            179   60
quotactl_fd         443  443
add_key             248  217
request_key         249  218
keyctl              250  219
name_to_handle_at   303  264
open_by_handle_at   304  265
fanotify_init       300  262
init_module         175  105
finit_module        313  273
delete_module       176  106
kexec_load          246  104
kexec_file_load     320  294
swapon              167  224
swapoff             168  225
reboot              169  142
acct                163   89
iopl                172    -
ioperm              173    -
syslog              103  116
"""
_ABSENT: Final = """
clone3              435  435
io_uring_setup      425  425
io_uring_enter      426  426
io_uring_register   427  427
"""
_CLONE, _IOCTL = (56, 220), (16, 29)
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}


def build_filter(machine: str | None = None) -> bytes:
    """Assemble the filter for a machine (`platform.machine()` when `None`).

    Returns:
        an array of `struct sock_filter`, or nothing for a machine without a table here.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    arch, column = known
    program = [(_LOAD, 0, 0, _ARCH), (_JUMP_EQ, 1, 0, arch), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
    if column == 0:
        # The x32 numbers would slip past every comparison below.
        program += [(_JUMP_GE, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    for table, code in ((_DENIED, errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for number in _numbers(table, column):
            program += [(_JUMP_EQ, 0, 1, number), (_RETURN, 0, 0, _ERRNO | code)]
    program += _refuse_flags(_CLONE[column])
    program += _refuse_requests(_IOCTL[column])
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _numbers(table: str, column: int) -> list[int]:
    numbers = [line.split()[1 + column] for line in table.strip().splitlines()]
    return [int(number) for number in numbers if number != "-"]


def _refuse_flags(number: int) -> list[tuple[int, int, int, int]]:
    """`clone` with a namespace flag is refused; otherwise the number is loaded again and matching goes on."""
    return [
        (_JUMP_EQ, 0, 4, number),
        (_LOAD, 0, 0, _ARG0_LOW),
        (_JUMP_SET, 0, 1, _NAMESPACE_FLAGS),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_LOAD, 0, 0, _NR),
    ]


def _refuse_requests(number: int) -> list[tuple[int, int, int, int]]:
    """`ioctl` that types into a terminal is refused (CVE-2017-5226)."""
    return [
        (_JUMP_EQ, 0, 5, number),
        (_LOAD, 0, 0, _ARG1_LOW),
        (_JUMP_EQ, 1, 0, _TIOCSTI),
        (_JUMP_EQ, 0, 1, _TIOCLINUX),
        (_RETURN, 0, 0, _ERRNO | errno.EPERM),
        (_LOAD, 0, 0, _NR),
    ]
