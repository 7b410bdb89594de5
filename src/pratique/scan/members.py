"""Look into an archive or a directory without unpacking it: names first, then the few files asked for.

Archives come from outside. Sizes and counts are capped before bytes are read, a name that would leave the
archive's root is refused, and so is a name that occurs twice, as two readers could see two different files.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol, cast

import msgspec

from pratique.errors import CouldNotCheckError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

MAX_MEMBERS = 200_000
MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_TOTAL_BYTES = 8 * 1024 * 1024 * 1024
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_ZIP_SUFFIXES = (".whl", ".zip", ".pyz", ".egg", ".jar", ".war", ".ear")
INNER_SUFFIXES = (".whl", ".egg", ".pyz", ".jar", ".war", ".ear")
INSIDE = "!/"
"""Stands between the name of an inner archive and a member's in it."""
MAX_INNER_BYTES = 128 * 1024 * 1024
_MAX_INNER_DEPTH = 3
MAX_READ_BYTES = 512 * 1024 * 1024
OPTIONAL = re.compile(r"(?:^|/)(?:etc|usr/lib)/os-release\Z")
"""Wanted where it is a file; where it is a link, the file it leads to is wanted under its own name."""
BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    gzip.BadGzipFile,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
)


_OPENERS: Mapping[str, Callable[[Path, str], IO[bytes]]] = {
    ".gz": cast("Callable[[Path, str], IO[bytes]]", gzip.open),
    ".tgz": cast("Callable[[Path, str], IO[bytes]]", gzip.open),
    ".xz": cast("Callable[[Path, str], IO[bytes]]", lzma.open),
    ".bz2": cast("Callable[[Path, str], IO[bytes]]", bz2.open),
}


class Wanted(Protocol):
    """Says by its name how many bytes of a member are needed."""

    def __call__(self, name: str, /) -> int:
        """Give how many bytes the member may have, or 0 when it is not to be read."""


class Search(Protocol):
    """Looks for a record inside files that are not wanted as a whole."""

    def named(self, name: str) -> bool:
        """Tell by a member's name whether it may hold one."""

    def found(self, stream: IO[bytes]) -> bytes | None:
        """Give the record in a member's bytes, which may be many, or None."""


class Members(msgspec.Struct, frozen=True):
    """What an artifact holds.

    Attributes:
        names: every file, with forward slashes, sorted.
        contents: the bytes of the wanted ones.
        records: what was found inside the searched ones.
        unopened: inner archives that were not looked into, with the reason.
    """

    names: list[str]
    contents: dict[str, bytes]
    records: dict[str, bytes]
    unopened: dict[str, str]


Found = Iterable[tuple[str, bytes | None]]


def read_members(path: Path, wanted: Wanted, search: Search) -> Members:
    """List every file of an archive or directory, and read those that `wanted` names.

    Args:
        path: a zip (wheel, egg, pyz, jar), a tar (plain, gzip, xz, bzip2), or a directory.
        wanted: which members to read, and how large each may be.
        search: which others to search for a record, and how.

    Raises:
        MalformedError: a broken or hostile archive, named with the member at fault.
        CouldNotCheckError: a kind of file we cannot look into.
    """
    reader = _reader_of(path)
    gathering = Gathering(str(path), wanted, search, separator="" if reader is _directory else "\\")
    try:
        gathering.take(reader(path, gathering.wanted, search))
    except BROKEN as error:
        raise MalformedError(f"{path}: broken archive: {error}") from error
    except OSError as error:
        raise CouldNotCheckError(f"{path}: cannot be read: {error.strerror or error}") from error
    return gathering.members()


class Gathering:
    """Collects members from wherever they come, within limits, and looks into archives among them.

    Args:
        what: names the whole in errors.
        wanted: see `read_members`.
        search: see `read_members`.
        separator: what else some readers take for a slash.
    """

    def __init__(self, what: str, wanted: Wanted, search: Search, *, separator: str) -> None:
        self._what = what
        self._wanted = wanted
        self._search = search
        self._separator = separator
        self._names: set[str] = set()
        self._contents: dict[str, bytes] = {}
        self._records: dict[str, bytes] = {}
        self._unopened: dict[str, str] = {}
        self._held = 0
        self._unpacked = 0

    def wanted(self, name: str, /) -> int:
        """Say how many bytes of a member are needed: those of inner archives are."""
        limit = self._wanted(name)
        return MAX_INNER_BYTES if not limit and _is_archive(name) else limit

    def take(self, found: Found, *, inside: str = "", depth: int = 0) -> None:
        """Take members with the bytes that were wanted, or what was found in those that were searched.

        Raises:
            MalformedError: a hostile name, or more than an honest artifact holds.
        """
        for inner, data in found:
            _check_name(self._what, inner, "\\" if inside else self._separator)
            name = inside + inner
            if name in self._names:
                raise MalformedError(f"{self._what}: member {name!r} occurs twice")
            self._names.add(name)
            if len(self._names) > MAX_MEMBERS:
                raise MalformedError(f"{self._what}: more than {MAX_MEMBERS} members")
            if data is None:
                continue
            if not self._wanted(name) and _is_archive(name):
                self._open(name, data, depth + 1)
                continue
            (self._contents if self._wanted(name) else self._records)[name] = data
            self._held += len(data)
            if self._held > MAX_READ_BYTES:
                raise MalformedError(f"{self._what}: more than {MAX_READ_BYTES} bytes of package metadata")

    def members(self) -> Members:
        """Give what was taken."""
        return Members(sorted(self._names), self._contents, self._records, self._unopened)

    def _open(self, name: str, data: bytes, depth: int) -> None:
        self._unpacked += len(data)
        if depth > _MAX_INNER_DEPTH or len(data) > MAX_INNER_BYTES or self._unpacked > MAX_READ_BYTES:
            self._unopened[name] = "an inner archive that is too large or too deep inside others"
            return
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                found = zip_members(f"{self._what}: {name}", archive, self.wanted, self._search)
                self.take(found, inside=name + INSIDE, depth=depth)
        except (*BROKEN, MalformedError) as error:
            # Real jars hold members twice, for example; what could be read of it still counts.
            self._unopened[name] = f"an inner archive that is broken: {str(error)[:200]}"


def joined(parts: Iterable[Members], names: Iterable[str]) -> Members:
    """Put together what was read of the parts of one artifact; `names` are its files that were not read."""
    held = list(parts)
    return Members(
        sorted({*names, *(name for part in held for name in part.names)}),
        {name: data for part in held for name, data in part.contents.items()},
        {name: data for part in held for name, data in part.records.items()},
        {name: reason for part in held for name, reason in part.unopened.items()},
    )


def _is_archive(name: str) -> bool:
    return name.lower().endswith(INNER_SUFFIXES)


def _reader_of(path: Path) -> Callable[[Path, Wanted, Search], Found]:
    if path.is_dir():
        return _directory
    if path.name.endswith(_TAR_SUFFIXES):
        return _tar
    if path.name.endswith(_ZIP_SUFFIXES):
        return _zip
    raise CouldNotCheckError(
        f"{path}: not an archive we can look into",
        hint=f"give a directory or one of {' '.join(_ZIP_SUFFIXES + _TAR_SUFFIXES)}",
    )


class _ModestReader:
    """A stream that refuses to hand out much at once.

    `tarfile` reads a member's extended header whole, at whatever size the archive claims for it.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path = path
        self._stream = stream
        self.tell = stream.tell
        self.seek = stream.seek

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_FILE_BYTES + 1:
            raise MalformedError(f"{self._path}: an archive header claims {size} bytes")
        return self._stream.read(size)


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a tar of outside origin, its compression told by its name."""
    opener = _OPENERS.get(path.suffix, open)
    with (
        opener(path, "rb") as stream,
        tarfile.open(fileobj=cast("IO[bytes]", _ModestReader(path, stream)), mode="r:") as archive,
    ):
        yield archive


def _zip(path: Path, wanted: Wanted, search: Search) -> Found:
    with zipfile.ZipFile(path) as archive:
        yield from zip_members(str(path), archive, wanted, search)


def zip_members(what: str, archive: zipfile.ZipFile, wanted: Wanted, search: Search) -> Found:
    """Give a zip's members.

    Raises:
        MalformedError: encrypted, or more in it than is allowed.
    """
    infos = archive.infolist()
    _check_total(what, sum(info.file_size for info in infos))
    for info in infos:
        if info.is_dir():
            continue
        if info.flag_bits & 0x1:
            raise MalformedError(f"{what}: member {info.filename!r} is encrypted")
        if limit := wanted(info.filename):
            with archive.open(info) as stream:
                yield info.filename, read_member(what, info.filename, stream, limit)
        elif search.named(info.filename):
            with archive.open(info) as stream:
                yield info.filename, search.found(stream)
        else:
            yield info.filename, None


def _tar(path: Path, wanted: Wanted, search: Search) -> Found:
    total = 0
    with open_tar(path) as archive:
        for info in archive:
            total += info.size
            _check_total(str(path), total)
            name = info.name.removeprefix("./")
            if info.isdir():
                continue
            stream = archive.extractfile(info) if info.isreg() else None
            limit = wanted(name)
            if not limit:
                yield name, search.found(stream) if stream and search.named(name) else None
            elif stream:
                yield name, read_member(str(path), name, stream, limit)
            elif may_be_link(name):
                yield name, None
            else:
                raise MalformedError(f"{path}: member {name!r} is not a regular file")


def _directory(path: Path, wanted: Wanted, search: Search) -> Found:
    above = len(os.path.join(path, ""))  # noqa: PTH118 - text, as os.walk gives
    for folder, folders, files in os.walk(path, onerror=_raise):
        for inner in folders:
            _check_link(path, folder, inner)
        # Pathlib takes twice as long over a large tree.
        inside = f"{folder[above:]}/" if len(folder) > above else ""
        for file in files:
            full, name = f"{folder}/{file}", inside + file
            limit = wanted(name)
            if not limit:
                yield name, _searched(full, search) if search.named(name) else None
            elif may_be_link(name) and os.path.islink(full):  # noqa: PTH114 - as above
                yield name, None
            else:
                with _opened(full) as stream:
                    if stream is None:
                        raise MalformedError(f"{path}: {name!r} is not a regular file")
                    yield name, read_member(str(path), name, stream, limit)


def _check_link(path: Path, folder: str, inner: str) -> None:
    """Refuse a link to a folder, unless it leads to one inside the tree, which is seen there.

    An absolute link is taken as one within a root file system: `/lib` → `/usr/lib`.
    """
    full = os.path.join(folder, inner)  # noqa: PTH118 - as below
    if not os.path.islink(full):  # noqa: PTH114 - as below
        return
    root, target = os.path.realpath(path), os.readlink(full)  # noqa: PTH115 - as below
    start = root if os.path.isabs(target) else os.path.realpath(folder)  # noqa: PTH117 - as below
    led = os.path.realpath(os.path.join(start, target.lstrip("/")))  # noqa: PTH118 - text, as os.walk gives
    if not led.startswith(root + os.sep) or not os.path.isdir(led):  # noqa: PTH112 - as above
        raise CouldNotCheckError(f"{full}: a link to another directory, which would go unseen")


@contextmanager
def _opened(full: str) -> Iterator[IO[bytes] | None]:
    """Open a regular file; a link or a pipe in its place could lead out of the tree, or block."""
    handle = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        yield stream if stat.S_ISREG(os.fstat(handle).st_mode) else None


def _searched(full: str, search: Search) -> bytes | None:
    # What is neither file nor link to be followed (devices of a root file system) is not opened at all.
    if not stat.S_ISREG(os.lstat(full).st_mode):
        return None
    with _opened(full) as stream:
        return search.found(stream) if stream else None


def _raise(error: OSError) -> None:
    raise error


def may_be_link(name: str) -> bool:
    """Say of a wanted member whether it may be a link: what that leads to is a member of its own."""
    return bool(OPTIONAL.search(name)) or _is_archive(name)


def read_member(what: str, name: str, stream: IO[bytes], limit: int) -> bytes:
    """Read a member whole; an inner archive that is too large is cut off there, and not opened then.

    Raises:
        MalformedError: larger than is allowed.
    """
    data = stream.read(limit + 1)
    if len(data) > limit and not _is_archive(name):
        raise MalformedError(f"{what}: member {name!r} holds more than {limit} bytes")
    return data


def _check_total(what: str, total: int) -> None:
    if total > MAX_TOTAL_BYTES:
        raise MalformedError(f"{what}: more than {MAX_TOTAL_BYTES} bytes once unpacked")


def _check_name(what: str, name: str, separator: str) -> None:
    """Refuse a name that could lead out; `separator` is what else some readers take for a slash."""
    parts = name.split("/")
    odd = "\0" in name or (separator and separator in name)
    if not name or name.startswith("/") or odd or ".." in parts or "" in parts:
        raise MalformedError(f"{what}: member name {name[:120]!r} could leave the archive")
