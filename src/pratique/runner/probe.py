"""The one door through which checks see the machine: a file tree, an environment, the kernel's clock.

The tree's root is a parameter, so a check is a pure function of what a folder holds.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MAX_BYTES = 1024 * 1024


class UnreadableError(Exception):
    """Something a check needs is absent or may not be read: its result is unknown."""

    def __init__(self, path: str, reason: str, *, absent: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.absent = absent


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement looks at.

    Attributes:
        root: the tree that `/` means.
        environ: environment variables.
        workspace: absolute path, inside the tree, of the checked-out project.
        hash_key: key under which values of suspected secrets are hashed; never published.
        access: tells whether a path may be read or written (`os.access`).
        clock_status: gives the kernel clock's status bits (adjtimex(2)), or raises OSError.
    """

    root: Path
    environ: Mapping[str, str]
    workspace: str
    hash_key: bytes
    access: Callable[[Path, int], bool] = os.access
    clock_status: Callable[[], int]

    @classmethod
    def of_this_machine(cls, *, workspace: Path, hash_key: bytes | None = None) -> Self:
        """Give the probe of the real machine and of this process's environment."""
        return cls(
            root=Path("/"),
            environ=dict(os.environ),
            workspace=str(workspace.absolute()),
            hash_key=hash_key or secrets.token_bytes(32),
            clock_status=kernel_clock_status,
        )

    def read(self, path: str) -> str:
        """Read a text file of at most 1 MiB.

        Raises:
            UnreadableError: it is absent, may not be read, or is larger.
        """
        try:
            # Non-blocking, so that a pipe in place of a file cannot hold up the measurement.
            handle = os.open(self._at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                data = stream.read(_MAX_BYTES + 1) or b""
        except OSError as error:
            raise _unreadable(path, error) from error
        if len(data) > _MAX_BYTES:
            raise UnreadableError(path, "larger than expected")
        return data.decode("utf-8", "replace")

    def read_if_there(self, path: str) -> str:
        """Read a text file that may be absent, which reads as empty.

        Raises:
            UnreadableError: it is there, but may not be read.
        """
        try:
            return self.read(path)
        except UnreadableError as error:
            if error.absent:
                return ""
            raise

    def stat(self, path: str) -> os.stat_result | None:
        """Give the status of a path, links followed; None when it is absent.

        Raises:
            UnreadableError: it may not be asked for.
        """
        try:
            return self._at(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from error

    def exists(self, path: str) -> bool:
        """Tell whether a path is there; raises as `stat`."""
        return self.stat(path) is not None

    def list(self, path: str) -> list[str]:
        """Give the sorted names in a folder; an absent folder has none.

        Raises:
            UnreadableError: it may not be listed.
        """
        try:
            return sorted(os.listdir(self._at(path)))  # noqa: PTH208 - names, not paths
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise _unreadable(path, error) from error

    def may_read(self, path: str) -> bool:
        """Tell whether this process could open a path for reading."""
        return self.access(self._at(path), os.R_OK)

    def may_write(self, path: str) -> bool:
        """Tell whether this process could open a path for writing."""
        return self.access(self._at(path), os.W_OK)

    def is_socket(self, path: str) -> bool:
        """Tell whether a path is a Unix socket; raises as `stat`."""
        status = self.stat(path)
        return status is not None and stat.S_ISSOCK(status.st_mode)

    def status_field(self, name: str) -> str:
        """Give a field of /proc/self/status, for example `CapEff`.

        Raises:
            UnreadableError: the file or the field is missing.
        """
        for line in self.read("/proc/self/status").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
        raise UnreadableError("/proc/self/status", f"no field {name}", absent=True)

    def home(self) -> str:
        """Give the home directory.

        Raises:
            UnreadableError: HOME is not set to an absolute path.
        """
        home = self.environ.get("HOME", "")
        if not home.startswith("/"):
            raise UnreadableError("HOME", "not set to an absolute path")
        return home.rstrip("/")

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


class _Timex(ctypes.Structure):
    """The head of `struct timex` (adjtimex(2)), padded well past its real size of 208 bytes."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def kernel_clock_status() -> int:
    """Ask the kernel for its clock's status bits; `modes` 0 only reads.

    Raises:
        OSError: the kernel or a seccomp filter refuses.
    """
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        raise OSError(ctypes.get_errno(), "adjtimex")
    return int(timex.status)


def _unreadable(path: str, error: OSError) -> UnreadableError:
    absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    return UnreadableError(path, error.strerror or str(error), absent=absent)
