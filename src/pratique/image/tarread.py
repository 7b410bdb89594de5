"""Tar archives, read as a stream, strictly: what two readers could understand differently is refused.

Reads ustar, pax and GNU's long names, as layers have them (OCI image-spec 1.1, layer.md; POSIX.1-2017
`pax`). Memory is constant: content is given in chunks, and a header of more than a mebibyte is refused.
Nothing is put right and no path is judged here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pratique.errors import MalformedError
from pratique.image.member import Kind, Member
from pratique.image.tarwrite import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK: Final = 1 << 18
_MAX_EXTENSION: Final = 1 << 20
_TYPES: Final = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.CHARACTER,
    b"4": Kind.BLOCK,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
}
_XATTR: Final = "SCHILY.xattr."


class Readable(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Give at most `size` bytes, and none only at the end."""


class Content:
    """The content of the member that was read last; gone once the next one is asked for."""

    def __init__(self, source: Readable, size: int, what: str) -> None:
        self._source = source
        self._left = size
        self._padding = -size % BLOCK
        self._what = what

    def chunks(self) -> Iterator[bytes]:
        """Give what has not been read yet, at most `CHUNK` bytes at a time.

        Raises:
            MalformedError: the archive ends before it.
        """
        while self._left:
            chunk = self._source.read(min(self._left, CHUNK))
            if not chunk:
                raise MalformedError(f"{self._what}: cut off in the middle of a member")
            self._left -= len(chunk)
            yield chunk

    def skip(self) -> None:
        """Read past what is left, and the padding."""
        for _ in self.chunks():
            pass
        _exactly(self._source, self._padding, self._what)
        self._padding = 0


def read_tar(source: Readable, what: str) -> Iterator[tuple[Member, Content]]:
    """Give each member with its content, and read the source to its end.

    Args:
        source: the archive, uncompressed.
        what: names the archive in errors.

    Raises:
        MalformedError: not a tar archive, cut off, ambiguous, or with data after its end.
    """
    while (block := _exactly(source, BLOCK, what)).strip(b"\0"):
        pax: dict[str, str] = {}
        while block[156:157] in b"xgLK":
            _extend(pax, block, source, what)
            block = _exactly(source, BLOCK, what)
        member = _member(block, pax, what)
        content = Content(source, member.size, f"{what}: {member.path[:200]!r}")
        yield member, content
        content.skip()
    while chunk := source.read(CHUNK):
        if chunk.strip(b"\0"):
            raise MalformedError(f"{what}: data after the end of the archive")


def _exactly(source: Readable, size: int, what: str) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = source.read(size - len(data))
        if not chunk:
            raise MalformedError(f"{what}: cut off: the archive has no end")
        data += chunk
    return bytes(data)


def _extend(pax: dict[str, str], block: bytes, source: Readable, what: str) -> None:
    """Read an extended header into `pax`; a global one (git archive's comment) says nothing of a member."""
    _verify(block, what)
    size = _number(block[124:136], what)
    if size > _MAX_EXTENSION:
        raise MalformedError(f"{what}: an extended header of {size} bytes")
    data = _exactly(source, size + -size % BLOCK, what)[:size]
    match block[156:157]:
        case b"x":
            pax.update(_records(data, what))
        case b"L":
            pax.setdefault("path", _decoded(data.rstrip(b"\0"), what))
        case b"K":
            pax.setdefault("linkpath", _decoded(data.rstrip(b"\0"), what))
        case _:
            if any(key in {"path", "linkpath", "size"} for key in _records(data, what)):
                raise MalformedError(f"{what}: a global header that renames members")


def _records(data: bytes, what: str) -> dict[str, str]:
    records: dict[str, str] = {}
    while data:
        length, _, _ = data.partition(b" ")
        if not length.isdigit() or len(length) > 7 or not 5 <= int(length) <= len(data):  # noqa: PLR2004
            raise MalformedError(f"{what}: a broken extended header")
        record, data = data[: int(length)], data[int(length) :]
        key, equals, value = record[len(length) + 1 :].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise MalformedError(f"{what}: a broken extended header")
        name = key.decode("utf-8", "replace")
        # Extended attributes hold binary values, of which only the names matter here.
        records[name] = "" if name.startswith(_XATTR) else _decoded(value[:-1], what)
    return records


def _member(block: bytes, pax: dict[str, str], what: str) -> Member:
    _verify(block, what)
    if any(key.startswith("GNU.sparse.") for key in pax):
        raise MalformedError(f"{what}: a sparse member, which readers disagree about")
    kind = _TYPES.get(block[156:157])
    if kind is None:
        raise MalformedError(f"{what}: a member of the unknown type {block[156:157]!r}")
    name = pax.get("path") or _name(block, what)
    if kind is Kind.FILE and name.endswith("/"):
        kind = Kind.DIRECTORY  # as before POSIX
    size = int(pax["size"]) if pax.get("size", "").isdecimal() else _number(block[124:136], what)
    if size and kind is not Kind.FILE:
        raise MalformedError(f"{what}: {name[:200]!r} is a {kind} with content, which readers disagree about")
    return Member(
        path=name,
        kind=kind,
        mode=_number(block[100:108], what) & 0o7777,
        uid=_owner(pax.get("uid"), block[108:116], what),
        gid=_owner(pax.get("gid"), block[116:124], what),
        size=size,
        mtime=_number(block[136:148], what),
        target=pax.get("linkpath") or _decoded(block[157:257].partition(b"\0")[0], what),
        xattrs=tuple(sorted(key.removeprefix(_XATTR) for key in pax if key.startswith(_XATTR))),
    )


def _owner(extended: str | None, field: bytes, what: str) -> int:
    return int(extended) if extended and extended.isdecimal() else _number(field, what)


def _name(block: bytes, what: str) -> str:
    name = block[:100].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return _decoded(prefix + b"/" + name if prefix else name, what)


def _decoded(name: bytes, what: str) -> str:
    if b"\0" in name:
        raise MalformedError(f"{what}: a name with a NUL in it")
    return name.decode("utf-8", "surrogateescape")


def _number(field: bytes, what: str) -> int:
    """Read a number: octal, or GNU's base 256 for what octal cannot hold."""
    if field[0] == 0x80:  # noqa: PLR2004 - the mark of base 256
        value = int.from_bytes(field[1:])
    elif field[0] == 0xFF:  # noqa: PLR2004 - a negative number: times before 1970
        return 0
    else:
        digits = field.strip(b" \0")
        if digits.strip(b"01234567"):
            raise MalformedError(f"{what}: a header with {digits[:12]!r} for a number")
        value = int(digits or b"0", 8)
    if value >= 1 << 62:
        raise MalformedError(f"{what}: a header with a number of absurd size")
    return value


def _verify(block: bytes, what: str) -> None:
    expected = _number(block[148:156], what)
    if sum(block[:148]) + 8 * 0x20 + sum(block[156:]) != expected:
        raise MalformedError(f"{what}: not a tar archive, or damaged: a header's check sum is wrong")
