"""The one door through which checks see the machine: a file tree, an environment, the kernel's clock.

The tree's root is a parameter, so a check is a pure function of what a folder holds.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from pratique.model.clock import Clock, system_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.runner.baseline import Baseline

_MAX_BYTES = 1024 * 1024
_MAX_LINKS = 40


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
        clock: the time, for the age of what is there.
        baseline: what this machine was recorded as, to be compared with; None where nothing was recorded.
        earlier_build: an earlier build that evidence shows on this machine since it started; empty when none.
    """

    root: Path
    environ: Mapping[str, str]
    workspace: str
    hash_key: bytes
    access: Callable[[Path, int], bool] = os.access
    clock_status: Callable[[], int]
    clock: Clock = system_clock
    baseline: Baseline | None = None
    earlier_build: str = ""

    @classmethod
    def of_this_machine(
        cls, *, workspace: Path, hash_key: bytes | None = None, clock: Clock = system_clock
    ) -> Self:
        """Give the probe of the real machine and of this process's environment."""
        return cls(
            root=Path("/"),
            environ=dict(os.environ),
            workspace=str(workspace.absolute()),
            hash_key=hash_key or secrets.token_bytes(32),
            clock_status=kernel_clock_status,
            clock=clock,
        )

    def read(self, path: str) -> str:
        """Read a text file of at most 1 MiB.

        Raises:
            UnreadableError: it is absent, may not be read, or is larger.
        """
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str, most: int = _MAX_BYTES) -> bytes:
        """Read a file of at most `most` bytes; raises as `read`."""
        try:
            # Non-blocking, so that a pipe in place of a file cannot hold up the measurement.
            handle = os.open(self._at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                data = stream.read(most + 1) or b""
        except OSError as error:
            raise _unreadable(path, error) from error
        if len(data) > most:
            raise UnreadableError(path, "larger than expected")
        return data

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

    def scan(self, path: str) -> dict[str, os.stat_result]:
        """Give the status of each entry of a folder, links not followed; an absent folder has none.

        Raises:
            UnreadableError: it may not be listed.
        """
        found = {}
        try:
            with os.scandir(self._at(path)) as entries:
                for entry in entries:
                    try:
                        found[entry.name] = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # gone since it was listed
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise _unreadable(path, error) from error
        return found

    def follow(self, path: str) -> str:
        """Follow a link, and the link it leads to, to a path that is none; links among the folders stay.

        Raises:
            UnreadableError: too many links.
        """
        for _ in range(_MAX_LINKS):
            try:
                target = str(self._at(path).readlink())
            except OSError:
                return path
            path = os.path.normpath(os.path.join(os.path.dirname(path), target))  # noqa: PTH118, PTH120 - text
        raise UnreadableError(path, "too many links")

    def sha256(self, path: str) -> str:
        """Digest a regular file of any size; hex.

        Raises:
            UnreadableError: it is absent, may not be read, or is no regular file.
        """
        try:
            handle = os.open(self._at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as stream:
                if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                    raise UnreadableError(path, "not a regular file")
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(path, error) from error

    def opens(self, path: str) -> bool:
        """Tell whether a file opens and has content; what it says is not kept.

        The kernel guards some files of /proc when they are opened, whatever their mode says.
        """
        try:
            handle = os.open(self._at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            return bool(os.read(handle, 1))
        except OSError:
            return False
        finally:
            os.close(handle)

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


def printable(text: str) -> str:
    """Write what is not UTF-8 in a name as escapes: names go into evidence, which has to be."""
    return text.encode("utf-8", "backslashreplace").decode()


def _unreadable(path: str, error: OSError) -> UnreadableError:
    absent = isinstance(error, FileNotFoundError | NotADirectoryError)
    return UnreadableError(path, error.strerror or str(error), absent=absent)
