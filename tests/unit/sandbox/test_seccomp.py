"""The filter, run by a small interpreter of classic BPF written from seccomp(2) and bpf(4)."""

from __future__ import annotations

import struct

import pytest

from pratique.sandbox.seccomp import build_filter

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x50001, 0x50026
X86, ARM, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def verdict(program: bytes, number: int, arch: int, *arguments: int) -> int:
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, arch, 0, *words)
    code = list(struct.iter_unpack("<HBBI", program))
    at = accumulator = 0
    while True:
        operation, if_true, if_false, constant = code[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, constant)
            case 0x15:
                at += if_true if accumulator == constant else if_false
            case 0x35:
                at += if_true if accumulator >= constant else if_false
            case 0x45:
                at += if_true if accumulator & constant else if_false
            case 0x06:
                return constant
            case _:
                raise AssertionError(operation)


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (0, (), ALLOW),  # read
        (59, (), ALLOW),  # execve
        (101, (), EPERM),  # ptrace
        (165, (), EPERM),  # mount
        (272, (), EPERM),  # unshare
        (321, (), EPERM),  # bpf
        (425, (), ENOSYS),  # io_uring_setup
        (435, (), ENOSYS),  # clone3
        (56, (0x11,), ALLOW),  # clone as fork does
        (56, (0x3D0F00,), ALLOW),  # clone as threads are made
        (56, (0x10000011,), EPERM),  # CLONE_NEWUSER
        (56, (0x00020011,), EPERM),  # CLONE_NEWNS
        (56, (0x40000011,), EPERM),  # CLONE_NEWNET
        (16, (0, 0x5401), ALLOW),  # ioctl TCGETS
        (16, (0, 0x5412), EPERM),  # ioctl TIOCSTI
        (16, (0, 0x100005412), EPERM),  # the same, with bits that the kernel drops
        (16, (0, 0x541C), EPERM),  # ioctl TIOCLINUX
        (0x40000000 | 101, (), KILL),  # x32
        (0xFFFFFFFF, (), KILL),
    ],
)
def test_x86_64(number: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(build_filter("x86_64"), number, X86, *arguments) == expected


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (63, (), ALLOW),  # read
        (221, (), ALLOW),  # execve
        (117, (), EPERM),  # ptrace
        (40, (), EPERM),  # mount
        (97, (), EPERM),  # unshare
        (280, (), EPERM),  # bpf
        (425, (), ENOSYS),
        (220, (0x11,), ALLOW),
        (220, (0x10000011,), EPERM),
        (29, (0, 0x5412), EPERM),
        (165, (), ALLOW),  # getrusage here, mount on x86-64
    ],
)
def test_aarch64(number: int, arguments: tuple[int, ...], expected: int) -> None:
    assert verdict(build_filter("aarch64"), number, ARM, *arguments) == expected


@pytest.mark.parametrize(("machine", "foreign"), [("x86_64", I386), ("x86_64", ARM), ("aarch64", X86)])
def test_another_architectures_numbers_are_not_listened_to(machine: str, foreign: int) -> None:
    assert verdict(build_filter(machine), 0, foreign) == KILL


def test_a_machine_without_a_table_has_no_filter() -> None:
    assert build_filter("riscv64") == b""
