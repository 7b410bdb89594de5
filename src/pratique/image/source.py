"""What goes into an application layer: an application archive, a directory or a file, at a path in the image.

Whatever the machine: owner 0:0, mode 0755 for folders and executables and 0644 for the rest, one time for
all, sorted by path. Symbolic links stay links when they lead to somewhere inside their own source, and are
refused otherwise; devices, pipes and sockets are refused.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Callable, Iterator  # noqa: TC003 - msgspec reads the annotations
from functools import partial
from pathlib import Path
from typing import IO, Final

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.image.member import Kind, Member
from pratique.image.tarread import CHUNK, read_tar
from pratique.image.tree import split_path

MAX_FILES: Final = 500_000


class Source(msgspec.Struct, frozen=True):
    """A path on this machine, and where in the image its content goes.

    Attributes:
        path: an application archive (`.tar`), a directory, or any other file.
        target: for an archive or directory the folder that gets its content; for a file the file.
    """

    path: Path
    target: str

    def files(self) -> tuple[Path, ...]:
        """Give the files that it consists of; none for a folder."""
        return () if self.path.is_dir() else (self.path,)


class Entry(msgspec.Struct, frozen=True):
    """A member to be written, its path relative to the image's root, and how to read its content."""

    member: Member
    read: Callable[[], Iterator[bytes]]


def entries(source: Source, mtime: int) -> list[Entry]:
    """List what a source brings, in no order; content is read later.

    Raises:
        UsageError: the source is missing, empty, or holds what has no place in an image.
        MalformedError: an archive that is broken or that would leave its folder.
        OSError: it cannot be read.
    """
    base = "/".join(split_path(source.target))
    if source.path.is_dir():
        found = list(_directory(source.path.resolve(), base, mtime))
    elif not source.path.is_file():
        raise UsageError(f"{source.path}: no such file or directory")
    elif source.path.suffix == ".tar":
        found = list(_archive(source.path.resolve(), base, mtime))
    elif base:
        found = [_file(source.path.resolve(), base, mtime)]
    else:
        raise UsageError(f"{source.path}: a file needs a path in the image, not /")
    if not any(entry.member.kind is not Kind.DIRECTORY for entry in found):
        raise UsageError(f"{source.path}: nothing in it")
    return found


def sort_key(path: str) -> list[bytes]:
    """Order paths so that a folder comes directly before what is in it."""
    return [part.encode() for part in path.split("/")]


def nothing() -> Iterator[bytes]:
    """Give the content of what has none."""
    return iter(())


def directory_entry(path: str, mtime: int) -> Entry:
    """Make a folder."""
    return Entry(Member(path=path, kind=Kind.DIRECTORY, mode=0o755, mtime=mtime), nothing)


def _directory(root: Path, base: str, mtime: int) -> Iterator[Entry]:
    pending = [""]
    count = 0
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as listing:
            children = list(listing)
        for found in children:
            count += 1
            if count > MAX_FILES:
                raise UsageError(f"{root}: more than {MAX_FILES} files")
            relative = f"{folder}/{found.name}" if folder else found.name
            path = _plain(f"{base}/{relative}" if base else relative, root)
            if found.is_symlink():
                yield _symlink(path, relative, str(Path(found.path).readlink()), mtime, root)
            elif found.is_dir():
                pending.append(relative)
                yield directory_entry(path, mtime)
            else:
                yield _file(Path(found.path), path, mtime)


def _symlink(path: str, relative: str, target: str, mtime: int, root: Path) -> Entry:
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(relative), target))
    if target.startswith("/") or resolved == ".." or resolved.startswith("../"):
        raise UsageError(
            f"{root / relative}: a symbolic link to {target!r}, outside of its source",
            hint="replace it by what it points at, or by a relative link inside the folder",
        )
    return Entry(
        Member(path=path, kind=Kind.SYMLINK, mode=0o777, target=_plain(target, root), mtime=mtime), nothing
    )


def _file(source: Path, path: str, mtime: int) -> Entry:
    status = source.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{source}: neither a file, a directory nor a symbolic link")
    mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
    member = Member(path=path, kind=Kind.FILE, mode=mode, size=status.st_size, mtime=mtime)
    return Entry(member, partial(_read, source, status.st_size))


def _read(source: Path, size: int) -> Iterator[bytes]:
    """Read a whole file; one byte more than `size` when it grew, so that it is noticed."""
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb") as stream:
        yield from _chunks(stream, size + 1)


def _archive(source: Path, base: str, mtime: int) -> Iterator[Entry]:
    seen: set[str] = set()
    with source.open("rb") as stream:
        for count, (member, _) in enumerate(read_tar(stream, str(source))):
            relative = "/".join(split_path(member.path))
            if not relative and member.kind is Kind.DIRECTORY:
                continue
            if member.path.startswith("/") or not relative or relative in seen or count > MAX_FILES:
                raise MalformedError(f"{source}: {member.path[:200]!r} is absolute, twice there, or too much")
            seen.add(relative)
            path = _plain(f"{base}/{relative}" if base else relative, source)
            if member.kind is Kind.DIRECTORY:
                yield directory_entry(path, mtime)
            elif member.kind is Kind.SYMLINK:
                yield _symlink(path, relative, member.target, mtime, source)
            elif member.kind is Kind.FILE:
                mode = 0o755 if member.mode & stat.S_IXUSR else 0o644
                plain = Member(path=path, kind=Kind.FILE, mode=mode, size=member.size, mtime=mtime)
                yield Entry(plain, partial(_read_member, source, stream.tell(), member.size))
            else:
                raise MalformedError(f"{source}: {relative[:200]!r} is a {member.kind}")


def _read_member(source: Path, offset: int, size: int) -> Iterator[bytes]:
    with source.open("rb") as stream:
        stream.seek(offset)
        yield from _chunks(stream, size)


def _chunks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size and (chunk := stream.read(min(size, CHUNK))):
        size -= len(chunk)
        yield chunk


def _plain(path: str, source: Path) -> str:
    """Refuse names that not every system reads alike, and those that layers give a meaning of their own."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{source}: {path!r} is not UTF-8") from error
    if not path.isprintable() or any(part.startswith(".wh.") for part in path.split("/")):
        raise UsageError(f"{source}: {path!r} has control characters, or is a whiteout's name")
    return path
