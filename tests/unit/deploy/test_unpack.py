from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from pratique.deploy.target import unpack as unpack_module
from pratique.deploy.target.unpack import unpack_tar
from pratique.errors import MalformedError

if TYPE_CHECKING:
    from pathlib import Path


def member(
    name: str, data: bytes = b"x", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    info.size = len(data) if kind == tarfile.REGTYPE else 0
    return info, data


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if info.size else None)
    return path


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "release"


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_files_and_directories_come_out(tmp_path: Path, into: Path, kind: int) -> None:
    long = "/".join(["d" * 40] * 3) + "/" + "n" * 90
    source = tar(
        tmp_path / "app.tar",
        member("./", kind=tarfile.DIRTYPE),
        member("./bin/run", b"#!", mode=0o4777),
        member("bin", kind=tarfile.DIRTYPE, mode=0),
        member("empty", kind=tarfile.DIRTYPE),
        member(long, b"long", mode=0o200),
        member("zero", b""),
        kind=kind,
    )
    before = os.umask(0o077)
    try:
        unpack_tar(source, into)
    finally:
        os.umask(before)
    assert files(into) == {"bin/run": b"#!", long: b"long", "zero": b""}
    modes = {name: (into / name).stat().st_mode & 0o7777 for name in ("", "bin", "bin/run", "empty", long)}
    assert modes == {"": 0o755, "bin": 0o755, "bin/run": 0o755, "empty": 0o755, long: 0o644}


HOSTILE = {
    "parent": [member("../evil")],
    "parent inside": [member("a/../../evil")],
    "absolute": [member("/evil")],
    "empty part": [member("a//b")],
    "no name": [member("./")],
    "dot": [member(".")],
    "symlink": [member("a", kind=tarfile.SYMTYPE, link="/etc")],
    "symlink then through it": [member("a", kind=tarfile.SYMTYPE, link="/etc"), member("a/b")],
    "hard link": [member("x"), member("a", kind=tarfile.LNKTYPE, link="x")],
    "character device": [member("a", kind=tarfile.CHRTYPE)],
    "block device": [member("a", kind=tarfile.BLKTYPE)],
    "fifo": [member("a", kind=tarfile.FIFOTYPE)],
    "contiguous": [member("a", kind=tarfile.GNUTYPE_SPARSE)],
    "twice": [member("a"), member("a", b"other")],
    "twice by dot": [member("a"), member("./a", b"other")],
    "directory twice": [member("d", kind=tarfile.DIRTYPE), member("d/", kind=tarfile.DIRTYPE)],
    "file then directory": [member("a"), member("a", kind=tarfile.DIRTYPE)],
    "directory then file": [member("a", kind=tarfile.DIRTYPE), member("a")],
    "implied directory then file": [member("a/b"), member("a")],
    "below a file": [member("a"), member("a/b")],
    "newline": [member("a\nb")],
    "escape sequence": [member("a\x1b[31m")],
    "backslash": [member("a\\b")],
    "long part": [member("n" * 256)],
    "long path": [member("/".join(["n" * 100] * 11))],
    "deep": [member("/".join("d" * 33))],
    "nothing": [],
    "no files": [member("d", kind=tarfile.DIRTYPE)],
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_members_are_refused_and_nothing_gets_out(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    source = tar(tmp_path / "app.tar", *members)
    with pytest.raises(MalformedError, match=r"app\.tar"):
        unpack_tar(source, inner / "release")
    assert {path.name for path in tmp_path.iterdir()} == {"inner", "app.tar"}
    assert {path.name for path in inner.iterdir()} <= {"release"}


@pytest.mark.parametrize(
    "data",
    [b"", b"not a tar" * 200, b"\0" * 1024, b"\x1f\x8b" + b"\0" * 600],
    ids=["empty", "text", "zeros", "gzip"],
)
def test_other_bytes_are_refused(tmp_path: Path, into: Path, data: bytes) -> None:
    (tmp_path / "app.tar").write_bytes(data)
    with pytest.raises(MalformedError):
        unpack_tar(tmp_path / "app.tar", into)


def test_every_truncation_is_refused_or_complete(tmp_path: Path) -> None:
    whole = tar(tmp_path / "whole.tar", member("a", b"1" * 700), member("b", b"2" * 700)).read_bytes()
    end = 2 * (512 + 1024)
    for size in range(0, len(whole), 128):
        cut = tmp_path / f"{size}.tar"
        cut.write_bytes(whole[:size])
        into = tmp_path / f"into-{size}"
        try:
            unpack_tar(cut, into)
        except MalformedError:
            assert size < end or size % 512
        else:
            assert files(into) in ({"a": b"1" * 700}, {"a": b"1" * 700, "b": b"2" * 700})
            assert size in {1536, *range(end, len(whole))}


def test_a_broken_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path, into: Path) -> None:
    source = tar(tmp_path / "app.tar", member("a"), member("b"), member("c"))
    data = bytearray(source.read_bytes())
    data[1024 + 148] ^= 1  # the checksum of the second header
    source.write_bytes(data)
    with pytest.raises(MalformedError, match="after the end"):
        unpack_tar(source, into)


def test_data_after_the_end_is_refused(tmp_path: Path, into: Path) -> None:
    source = tar(tmp_path / "app.tar", member("a"))
    second = tar(tmp_path / "second.tar", member("b"))
    source.write_bytes(source.read_bytes() + second.read_bytes())
    with pytest.raises(MalformedError, match="after the end"):
        unpack_tar(source, into)


def test_an_extended_header_cannot_fill_the_memory(tmp_path: Path, into: Path) -> None:
    info, data = member("a")
    info.pax_headers = {"comment": "x" * (3 << 20)}
    with pytest.raises(MalformedError, match="absurd"):
        unpack_tar(tar(tmp_path / "app.tar", (info, data)), into)


@pytest.mark.parametrize(
    ("cap", "value"), [("MAX_MEMBERS", 2), ("MAX_FILE_BYTES", 5), ("MAX_TOTAL_BYTES", 12)]
)
def test_caps(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch, cap: str, value: int) -> None:
    monkeypatch.setattr(unpack_module, cap, value)
    source = tar(tmp_path / "app.tar", member("a", b"12345"), member("b", b"12345"), member("c", b"123456"))
    with pytest.raises(MalformedError, match="more or larger"):
        unpack_tar(source, into)


def test_a_declared_size_is_believed_only_as_far_as_there_is_data(tmp_path: Path, into: Path) -> None:
    info, _ = member("a", b"12345")
    header = bytearray(info.tobuf())
    info.size = 1 << 29
    (tmp_path / "app.tar").write_bytes(info.tobuf() + b"12345".ljust(512, b"\0"))
    assert header[:100] == info.tobuf()[:100]
    with pytest.raises(MalformedError):
        unpack_tar(tmp_path / "app.tar", into)
