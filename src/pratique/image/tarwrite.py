"""Tar archives, written so that their bytes depend on what they hold and on nothing else.

POSIX.1-2017 `pax`: a ustar header for each member, preceded by a pax header where a name is longer than 100
bytes or not ASCII. Written by hand, as what the standard library writes is its own affair from version to
version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.errors import UsageError
from pratique.image.member import Kind, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BLOCK: Final = 512
_NAME: Final = 100
_MAX_OCTAL: Final = 8**11 - 1
_TYPES: Final = {Kind.FILE: b"0", Kind.SYMLINK: b"2", Kind.DIRECTORY: b"5"}


class TarWriter:
    """Writes members one after the other; the caller gives them in order, each path once."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._length = 0

    def add(self, member: Member, content: Iterable[bytes] = ()) -> None:
        """Write a file, directory or symbolic link.

        Raises:
            UsageError: the content is not as long as the header says, or a number does not fit.
        """
        self._put(header(member))
        written = 0
        for chunk in content:
            written += len(chunk)
            if written > member.size:
                break
            self._put(chunk)
        if written != member.size:
            raise UsageError(
                f"{member.path}: changed while it was read", hint="run again when nothing writes to it"
            )
        self._put(bytes(-written % BLOCK))

    def close(self) -> None:
        """End the archive; unlike tar(1) without padding to 10 KiB, which no reader needs."""
        self._put(bytes(2 * BLOCK))

    def _put(self, data: bytes) -> None:
        self._write(data)


def header(member: Member) -> bytes:
    """Give the header blocks of a member.

    Raises:
        UsageError: a size or time that a tar header cannot hold.
    """
    path = member.path + ("/" if member.kind is Kind.DIRECTORY else "")
    name, target = path.encode(), member.target.encode()
    records = b"".join(
        _record(key, value)
        for key, value in ((b"linkpath", target), (b"path", name))
        if len(value) > _NAME or not value.isascii()
    )
    extended = b""
    if records:
        extended = _ustar(b"././@PaxHeader", b"x", b"", size=len(records), mode=0o644, member=member)
        extended += records + bytes(-len(records) % BLOCK)
    kind = _TYPES[member.kind]
    return extended + _ustar(
        _ascii(name), kind, _ascii(target), size=member.size, mode=member.mode, member=member
    )


def _ascii(name: bytes) -> bytes:
    """Give what the ustar field holds when the pax header has the truth: something readable, cut off."""
    return bytes(byte if byte < 0x80 else 0x3F for byte in name[:_NAME])  # noqa: PLR2004 - ASCII


def _record(key: bytes, value: bytes) -> bytes:
    """Write length, key and value of a pax record; the length counts itself."""
    bare = len(key) + len(value) + 3
    length = bare + len(str(bare))
    length = bare + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _ustar(name: bytes, kind: bytes, target: bytes, *, size: int, mode: int, member: Member) -> bytes:
    if not (0 <= size <= _MAX_OCTAL and 0 <= member.mtime <= _MAX_OCTAL):
        raise UsageError(f"{member.path}: a file over 8 GiB, or a time a tar header cannot hold")
    fields = (
        name.ljust(_NAME, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % member.uid,
        b"%07o\0" % member.gid,
        b"%011o\0" % size,
        b"%011o\0" % member.mtime,
        b" " * 8,
        kind,
        target.ljust(_NAME, b"\0"),
        b"ustar\x0000",
        bytes(64),  # no names of owner and group: they mean nothing elsewhere
        bytes(183),  # no device, no prefix
    )
    block = b"".join(fields)
    return b"%b%06o\0 %b" % (block[:148], sum(block), block[156:])
