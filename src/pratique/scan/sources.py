"""Read OSV records from where a user has them: a directory, a zip such as osv.dev's `all.zip`, or a tar."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.scan.feeds.table import FEEDS
from pratique.scan.members import BROKEN, open_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from pratique.scan.feeds.table import Feed

MAX_RECORDS = 2_000_000
MAX_SOURCE_BYTES = 16 * 1024 * 1024 * 1024
_LOCAL_HEAD = struct.Struct("<26xHH")  # APPNOTE.TXT 4.3.7: the lengths of the name and of the extra field


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One collection of OSV records.

    Attributes:
        path: directory (searched in full), `.zip`, `.tar` with or without compression, or one file.
        name: what it is called in every report that its data appears in.
        date: when it was taken from its publisher; staleness is judged by the oldest of all sources.
        licence: SPDX id of the data's licence.
        attribution: what that licence asks to be said.
        kind: the form of its records, one of `feeds.table.FEEDS`.
    """

    path: Path
    name: str
    date: datetime
    licence: str
    attribution: str = ""
    kind: str = "osv"

    @property
    def feed(self) -> Feed:
        """The form its records have, by `kind`.

        Raises:
            ConfigError: nobody knows such a form.
        """
        try:
            return FEEDS[self.kind]
        except KeyError as error:
            raise ConfigError(
                f"{self.name}: no advisories of the form {self.kind!r} are known",
                hint=f"one of {', '.join(FEEDS)}",
            ) from error


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A record's bytes as its container holds them, so that unpacking can be done elsewhere.

    Attributes:
        name: the member's, for errors.
        data: its bytes; deflated where `checksum` is not None.
        checksum: CRC-32 of the bytes once inflated.
    """

    name: str
    data: bytes
    checksum: int | None = None

    def bytes(self, limit: int) -> bytes:
        """Give the record's own bytes, at most `limit`.

        Raises:
            MalformedError: they do not inflate to what the container promised, or to more than is allowed.
        """
        if len(self.data) > limit:
            raise MalformedError(f"{self.name}: a record of more than {limit} bytes")
        if self.checksum is None:
            return self.data
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(self.data, limit + 1)
        except zlib.error as error:
            raise MalformedError(f"{self.name}: broken archive: {error}") from error
        if len(data) > limit:
            raise MalformedError(f"{self.name}: a record of more than {limit} bytes")
        if not unpacker.eof or zlib.crc32(data) != self.checksum:
            raise MalformedError(f"{self.name}: broken archive: other bytes than its checksum is of")
        return data


def read_packed(source: Source) -> Iterator[Packed]:
    """Give each record, one at a time; other files are passed over.

    Raises:
        ConfigError: the path is missing or of a kind we do not read.
        MalformedError: a broken archive, or more in it than a real collection holds.
    """
    total = 0
    try:
        for count, packed in enumerate(_files(source.path, source.feed), 1):
            total += len(packed.data)
            if count > MAX_RECORDS or total > MAX_SOURCE_BYTES:
                raise MalformedError(f"{source.path}: more records than a real collection holds")
            yield packed
    except BROKEN as error:
        raise MalformedError(f"{source.path}: broken archive: {error}") from error
    except OSError as error:
        raise ConfigError(f"{source.path}: cannot be read: {error.strerror or error}") from error


def _files(path: Path, feed: Feed) -> Iterator[Packed]:
    limit = feed.max_bytes
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if feed.holds(name) and file.is_file():
                with file.open("rb") as stream:
                    yield Packed(name, stream.read(limit + 1))
    elif path.name.endswith(".zip"):
        yield from _zipped(path, feed)
    elif ".tar" in path.name or path.name.endswith(".tgz"):
        with open_tar(path) as tar:
            for entry in tar:
                if entry.isreg() and feed.holds(entry.name):
                    content = tar.extractfile(entry)
                    yield Packed(entry.name, content.read(limit + 1) if content else b"")
    elif feed.holds(path.name):
        with path.open("rb") as stream:
            yield Packed(path.name, stream.read(limit + 1))
    else:
        raise ConfigError(
            f"{path}: not a collection of advisories",
            hint="give a directory, a .zip or a .tar.xz of OSV *.json files, or say which `format` it has",
        )


def _zipped(path: Path, feed: Feed) -> Iterator[Packed]:
    """Read a zip's members as they lie there: the library takes longer to open one than to inflate it."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as stream:
        for info in archive.infolist():
            if not feed.holds(info.filename):
                continue
            if info.flag_bits & 0x1 or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise MalformedError(f"{path}: {info.filename}: encrypted, or compressed in an unusual way")
            if info.compress_size > feed.max_bytes:
                raise MalformedError(f"{path}: {info.filename}: more than {feed.max_bytes} bytes")
            stream.seek(info.header_offset)
            head = stream.read(_LOCAL_HEAD.size)
            if len(head) != _LOCAL_HEAD.size or not head.startswith(b"PK\3\4"):
                raise MalformedError(f"{path}: {info.filename}: broken archive: no member where it says")
            name, extra = _LOCAL_HEAD.unpack(head)
            stream.seek(name + extra, os.SEEK_CUR)
            data = stream.read(info.compress_size)
            if info.compress_type == zipfile.ZIP_DEFLATED:
                yield Packed(info.filename, data, info.CRC)
            elif zlib.crc32(data) != info.CRC:
                raise MalformedError(f"{path}: {info.filename}: broken archive: a wrong checksum")
            else:
                yield Packed(info.filename, data)
