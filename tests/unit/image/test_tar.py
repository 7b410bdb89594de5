"""Tar archives: what is written is what others read, and what others could misread is refused."""

from __future__ import annotations

import io
import tarfile

import pytest

from pratique.errors import MalformedError, UsageError
from pratique.image.member import Kind, Member
from pratique.image.tarread import read_tar
from pratique.image.tarwrite import TarWriter, header


def written(*members: tuple[Member, bytes]) -> bytes:
    out = bytearray()
    writer = TarWriter(out.extend)
    for member, content in members:
        writer.add(member, [content] if content else [])
    writer.close()
    return bytes(out)


def standard(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def read(data: bytes) -> list[tuple[Member, bytes]]:
    return [(member, b"".join(content.chunks())) for member, content in read_tar(io.BytesIO(data), "t")]


def info(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def test_a_plain_member_is_written_as_the_standard_library_writes_it() -> None:
    member = Member(path="app/run", kind=Kind.FILE, mode=0o755, size=3, mtime=1_700_000_000)
    theirs = standard([(info("app/run", mode=0o755, mtime=1_700_000_000), b"abc")], tarfile.USTAR_FORMAT)
    assert written((member, b"abc")) == theirs[: 512 + 512 + 1024]


@pytest.mark.parametrize("name", ["a" * 100, "a" * 101, "d/" * 120 + "f", "grüße/日本", "x" * 95 + "é"])
def test_long_and_foreign_names_are_read_by_the_standard_library(name: str) -> None:
    data = written(
        (Member(path=name, kind=Kind.FILE, size=2), b"hi"),
        (Member(path="link", kind=Kind.SYMLINK, target=name), b""),
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        first, second = archive.getmembers()
        content = archive.extractfile(first)
        assert content is not None
        assert (first.name, content.read(), second.linkname) == (name, b"hi", name)


def test_content_of_another_length_than_announced_is_refused() -> None:
    for content in (b"ab", b"abcd"):
        with pytest.raises(UsageError, match="changed while it was read"):
            written((Member(path="f", kind=Kind.FILE, size=3), content))


def test_a_time_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="a time a tar header cannot hold"):
        header(Member(path="f", kind=Kind.FILE, mtime=8**11))


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_the_standard_librarys_archives_are_read(form: int) -> None:
    long = "deep/" * 30 + "file"
    data = standard(
        [
            (info("d", type=tarfile.DIRTYPE, mode=0o1777), b""),
            (info(long, mode=0o4755, uid=7, gid=8, mtime=9), b"content" * 1000),
            (info("s", type=tarfile.SYMTYPE, linkname="d/x"), b""),
            (info("h", type=tarfile.LNKTYPE, linkname=long[:90]), b""),
            (info("c", type=tarfile.CHRTYPE), b""),
            (info("p", type=tarfile.FIFOTYPE), b""),
        ],
        form,
    )
    found = read(data)
    assert [(member.path.rstrip("/"), member.kind) for member, _ in found] == [
        ("d", Kind.DIRECTORY),
        (long, Kind.FILE),
        ("s", Kind.SYMLINK),
        ("h", Kind.HARDLINK),
        ("c", Kind.CHARACTER),
        ("p", Kind.FIFO),
    ]
    member, content = found[1]
    assert (member.mode, member.uid, member.gid, member.mtime) == (0o4755, 7, 8, 9)
    assert content == b"content" * 1000
    assert (found[2][0].target, found[0][0].mode) == ("d/x", 0o1777)


def test_base_256_numbers_are_read() -> None:
    data = standard([(info("f", uid=8**8, gid=3_000_000_000), b"x")], tarfile.GNU_FORMAT)
    member, _ = read(data)[0]
    assert (member.uid, member.gid) == (8**8, 3_000_000_000)


def test_names_of_extended_attributes_are_read_and_their_binary_values_passed_over() -> None:
    record = b"SCHILY.xattr.security.capability=\x01\x00\x00\x02\xff\xfe\n"
    length = len(record) + 3
    pax = info("x", type=tarfile.XHDTYPE)
    data = standard([(pax, b"%d %b" % (length, record)), (info("f"), b"")], tarfile.USTAR_FORMAT)
    assert read(data)[0][0].xattrs == ("security.capability",)


def with_header(**fields: object) -> bytes:
    return standard([(info("f", **fields), b"")], tarfile.USTAR_FORMAT)


def damaged(data: bytes, at: int, value: bytes) -> bytes:
    block = bytearray(data)
    block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    return bytes(block)


PLAIN = with_header()
HOSTILE = {
    "not a tar": (b"\x7fELF" + bytes(1020), "check sum is wrong"),
    "empty": (b"", "no end"),
    "check sum": (PLAIN[:5] + b"!" + PLAIN[6:], "check sum is wrong"),
    "letters for a number": (damaged(PLAIN, 124, b"12x45678901\0"), "for a number"),
    "absurd size": (damaged(PLAIN, 124, b"\x80" + b"\x7f" * 11), "absurd size"),
    "unknown type": (damaged(PLAIN, 156, b"Z"), "unknown type"),
    "sparse": (damaged(PLAIN, 156, b"S"), "unknown type"),
    "a link with content": (damaged(damaged(PLAIN, 156, b"1"), 124, b"00000000010\0"), "with content"),
    "a huge extended header": (damaged(damaged(PLAIN, 156, b"x"), 124, b"00010000000\0"), "extended header"),
    "data after the end": (PLAIN[:1024] + b"evil" + bytes(508), "data after the end"),
    "a second archive": (PLAIN[:1536] + PLAIN[:512], "data after the end"),
}


@pytest.mark.parametrize(("data", "says"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_archives_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError, match=says):
        read(data)


@pytest.mark.parametrize(
    "record",
    [b"path=x\n", b"99 path=x\n", b"9 path=xy", b"9999999999 path=x\n", b"6 pat\n", b"12 path=\0xyz\n"],
)
def test_broken_extended_headers_are_refused(record: bytes) -> None:
    data = standard([(info("x", type=tarfile.XHDTYPE), record), (info("f"), b"")], tarfile.USTAR_FORMAT)
    with pytest.raises(MalformedError, match=r"extended header|NUL"):
        read(data)


def test_gnu_sparse_in_pax_is_refused() -> None:
    data = standard([(info("f", pax_headers={"GNU.sparse.major": "1"}), b"x")])
    with pytest.raises(MalformedError, match="sparse"):
        read(data)


def test_a_global_header_may_comment_but_not_rename() -> None:
    comment = standard([(info("pax", type=tarfile.XGLTYPE), b"14 comment=ab\n"), (info("f"), b"")])
    assert [member.path for member, _ in read(comment)] == ["f"]
    rename = standard([(info("pax", type=tarfile.XGLTYPE), b"11 path=ab\n"), (info("f"), b"")])
    with pytest.raises(MalformedError, match="renames"):
        read(rename)


def test_an_archive_cut_off_anywhere_is_refused() -> None:
    data = written((Member(path="a" * 120, kind=Kind.FILE, size=700), b"x" * 700))
    for length in range(0, len(data) - 1024, 64):
        with pytest.raises(MalformedError, match="cut off"):
            read(data[:length])
