"""SQLite as the journal and the store use it: private files, explicit transactions, our own errors."""

from __future__ import annotations

import os
import sqlite3
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.store.atomic import make_folder, sync_paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BUSY_SECONDS = 30.0
_PAGE_BYTES = 16384
"""Of a new file: evidence is of some kilobytes a piece, and would take several of SQLite's usual pages."""
_WAL_PAGES = 4096
"""After which a write-ahead log is copied into its file: what is soon deleted is copied less."""
_CACHE_KIBIBYTES = 64 * 1024
"""At most. What does not fit is written before it is committed, each part of it synced."""


def connect(path: Path, *, synchronous: str, journal_mode: str = "WAL") -> sqlite3.Connection:
    """Open a database for writing, making it (0600) when it is missing.

    The connection may cross threads; whoever holds it keeps them apart.

    Args:
        path: the database file.
        synchronous: with `FULL` every commit survives a power cut (`EXTRA`, where the journal mode is
            `DELETE`); `NORMAL` only keeps the file sound.
        journal_mode: `WAL` lets readers in while somebody writes.

    Raises:
        EvidenceInvalidError: the file is not a database.
        InfrastructureError: it cannot be opened.
    """
    _create(path)
    with translated(path):
        connection = sqlite3.connect(
            path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            connection.execute(f"PRAGMA journal_mode = {journal_mode}")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
            # Some builds overwrite what is deleted; nothing here is secret, and what goes is kept elsewhere.
            connection.execute("PRAGMA secure_delete = OFF")
        except sqlite3.Error:
            connection.close()
            raise
    return connection


class KeptConnection:
    """A connection that stays open between writes; see `connect`."""

    def __init__(self, path: Path, *, synchronous: str) -> None:
        self.connection = connect(path, synchronous=synchronous)
        self._path = path
        self._identity = _identity(path)
        self.close = weakref.finalize(self, self.connection.close)

    def is_in_place(self) -> bool:
        """Say whether the open file is still the one at its path: commits to a replaced one would be lost."""
        return self._identity is not None and self._identity == _identity(self._path)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _create(path: Path) -> None:
    """Make the file, as SQLite itself would make it readable for all; leave it alone where it exists."""
    try:
        make_folder(path.parent)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        sync_paths([path.parent])
    except FileExistsError:
        return
    except OSError as error:
        raise InfrastructureError(f"cannot make {path}: {error.strerror}") from error


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading only, for the length of a `with` block.

    Raises:
        EvidenceInvalidError: the file is not a sound database.
        InfrastructureError: it cannot be read.
    """
    with translated(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Run a `with` block as one write transaction.

    Raises:
        EvidenceInvalidError: the file is not a sound database.
        InfrastructureError: the disk refused; nothing of the transaction stays.
    """
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours: what the machine did apart from what the file is."""
    try:
        yield
    except (sqlite3.OperationalError, sqlite3.InterfaceError) as error:
        raise InfrastructureError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise EvidenceInvalidError(f"{path} is damaged: {error}") from error
