"""Lock files: what is right is read back, what is not pinned by digest never gets through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.build.lock import parse_lock
from pratique.errors import ConfigError, PratiqueError
from pratique.model.digest import Digest

HEX = "0123456789abcdef"
HASHES = st.sets(st.text(HEX, min_size=64, max_size=64), min_size=1, max_size=3)
NAMES = st.text("abcdefghij", min_size=1, max_size=8)
VERSIONS = st.builds("{}.{}".format, st.integers(0, 99), st.integers(0, 99))
H = "--hash=sha256:" + "a" * 64


@given(
    entries=st.dictionaries(NAMES, st.tuples(VERSIONS, HASHES), min_size=1, max_size=5), folded=st.booleans()
)
def test_reads_back_what_was_written(entries: dict[str, tuple[str, set[str]]], folded: bool) -> None:  # noqa: FBT001
    gap = " \\\n    " if folded else " "
    lines = [
        f"{name}=={version}{gap}" + gap.join(f"--hash=sha256:{item}" for item in hashes) + "  # via test"
        for name, (version, hashes) in entries.items()
    ]
    lock = parse_lock("\n".join(["# written by a test", *lines, ""]).encode(), what="lock")
    found = {entry.name: (entry.version, set(entry.digests)) for entry in lock.entries}
    assert found == {n: (v, {Digest(h) for h in hashes}) for n, (v, hashes) in entries.items()}


@settings(max_examples=300)
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused_and_never_without_digests(text: str) -> None:
    for data in (text, f"{text} {H}\n", f"demo==1.0 {H} {text}\n"):
        try:
            lock = parse_lock(data.encode("utf-8", errors="surrogatepass"), what="lock")
        except PratiqueError:
            continue
        assert all(entry.digests and entry.version for entry in lock.entries)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "locks nothing"),
        ("# only a comment\n", "locks nothing"),
        ("demo==1.0\n", "no sha256 digest"),
        ("demo==1.0 --hash=md5:" + "a" * 32, "no sha256 digest"),
        ("demo==1.0 --hash=sha256:" + "a" * 63, "not a SHA-256 digest"),
        (f"demo>=1.0 {H}", "not pinned"),
        (f"demo {H}", "not pinned"),
        (f"demo==1.* {H}", "not `name==version"),
        (f"demo===1.0 {H}", "not pinned"),
        (f"demo==1.0,==1.0 {H}", "not pinned|name==version"),
        (f"demo @ https://host.test/demo.whl {H}", "not pinned"),
        (f"./demo {H}", "name==version"),
        ("--index-url https://host.test/simple\n", "an option does not belong"),
        ("-r other.txt\n", "an option does not belong"),
        (f"demo==1.0 {H} --global-option=x", "an option that is not a hash"),
        (f"demo==1.0 {H}\nDemo==1.1 {H}\n", "locked twice"),
        (f"demo==1.0 ; extra == 'x' {H}", "no extras"),
        (f"demo==1.0 {H} \\", "middle of an entry"),
    ],
)
def test_what_is_not_a_lock_is_refused(text: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        parse_lock(text.encode(), what="lock")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        parse_lock(b"demo==1.0\xff", what="lock")


def test_markers_choose() -> None:
    text = f"demo==1.0 ; python_version < '3' {H}\ndemo==2.0 ; python_version >= '3' {H}\n"
    lock = parse_lock(text.encode(), what="lock")
    assert [entry.version for entry in lock.applicable] == ["2.0"]
    assert len(lock.entries) == 2
