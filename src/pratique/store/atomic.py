"""Files that are either wholly there or not there at all, and one writer at a time.

A file appears by rename, after its bytes are on the disk; the rename is on the disk before the call returns
(POSIX gives no other order that survives a power cut). A batch pays for durability once: past a handful of
files one `syncfs` is cheaper than an `fsync` for each.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pratique.errors import InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"
_POLL_SECONDS = 0.02
_SYNC_ONE_BY_ONE = 8


class LockBusyError(InfrastructureError):
    """Somebody else holds the lock, and kept it for longer than we would wait."""


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write a file so that a crash leaves the old bytes or the new, and the new survive once this returns.

    Args:
        path: the file; missing folders above it are made (0700).
        data: its whole content.
        mode: its permissions.

    Raises:
        InfrastructureError: the disk refused.
    """
    write_all_atomic([(path, data)], mode)


def write_all_atomic(
    files: Sequence[tuple[Path, bytes]], mode: int = 0o600, *, scratch: Path | None = None
) -> None:
    """Write many files, each as `write_atomic` would, with one durability barrier for all of them.

    The batch is not atomic as a whole: after a crash any prefix of it, in the order given, may be there.

    Args:
        files: paths with their content.
        mode: permissions of every file.
        scratch: folder on the same file system for the temporary files; by default beside each target.

    Raises:
        InfrastructureError: the disk refused; files already renamed stay.
    """
    temporary: list[Path] = []
    current = scratch
    try:
        folders = {path.parent for path, _ in files}
        changed = folders.union(*(_make_missing(folder) for folder in folders))
        if scratch:
            make_folder(scratch)
        for path, data in files:
            current = path
            temporary.append(write_temporary(scratch or path.parent, data, mode))
        sync_paths(temporary)
        for (path, _), source in zip(files, temporary, strict=True):
            current = path
            source.replace(path)
        sync_paths(sorted(changed))
    except OSError as error:
        raise InfrastructureError(f"cannot write {current}: {error.strerror or error}") from error
    finally:
        for path in temporary:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def write_temporary(folder: Path, data: bytes, mode: int) -> Path:
    """Write a new temporary file, not yet synced; its name starts with `TEMPORARY_PREFIX`.

    Raises:
        OSError: the disk refused; no file is left behind.
    """
    path = temporary_name(folder)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def temporary_name(folder: Path) -> Path:
    """Give a fresh name for a temporary file in `folder`."""
    return folder / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(8)}"


def remove_temporary(folder: Path) -> None:
    """Remove what a killed writer left under `folder`; the caller knows that none is at work there."""
    for path in folder.rglob(f"{TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder (0700) and those above it, durably: a synced file in a lost folder is lost too.

    Raises:
        OSError: the disk refused.
    """
    sync_paths(sorted(_make_missing(folder)))


def _make_missing(folder: Path) -> set[Path]:
    """Make a folder and those above it; give the folders that must be synced for that to last."""
    if folder.is_dir():
        return set()
    changed = _make_missing(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return changed | {folder.parent}


def sync_paths(paths: Sequence[Path]) -> None:
    """Bring files or folders of one file system to the disk, each alone or all at once, whichever is cheaper.

    Raises:
        OSError: the disk refused.
    """
    if len(paths) > _SYNC_ONE_BY_ONE:
        _sync_file_system(paths[0])
    else:
        for path in paths:
            _fsync(path)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_file_system(path: Path) -> None:
    """Call syncfs(2), which the standard library lacks; without it (not Linux) sync everything."""
    import ctypes  # noqa: PLC0415 - only large batches pay for loading it

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(handle) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, wait: float = 10.0, shared: bool = False) -> Iterator[None]:
    """Hold an advisory lock (flock) on a file made for the purpose; the kernel drops it when a holder dies.

    Excludes other threads of this process too. Not re-entrant.

    Args:
        path: the lock file; it stays, and names the last exclusive holder's process.
        wait: seconds to wait for it; 0 tries once.
        shared: let other shared holders in, and keep exclusive ones out.

    Raises:
        LockBusyError: another process kept it for longer than `wait`.
        InfrastructureError: it cannot be made.
    """
    try:
        make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InfrastructureError(f"cannot open the lock {path}: {error.strerror}") from error
    try:
        _acquire(handle, path, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, wait)
        if not shared:
            os.ftruncate(handle, 0)
            os.pwrite(handle, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, kind: int, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _busy(handle, path, wait) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _busy(handle: int, path: Path, wait: float) -> LockBusyError:
    holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
    who = f"process {holder}" if holder else "another process"
    return LockBusyError(
        f"{path} is held by {who}, and was not free within {wait:g} s",
        hint=f"let it finish, or see what it is: ps -fp {holder}" if holder else "try again",
    )
