"""Comparing archives, whatever is in them."""

from __future__ import annotations

import io
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.build import compare
from pratique.build.compare import Difference, compare_artifacts

NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=8)
TREES = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6)
DATE = (2020, 1, 1, 0, 0, 0)


def make_zip(
    tree: dict[str, bytes], *, date: tuple[int, ...] = DATE, mode: int = 0o644, method: int = 0
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in tree.items():
            info = zipfile.ZipInfo(name, date)
            info.external_attr, info.compress_type = (0o100000 | mode) << 16, method
            archive.writestr(info, data)
    return out.getvalue()


def make_tar(tree: dict[str, bytes], *, mtime: int = 5, mode: int = 0o644, uid: int = 0) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in tree.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uid = len(data), mtime, mode, uid
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


MAKERS = pytest.mark.parametrize("make", [make_zip, make_tar])


@MAKERS
@given(tree=TREES)
def test_the_same_is_identical(make, tree: dict[str, bytes]) -> None:  # noqa: ANN001
    found = compare_artifacts(make(tree), make(dict(tree)))
    assert (found.identical, found.differences) == (True, ())


@MAKERS
@given(left=TREES, right=TREES)
def test_contents_missing_and_extra_are_named_exactly(make, left, right) -> None:  # noqa: ANN001
    found = compare_artifacts(make(left), make(right))
    named = {(item.member, item.kind) for item in found.differences if item.kind != "order"}
    expected = {(name, "missing") for name in left.keys() - right.keys()}
    expected |= {(name, "extra") for name in right.keys() - left.keys()}
    expected |= {(name, "content") for name in left.keys() & right.keys() if left[name] != right[name]}
    assert named == expected
    common = [name for name in left if name in right]
    moved = common != [name for name in right if name in left]
    assert moved == any(item.kind == "order" for item in found.differences)
    assert found.identical == (list(left.items()) == list(right.items()))


@settings(max_examples=300)
@given(
    left=st.binary(max_size=200),
    right=st.binary(max_size=200),
    start=st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08"]),
)
def test_any_bytes_have_a_verdict(left: bytes, right: bytes, start: bytes) -> None:
    found = compare_artifacts(start + left, start + right)
    assert found.identical == (left == right)
    assert bool(found.differences) != found.identical


@settings(max_examples=200)
@given(tree=TREES, place=st.integers(0, 10_000), value=st.integers(0, 255), is_zip=st.booleans())
def test_one_changed_byte_is_never_identical(
    tree: dict[str, bytes], place: int, value: int, *, is_zip: bool
) -> None:
    data = bytearray((make_zip if is_zip else make_tar)(tree))
    place %= len(data)
    original = bytes(data)
    data[place] = value
    found = compare_artifacts(original, bytes(data))
    assert found.identical == (bytes(data) == original)
    assert found.identical or found.differences


TREE = {"a": b"1", "b": b"2"}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (make_zip(TREE), make_zip(TREE, date=(2021, 1, 1, 0, 0, 0)), "time"),
        (make_zip(TREE), make_zip(TREE, mode=0o600), "mode"),
        (make_zip(TREE), make_zip(TREE, method=zipfile.ZIP_DEFLATED), "metadata"),
        (make_tar(TREE), make_tar(TREE, mtime=6), "time"),
        (make_tar(TREE), make_tar(TREE, mode=0o600), "mode"),
        (make_tar(TREE), make_tar(TREE, uid=7), "metadata"),
    ],
)
def test_each_kind_is_told_apart(left: bytes, right: bytes, expected: str) -> None:
    found = compare_artifacts(left, right)
    assert {(item.member, item.kind) for item in found.differences} == {("a", expected), ("b", expected)}


def test_members_of_one_name_are_told_apart() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        left, right = (make_twice(second) for second in (b"2", b"3"))
    found = compare_artifacts(left, right)
    assert [(item.member, item.kind) for item in found.differences] == [("a", "content")]


def make_twice(second: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a", DATE), b"1")
        archive.writestr(zipfile.ZipInfo("a", DATE), second)
    return out.getvalue()


def test_what_only_the_archive_keeps_is_metadata_of_the_archive() -> None:
    left = make_zip(TREE)
    found = compare_artifacts(left, left[:-2] + b"\x01\x00x")
    assert [(item.member, item.kind) for item in found.differences] == [("", "metadata")]


def test_a_bomb_is_compared_as_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "MAX_UNPACKED_BYTES", 1000)
    left, right = (make_zip({"a": bytes([n]) * 5000}, method=zipfile.ZIP_DEFLATED) for n in (1, 2))
    (only,) = compare_artifacts(left, right).differences
    assert only.member == ""


def test_differences_are_bounded_and_said_to_be() -> None:
    found = compare_artifacts(make_tar({"x": b""}), make_tar({f"m{n}": b"" for n in range(300)}))
    assert (len(found.differences), found.truncated) == (200, True)


def test_names_are_safe_to_print() -> None:
    found = compare_artifacts(make_zip({"\x1b[31m": b"1"}), make_zip({"\x1b[31m": b"2"}))
    assert [item.member for item in found.differences] == ["?[31m"]
    assert isinstance(found.differences[0], Difference)
