"""Start bubblewrap as a user of its own when the caller is root. A script: standard library only.

A job whose user is root on the host could, even without capabilities, write what root owns: system
settings below /proc/sys, the mode of device nodes. So root gives the job a user that owns nothing. As that
user may be unable to reach the sources (a Python below /root), each is first opened by root and bound below
a private directory, in a mount namespace that ends with the job.

Usage: launcher.py UID STAGE KIND=LIMIT,… CPU,… NAME=SOURCE… -- PROGRAM ARGUMENT…
(PROGRAM and its arguments may name STAGE/NAME; KIND is the number of an rlimit)
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind)]
    if _libc.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mount {target}: {os.strerror(code)}")


def main(arguments: list[str]) -> None:
    """Bind the sources, become the user, and turn into the program."""
    split = arguments.index("--")
    uid, stage = int(arguments[0]), arguments[1]
    limits = [tuple(map(int, item.split("="))) for item in arguments[2].split(",")]
    sources = [item.partition("=") for item in arguments[4:split]]
    if _libc.unshare(_CLONE_NEWNS) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare mount namespace: {os.strerror(code)}")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    # Not earlier: a mount of the old namespace cannot be bound in this one. Not later: the stage may hide it.
    opened = [(name, os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)) for name, _, path in sources]
    _mount("tmpfs", stage, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755,size=1m")
    for name, fd in opened:
        place = os.path.join(stage, name)  # noqa: PTH118 - a short start matters more here
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.mkdir(place, 0o755)  # noqa: PTH102
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
        _mount(f"/proc/self/fd/{fd}", place, None, _MS_BIND | _MS_REC)
    os.sched_setaffinity(0, [int(cpu) for cpu in arguments[3].split(",")])
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execve(arguments[split + 1], arguments[split + 1 :], {})  # noqa: S606 - this is what a launcher does


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(f"launcher: {error}")
