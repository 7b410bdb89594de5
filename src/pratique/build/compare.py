"""Compare two builds' files: bit by bit first, then member by member, to name what differs. Pure.

The verdict never depends on the members: files are bit-identical or they are different. Looking inside
wheels, zip and tar archives only explains. Archives may be hostile: what is read of them is bounded, and one
that cannot be read is compared as the bytes it is.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DIFFERENCES: Final = 200
MAX_MEMBERS: Final = 100_000
MAX_UNPACKED_BYTES: Final = 2 * 1024**3
_CHUNK: Final = 1024 * 1024

DifferenceKind = Literal["content", "mode", "time", "order", "missing", "extra", "metadata"]
Verdict = Literal["bit-identical", "different"]


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """One difference: in which member (empty for the archive itself), of which kind, and both sides of it.

    `missing` is a member that the rebuild lacks, `extra` one that only the rebuild has; `metadata` is what an
    archive keeps beside content, mode and time (compression, comments, owners, the archive's own layout).
    """

    member: str
    kind: DifferenceKind
    original: str = ""
    rebuilt: str = ""


class Comparison(msgspec.Struct, frozen=True):
    """The verdict, and what explains it; `truncated` when there was more than `MAX_DIFFERENCES`."""

    verdict: Verdict
    differences: tuple[Difference, ...] = ()
    truncated: bool = False

    @property
    def identical(self) -> bool:
        """Whether every bit is the same."""
        return self.verdict == "bit-identical"


class _Member(msgspec.Struct, frozen=True):
    content: str
    mode: str
    time: str
    metadata: str


class _UnreadableError(Exception):
    pass


_Members = dict[tuple[str, int], _Member]
_BROKEN: Final = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
    _UnreadableError,
)


def compare_artifacts(original: bytes, rebuilt: bytes) -> Comparison:
    """Compare the bytes of two files."""
    if original == rebuilt:
        return Comparison("bit-identical")
    differences = _inside(original, rebuilt)
    if not differences:
        left, right = str(sha256_bytes(original)), str(sha256_bytes(rebuilt))
        readable = _reader(original) is not None and _reader(original) == _reader(rebuilt)
        differences = [Difference("", "metadata" if readable else "content", left, right)]
    return Comparison(
        "different", tuple(differences[:MAX_DIFFERENCES]), truncated=len(differences) > MAX_DIFFERENCES
    )


def _inside(original: bytes, rebuilt: bytes) -> list[Difference]:
    """Compare two archives of one kind; nothing when they are not, or cannot be read."""
    read = _reader(original)
    if read is None or read != _reader(rebuilt):
        return []
    try:
        left, right = read(original), read(rebuilt)
    except _BROKEN:
        return []
    found: list[Difference] = []
    for key in sorted(left.keys() | right.keys()):
        name = _printable(key[0])
        if key not in right:
            found.append(Difference(name, "missing", left[key].content))
        elif key not in left:
            found.append(Difference(name, "extra", "", right[key].content))
        else:
            found += _between(name, left[key], right[key])
    common = left.keys() & right.keys()
    orders = [[key for key in side if key in common] for side in (left, right)]
    if orders[0] != orders[1]:
        place = next(index for index, (one, two) in enumerate(zip(*orders, strict=True)) if one != two)
        found.append(Difference("", "order", *(_printable(order[place][0]) for order in orders)))
    return found


def _between(name: str, left: _Member, right: _Member) -> Iterator[Difference]:
    pairs: dict[DifferenceKind, tuple[str, str]] = {
        "content": (left.content, right.content),
        "mode": (left.mode, right.mode),
        "time": (left.time, right.time),
        "metadata": (left.metadata, right.metadata),
    }
    for kind, (one, other) in pairs.items():
        if one != other:
            yield Difference(name, kind, one[:200], other[:200])


def _reader(data: bytes) -> Callable[[bytes], _Members] | None:
    """Choose by the file's own first bytes, not by its name."""
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _read_zip
    if data.startswith(b"\x1f\x8b"):
        return _read_tar_gz
    return _read_tar if data[257:262] == b"ustar" else None


def _read_zip(data: bytes) -> _Members:
    members: _Members = {}
    budget = MAX_UNPACKED_BYTES
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise _UnreadableError
        for info in archive.infolist():
            with archive.open(info) as stream:
                content, size = _digest(stream, budget)
            budget -= size
            year, month, day, hour, minute, second = info.date_time
            _add(
                members,
                info.filename,
                _Member(
                    content=content,
                    mode=f"{info.external_attr >> 16:06o}",
                    time=f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}",
                    metadata=f"method {info.compress_type}, system {info.create_system}, version "
                    f"{info.create_version}/{info.extract_version}, flags {info.flag_bits}, attributes "
                    f"{info.external_attr & 0xFFFF}/{info.internal_attr}, extra {info.extra.hex()}, comment "
                    f"{info.comment.hex()}",
                ),
            )
    return members


def _read_tar_gz(data: bytes) -> _Members:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        plain = stream.read(MAX_UNPACKED_BYTES + 1)
    if len(plain) > MAX_UNPACKED_BYTES:
        raise _UnreadableError
    return _read_tar(plain)


def _read_tar(data: bytes) -> _Members:
    members: _Members = {}
    budget = MAX_UNPACKED_BYTES
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for count, info in enumerate(archive):
            if count >= MAX_MEMBERS:
                raise _UnreadableError
            stream = archive.extractfile(info) if info.isreg() else None
            content, size = _digest(stream, budget) if stream else (f"-> {info.linkname}", 0)
            budget -= size
            owner = f"owner {info.uid}:{info.gid} {info.uname}:{info.gname}"
            _add(
                members,
                info.name,
                _Member(
                    content=content,
                    mode=f"{info.mode:06o}",
                    time=str(info.mtime),
                    metadata=f"type {info.type!r}, {owner}, headers {sorted(info.pax_headers.items())}",
                ),
            )
    return members


def _add(members: _Members, name: str, member: _Member) -> None:
    """Keep members of one name apart by how often the name came before."""
    turn = 0
    while (name, turn) in members:
        turn += 1
    members[name, turn] = member


def _digest(stream: Any, budget: int) -> tuple[str, int]:
    running, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > budget:
            raise _UnreadableError
        running.update(chunk)
    return f"sha256:{running.hexdigest()}", size


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)[:400]
