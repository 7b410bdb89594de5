"""Application tars, unpacked as if an enemy had made them.

The digest says that these are the bytes that were built and judged, not that they are harmless to whoever
unpacks them. So only regular files and directories come out, below one fresh directory, each path once.
"""

from __future__ import annotations

import io
import os
import tarfile
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import MalformedError

if TYPE_CHECKING:
    from pathlib import Path

MAX_MEMBERS: Final = 50_000
MAX_FILE_BYTES: Final = 1 << 30
MAX_TOTAL_BYTES: Final = 4 << 30
MAX_PATH: Final = 1024
MAX_DEPTH: Final = 32
_MAX_NAME: Final = 255
_CHUNK: Final = 1 << 18
_MAX_HEADER_READ: Final = 1 << 20


def unpack_tar(source: Path, into: Path) -> None:
    """Unpack an uncompressed tar into a new directory; nothing is synced yet.

    Permissions become 0755 for directories and executables and 0644 for other files; owners, times and
    extended attributes are not taken over.

    Args:
        source: the archive, which nobody else may write to meanwhile.
        into: made by this call; nobody else may write below it.

    Raises:
        MalformedError: a member that has no place in an application, or an archive that is broken or too big.
        OSError: the disk refused.
    """
    tree = _Tree(into)
    try:
        with (
            _ShortReads(source.open("rb", buffering=0)) as stream,
            tarfile.open(fileobj=stream, mode="r:") as archive,
        ):
            _unpack_members(archive, tree)
            _nothing_follows(stream, archive.offset)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise MalformedError(f"{source.name}: not a tar that can be read safely: {error}") from error
    except MalformedError as error:
        raise MalformedError(f"{source.name}: {error.message}") from None
    if not tree.has_files:
        raise MalformedError(f"{source.name}: an application without files")


def _unpack_members(archive: tarfile.TarFile, tree: _Tree) -> None:
    total = 0
    for count, member in enumerate(archive, 1):
        total += max(member.size, 0)
        if count > MAX_MEMBERS or member.size > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise MalformedError("more or larger members than an application may have")
        if not (member.isreg() or member.isdir()) or member.issparse() or member.size < 0:
            raise MalformedError(f"{member.name!r} is neither a regular file nor a directory")
        parts = _safe_parts(member.name)
        if member.isdir():
            tree.add_directory(parts)
        elif content := archive.extractfile(member):
            tree.add_file(parts, content, size=member.size, executable=bool(member.mode & 0o100))


def _safe_parts(name: str) -> tuple[str, ...]:
    """Split a member's path; `./` and a trailing slash mean nothing, and nothing else is put right."""
    try:
        length = len(name.encode())
    except UnicodeEncodeError as error:
        raise MalformedError(f"{name!r} is not UTF-8") from error
    parts = tuple(part for part in name.removesuffix("/").split("/") if part != ".")
    if name.startswith("/") or ".." in parts or "" in parts[:-1] or parts == ("",):
        raise MalformedError(f"{name!r} is not a plain relative path")
    if not name.isprintable() or "\\" in name:
        raise MalformedError(f"{name!r} has control characters or backslashes")
    if length > MAX_PATH or len(parts) > MAX_DEPTH or any(len(part.encode()) > _MAX_NAME for part in parts):
        raise MalformedError(f"{name[:80]!r}… is too long or too deep")
    return parts


class _Tree:
    """A directory under construction that nobody else writes to, so its paths can be trusted."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: dict[tuple[str, ...], str] = {}
        self.has_files = False
        _make_directory(root)

    def add_directory(self, parts: tuple[str, ...]) -> None:
        implied = self._known.get(parts) == "implied"
        self._claim(parts, "directory")
        if parts and not implied:
            _make_directory(self._root.joinpath(*parts))

    def add_file(self, parts: tuple[str, ...], content: IO[bytes], *, size: int, executable: bool) -> None:
        if not parts:
            raise MalformedError("a file without a name")
        self._claim(parts, "file")
        self.has_files = True
        mode = 0o755 if executable else 0o644
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(self._root.joinpath(*parts), flags, mode), "wb") as stream:
            os.fchmod(stream.fileno(), mode)  # whatever the umask
            left = size
            while left:
                chunk = content.read(min(left, _CHUNK))
                if not chunk:
                    raise MalformedError(f"{'/'.join(parts)!r} is cut off")
                stream.write(chunk)
                left -= len(chunk)

    def _claim(self, parts: tuple[str, ...], kind: str) -> None:
        before = self._known.get(parts)
        if before is not None and not (before == "implied" and kind == "directory"):
            raise MalformedError(f"{'/'.join(parts)!r} is there twice")
        for depth in range(1, len(parts)):
            parent = parts[:depth]
            if self._known.get(parent) == "file":
                raise MalformedError(f"{'/'.join(parts)!r} is below a file")
            if parent not in self._known:
                self._known[parent] = "implied"
                _make_directory(self._root.joinpath(*parent))
        self._known[parts] = kind


def _make_directory(path: Path) -> None:
    path.mkdir(mode=0o755)
    path.chmod(0o755)  # whatever the umask


def _nothing_follows(stream: IO[bytes], offset: int) -> None:
    """Refuse anything but zeros after the last member.

    tarfile takes a broken header for the end of the archive, where another reader would go on.
    """
    stream.seek(offset)
    while chunk := stream.read(_CHUNK):
        if chunk.strip(b"\0"):
            raise MalformedError("data after the end of the archive")


class _ShortReads(io.BufferedReader):
    """A stream that tarfile cannot read much from at once: it loads extended headers whole into memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _MAX_HEADER_READ:
            raise MalformedError("a header of absurd size")
        return super().read(size)
