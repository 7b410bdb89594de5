"""The one tar form of audit packages and policy archives: plain ustar members, nothing else (pure).

A tar header has room to hide things in: owners, times, padding, extensions, what follows the end. So there is
one encoding of a list of members, and `parse` takes no other: what it accepts, `encode` gives back exactly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
MAX_NAME: Final = 100
_SIZE: Final = slice(124, 136)
_OCTAL: Final = re.compile(rb"[0-7]{11}\0\Z")
_WORD: Final = rb"[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # never `.` or `..`
_NAME: Final = re.compile(rb"(%b(?:/%b){0,3})\0*\Z" % (_WORD, _WORD))


class Member(msgspec.Struct, frozen=True):
    """One file of the archive."""

    name: str
    data: bytes


def encode_header(name: str, size: int) -> bytes:
    """Write a ustar header (POSIX.1-1988) of a regular file, mode 0644, no owner, time 0.

    Raises:
        MalformedError: a name or size that such a header cannot carry.
    """
    raw = name.encode()
    if len(raw) > MAX_NAME or not _NAME.match(raw) or not 0 <= size < 8**11:
        raise MalformedError(f"not a member of a plain archive: {name[:MAX_NAME]!r} of {size} bytes")
    before = (
        raw.ljust(MAX_NAME, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"%011o\0" % size + b"00000000000\0"
    )
    after = b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    checksum = sum(before) + sum(b" " * 8) + sum(after)
    return before + b"%06o\0 " % checksum + after


def encode(members: Iterable[Member]) -> bytes:
    """Write an archive without its end: members with their padding, in the order given."""
    parts: list[bytes] = []
    for member in members:
        parts += [encode_header(member.name, len(member.data)), member.data, _padding(len(member.data))]
    return b"".join(parts)


def parse(data: bytes) -> list[Member]:
    """Parse an archive with its end.

    Raises:
        MalformedError: any byte that `encode` and `END` would not have written; the message names the member.
    """
    members: list[Member] = []
    offset = 0
    while len(data) - offset > len(END):
        name, size = _read_header(data[offset : offset + BLOCK], offset)
        start, end = offset + BLOCK, offset + BLOCK + size
        offset = end + len(_padding(size))
        if offset > len(data) - len(END):
            raise MalformedError(f"{name}: its header claims {size} bytes, more than the file holds")
        if any(data[end:offset]):
            raise MalformedError(f"{name}: bytes hidden in its padding")
        members.append(Member(name, data[start:end]))
    if data[offset:] != END:
        raise MalformedError("the archive does not end with two zero blocks")
    return members


def _read_header(header: bytes, offset: int) -> tuple[str, int]:
    name = _NAME.match(header[:MAX_NAME])
    size = header[_SIZE]
    if not name or not _OCTAL.match(size):
        raise MalformedError(f"byte {offset}: not the header of a member")
    text = name.group(1).decode()
    if header != encode_header(text, int(size[:11], 8)):
        raise MalformedError(f"{text}: its header is not in the one form allowed")
    return text, int(size[:11], 8)


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)
