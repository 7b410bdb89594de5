"""Scratch folders that a killed run cannot leave behind for long."""

from __future__ import annotations

import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pratique.errors import InfrastructureError
from pratique.store.atomic import locked, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def scratch_folder(work: Path) -> Iterator[Path]:
    """Give an empty folder below `work`, and remove it afterwards.

    The folder's lock is taken before the folder is made and let go after it is gone, so whatever has a
    lock that nobody holds belongs to a killed run. Those are removed first; runs beside this one are left.

    Raises:
        InfrastructureError: the folder cannot be made.
    """
    make_folder(work)
    _sweep(work)
    name = f"run-{secrets.token_hex(8)}"
    folder, lock = work / name, work / f"{name}.lock"
    with locked(lock):
        try:
            make_folder(folder)
            yield folder
        finally:
            _remove(folder)
            lock.unlink(missing_ok=True)


def _sweep(work: Path) -> None:
    for lock in work.glob("run-*.lock"):
        with suppress(InfrastructureError), locked(lock, wait=0):  # held: somebody is at work there
            _remove(work / lock.stem)
            lock.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a tree even where a build made folders read-only."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
