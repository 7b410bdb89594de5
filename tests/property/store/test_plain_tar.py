"""One encoding of an archive: what is accepted, `encode` gives back to the byte."""

from __future__ import annotations

import contextlib
import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.store import plain_tar

WORD = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,19}"
names = st.from_regex(rf"{WORD}(/{WORD}){{0,3}}", fullmatch=True)
members = st.lists(st.builds(plain_tar.Member, name=names, data=st.binary(max_size=1200)), max_size=5)


@given(members)
def test_an_archive_reads_back(given_members: list[plain_tar.Member]) -> None:
    assert plain_tar.parse(plain_tar.encode(given_members) + plain_tar.END) == given_members


@given(members, st.integers(0, 10_000), st.integers(1, 255))
def test_what_is_accepted_has_no_other_spelling(
    given_members: list[plain_tar.Member], at: int, mask: int
) -> None:
    data = bytearray(plain_tar.encode(given_members) + plain_tar.END)
    data[at % len(data)] ^= mask
    with contextlib.suppress(MalformedError):
        assert plain_tar.encode(plain_tar.parse(bytes(data))) + plain_tar.END == data


@given(members)
def test_the_standard_library_reads_the_same(given_members: list[plain_tar.Member]) -> None:
    with tarfile.open(fileobj=io.BytesIO(plain_tar.encode(given_members) + plain_tar.END)) as archive:
        found = [(item.name, archive.extractfile(item).read()) for item in archive]  # type: ignore[union-attr] # plain files
    assert found == [(member.name, member.data) for member in given_members]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        "a/b/c/d/e",
        "a b",
        "a\0b",
        "ä",
        "x" * 101,
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(MalformedError, match="not a member"):
        plain_tar.encode([plain_tar.Member(name, b"")])


@given(st.binary(max_size=4096))
def test_noise_is_refused_and_nothing_else_happens(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert plain_tar.encode(plain_tar.parse(data)) + plain_tar.END == data


def hostile(kind: bytes = tarfile.REGTYPE, name: str = "x", link: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        hostile(tarfile.SYMTYPE, link="/etc/passwd"),
        hostile(tarfile.LNKTYPE, link="../../x"),
        hostile(tarfile.CHRTYPE),
        hostile(tarfile.FIFOTYPE),
        hostile(tarfile.DIRTYPE),
        hostile(name="../../etc/cron.d/x"),
        hostile(name="/etc/passwd"),
    ],
)
def test_what_others_could_smuggle_in_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        plain_tar.parse(data)


def test_a_size_beyond_the_file_is_refused() -> None:
    data = plain_tar.encode_header("x", 8**11 - 1) + plain_tar.END
    with pytest.raises(MalformedError, match="more than the file holds"):
        plain_tar.parse(data)
