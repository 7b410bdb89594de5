"""A layout's files, in a folder or in one tar archive (as `oci-archive:` and `docker save` make them).

No link, pipe or device is ever followed; an archive is one file, whose members are read where they are.
"""

from __future__ import annotations

import io
import os
import stat
from typing import IO, TYPE_CHECKING, Final, Protocol

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError
from pratique.image.member import Kind
from pratique.image.tarread import read_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_MEMBERS: Final = 100_000


class Files(Protocol):
    """A layout's files by their names inside, with `/`."""

    def open(self, name: str) -> tuple[IO[bytes], int]:
        """Open a file, seekable, and say how long it is.

        Raises:
            FileNotFoundError: there is none.
            EvidenceInvalidError: something other than a plain file has its name.
            InfrastructureError: it cannot be read.
        """


class Folder:
    """Files in a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> tuple[IO[bytes], int]:
        """Open a regular file, never a link to one, and never a device or pipe that would block."""
        return _open_plain(self._root / name)


class Archive:
    """Files in a tar archive.

    Raises:
        MalformedError: no tar archive, or one that two readers could understand differently.
        InfrastructureError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        others: set[str] = set()
        stream, _ = _open_plain(path)
        with stream:
            for member, _content in read_tar(stream, str(path)):
                name = member.path.removeprefix("./").rstrip("/")
                if member.kind is Kind.DIRECTORY:
                    continue
                if name in self._places or name in others or len(self._places) > _MAX_MEMBERS:
                    raise MalformedError(f"{path}: {name[:100]!r} is there twice, or there is too much")
                if member.kind is Kind.FILE:
                    self._places[name] = (stream.tell(), member.size)
                else:
                    others.add(name)

    def names(self) -> Iterator[str]:
        """Give the names of all files."""
        yield from self._places

    def open(self, name: str) -> tuple[IO[bytes], int]:
        """Open a member for reading."""
        if name not in self._places:
            raise FileNotFoundError(name)
        offset, size = self._places[name]
        stream, _ = _open_plain(self._path)
        return io.BufferedReader(_Section(stream, offset, size), 1 << 18), size


class _Section(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, stream: IO[bytes], offset: int, size: int) -> None:
        self._stream = stream
        self._offset = offset
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # a writable buffer
        wanted = max(0, min(len(buffer), self._size - self._at))
        data = os.pread(self._stream.fileno(), wanted, self._offset + self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        self._stream.close()
        super().close()


def _open_plain(path: Path) -> tuple[IO[bytes], int]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise EvidenceInvalidError(f"{path} is not a plain file")
    return os.fdopen(handle, "rb"), status.st_size
