"""Keys sort as each ecosystem's own pairwise comparison does, which is written out here a second time.

Key order being a total order, agreement on every pair also shows the comparisons to be one.
"""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.scan.orders.alpine import alpine_key
from pratique.scan.orders.composer import composer_key
from pratique.scan.orders.debian import debian_key
from pratique.scan.orders.encoding import UnorderableError
from pratique.scan.orders.maven import maven_key
from pratique.scan.orders.rpm import rpm_key
from pratique.scan.orders.rubygems import rubygems_key
from pratique.scan.orders.semver import nuget_key
from pratique.scan.versions import VERSION_KEYS

if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = st.sampled_from("01") | st.sampled_from(
    ["2", "9", "10", "00", "01", "255", "256", "65536", "18446744073709551616"]
)


def sign(left: Any, right: Any) -> int:
    return (left > right) - (left < right)


def joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def maybe(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | part


# Debian: dpkg, lib/dpkg/version.c, verrevcmp


def dpkg_weight(text: str, at: int) -> int:
    if at >= len(text) or text[at].isdigit():
        return 0
    return -1 if text[at] == "~" else ord(text[at]) if text[at].isalpha() else ord(text[at]) + 256


def verrevcmp(a: str, b: str) -> int:
    i = j = 0
    while i < len(a) or j < len(b):
        while (i < len(a) and not a[i].isdigit()) or (j < len(b) and not b[j].isdigit()):
            if difference := sign(dpkg_weight(a, i), dpkg_weight(b, j)):
                return difference
            i, j = i + 1, j + 1
        left, right = re.match(r"\d*", a[i:]), re.match(r"\d*", b[j:])
        assert left
        assert right
        if difference := sign(int(left[0] or 0), int(right[0] or 0)):
            return difference
        i, j = i + len(left[0]), j + len(right[0])
    return 0


def debian_compare(a: str, b: str) -> int:
    def split(text: str) -> tuple[int, str, str]:
        epoch, colon, rest = text.partition(":")
        if not colon:
            epoch, rest = "0", text
        upstream, hyphen, revision = rest.rpartition("-")
        return int(epoch), upstream if hyphen else rest, revision if hyphen else ""

    (e, u, r), (f, v, s) = split(a), split(b)
    return sign(e, f) or verrevcmp(u, v) or verrevcmp(r, s)


DEBIAN = joined(
    maybe(st.sampled_from(["0:", "1:"])),
    NUMBER,
    st.text("1a.~+-", max_size=4),
    maybe(joined(st.just("-"), st.text("019a.+~", min_size=1, max_size=4))),
).filter(lambda text: not text.endswith("-"))


# RPM follows rpmio/rpmvercmp.cc.


def rpmvercmp(a: str, b: str) -> int:  # noqa: C901, PLR0911 - the original's shape
    while a or b:
        a, b = re.sub(r"^[^0-9A-Za-z~^]+", "", a), re.sub(r"^[^0-9A-Za-z~^]+", "", b)
        if a[:1] == "~" or b[:1] == "~":
            if a[:1] != b[:1]:
                return -1 if a[:1] == "~" else 1
            a, b = a[1:], b[1:]
            continue
        if a[:1] == "^" or b[:1] == "^":
            if not a:
                return -1
            if not b:
                return 1
            if a[0] != b[0]:
                return -1 if a[0] == "^" else 1
            a, b = a[1:], b[1:]
            continue
        if not (a and b):
            break
        pattern = r"\d+" if a[0].isdigit() else r"[A-Za-z]+"
        left, right = re.match(pattern, a), re.match(pattern, b)
        assert left
        if not right:
            return 1 if a[0].isdigit() else -1
        values = (int(left[0]), int(right[0])) if a[0].isdigit() else (left[0], right[0])
        if difference := sign(*values):
            return difference
        a, b = a[len(left[0]) :], b[len(right[0]) :]
    return sign(bool(a), bool(b))


RPM = joined(st.sampled_from("1a"), st.text("01aZ._~^", max_size=5))


# Maven follows its "Version Order Specification".

QUALIFIERS = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"]


def maven_tokens(text: str) -> list[tuple[str, str]]:
    text = re.sub(r"(?<=\d)(?=[a-z])", "-", text)
    text = re.sub(r"(?<=[a-z])(?=\d)", "=", text)  # a hyphen too, but one that makes `a1` mean alpha 1
    tokens = [(m[1] or ".", m[2]) for m in re.finditer(r"(^|[.=-])([^.=-]*)", text)]
    shown: list[tuple[str, str]] = []
    for index, (separator, value) in enumerate(tokens):
        short = index + 1 < len(tokens) and tokens[index + 1][0] == "="
        name = {"a": "alpha", "b": "beta", "m": "milestone"}.get(value, value) if short else value
        name = {"cr": "rc", "ga": "", "final": "", "release": ""}.get(name, name or "0")
        mark = "." if separator == "." and name.isdigit() else "-"
        if mark == "-":
            while shown and shown[-1][1] in {"", "0"}:
                shown.pop()
        shown.append((mark, name.lstrip("0") or "0" if name.isdigit() else name))
    while shown and shown[-1][1] in {"", "0"}:
        shown.pop()
    return shown


def maven_rank(token: tuple[str, str]) -> tuple[Any, ...]:
    separator, value = token
    if value.isdigit():
        return (2 if separator == "." else 1, int(value), "")
    return (0, QUALIFIERS.index(value), "") if value in QUALIFIERS else (0, len(QUALIFIERS), value)


def maven_compare(a: str, b: str) -> int:
    for left, right in itertools.zip_longest(maven_tokens(a), maven_tokens(b)):
        if left is None:
            left = (right[0], "0" if right[1].isdigit() else "")  # noqa: PLW2901 - the shorter is padded
        if right is None:
            right = (left[0], "0" if left[1].isdigit() else "")  # noqa: PLW2901 - the shorter is padded
        if difference := sign(maven_rank(left), maven_rank(right)):
            return difference
    return 0


MAVEN_WORD = st.sampled_from(
    ["alpha", "beta", "b", "a", "m", "milestone", "rc", "cr", "snapshot", "ga", "final", "sp", "foo", "xyz"]
)
MAVEN = st.builds(
    lambda first, rest: first + "".join(itertools.chain.from_iterable(rest)),
    NUMBER,
    st.lists(st.tuples(st.sampled_from(".-"), NUMBER | MAVEN_WORD | joined(MAVEN_WORD, NUMBER)), max_size=4),
)


# RubyGems: lib/rubygems/version.rb, <=>


def gem_compare(a: str, b: str) -> int:
    def segments(text: str) -> list[int | str]:
        parts: list[int | str] = [
            int(part) if part.isdigit() else part
            for part in re.findall(r"\d+|[a-zA-Z]+", text.replace("-", ".pre."))
        ]
        split = next((i for i, part in enumerate(parts) if isinstance(part, str)), len(parts))
        halves = parts[:split], parts[split:]
        for half in halves:
            while half and half[-1] == 0:
                half.pop()
        return halves[0] + halves[1]

    for left, right in itertools.zip_longest(segments(a), segments(b), fillvalue=0):
        if left == right:
            continue
        if isinstance(left, str) != isinstance(right, str):
            return -1 if isinstance(left, str) else 1
        return sign(left, right)
    return 0


GEM = st.builds(
    lambda first, rest, pre: ".".join([first, *rest]) + pre,
    NUMBER,
    st.lists(NUMBER | st.sampled_from(["a", "b", "rc1", "Z", "a0b"]), max_size=5),
    maybe(st.sampled_from(["-1", "-a.0.b", "-x-y"])),
)


# Alpine: apk-tools, src/version.c, apk_version_compare

TOKENS = ["first", "digit", "letter", "suffix", "suffix_no", "hash", "revision", "end"]
SUFFIXES = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"]


def apk_tokens(text: str) -> list[tuple[str, str]]:
    pattern = (
        r"(?P<digit>\.\d+)|(?P<revision>-r\d+)|(?P<hash>~[0-9a-f]+)"
        r"|_(?P<suffix>[a-z]+)|(?P<letter>[a-z])|(?P<first>\d+)"
    )
    found: list[tuple[str, str]] = []
    for match in re.finditer(pattern, text):
        kind = match.lastgroup or ""
        if kind == "first" and found:
            kind = "suffix_no"
        found.append((kind, match[match.lastgroup or ""].lstrip(".~-r") if kind != "suffix" else match[4]))
    return [*found, ("end", "")]


def apk_compare(a: str, b: str) -> int:
    for (kind, left), (other, right) in zip(apk_tokens(a), apk_tokens(b), strict=False):
        if kind != other:
            for direction, token, value in ((-1, kind, left), (1, other, right)):
                if token == "suffix" and SUFFIXES.index(value) < SUFFIXES.index("cvs"):
                    return direction
            return -1 if TOKENS.index(kind) > TOKENS.index(other) else 1
        if kind == "suffix":
            difference = sign(SUFFIXES.index(left), SUFFIXES.index(right))
        elif kind in {"letter", "hash", "end"} or (
            kind == "digit" and (left.startswith("0") or right.startswith("0"))
        ):
            difference = sign(left, right)
        else:
            difference = sign(int(left), int(right))
        if difference:
            return difference
    return 0


APK = joined(
    NUMBER,
    st.lists(NUMBER, max_size=3).map(lambda parts: "".join(f".{part}" for part in parts)),
    maybe(st.sampled_from("abz")),
    st.lists(joined(st.sampled_from(SUFFIXES), maybe(NUMBER)), max_size=2).map(
        lambda parts: "".join(f"_{part}" for part in parts)
    ),
    maybe(st.sampled_from(["~0a", "~ff"])),
    maybe(NUMBER.map("-r{}".format)),
)


# Packagist: PHP, ext/standard/versioning.c, version_compare of composer/semver's normal form


def php_compare(a: str, b: str) -> int:
    forms = ["dev", "alpha", "beta", "rc", "#", "patch"]

    def parts(text: str) -> list[str]:
        text = re.sub(r"(\d+)(?=[a-z])|([a-z]+)(?=\d)", r"\g<0>.", text.lower())
        found = [
            {"a": "alpha", "b": "beta", "pl": "patch", "p": "patch"}.get(p, p)
            for p in re.split(r"[.-]", text)
        ]
        while sum(part.isdigit() for part in itertools.takewhile(str.isdigit, found)) < 4:
            found.insert(len(list(itertools.takewhile(str.isdigit, found))), "0")
        return found

    for left, right in itertools.zip_longest(parts(a), parts(b)):
        if left is None or right is None:
            longer = left or right
            outcome = 1 if longer.isdigit() else sign(forms.index(longer), forms.index("#"))
            return outcome if right is None else -outcome
        if left.isdigit() and right.isdigit():
            difference = sign(int(left), int(right))
        else:
            ranks = [forms.index("#" if part.isdigit() else part) for part in (left, right)]
            difference = sign(*ranks)
        if difference:
            return difference
    return 0


COMPOSER = st.builds(
    lambda numbers, suffix, count, dev: ".".join(numbers) + suffix + (count if suffix else "") + dev,
    st.lists(st.sampled_from(["0", "1", "2", "10"]), min_size=1, max_size=4),
    maybe(st.sampled_from(["-alpha", "-beta", "-RC", "-p", "b", "a", "-pl"])),
    maybe(st.sampled_from(["1", "2", "10", "1.2"])),
    maybe(st.just("-dev")),
)


# NuGet: NuGet.Versioning, VersionComparer


def nuget_compare(a: str, b: str) -> int:
    def split(text: str) -> tuple[Any, ...]:
        core, hyphen, pre = text.lower().partition("+")[0].partition("-")
        numbers = [int(part) for part in core.split(".")]
        labels = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split(".")]
        return (numbers + [0] * (4 - len(numbers)), (0, labels) if hyphen else (1,))

    return sign(split(a), split(b))


NUGET = joined(
    st.lists(NUMBER, min_size=1, max_size=4).map(".".join),
    maybe(st.sampled_from(["-alpha", "-ALPHA", "-beta.2", "-beta.11", "-1", "-rc.1.x"])),
    maybe(st.just("+build.5")),
)

ORDERS = [
    ("Debian", DEBIAN, debian_key, debian_compare),
    ("RPM", RPM, rpm_key, rpmvercmp),
    ("Maven", MAVEN, maven_key, maven_compare),
    ("RubyGems", GEM, rubygems_key, gem_compare),
    ("Alpine", APK, alpine_key, apk_compare),
    ("Packagist", COMPOSER, composer_key, php_compare),
    ("NuGet", NUGET, nuget_key, nuget_compare),
]


@pytest.mark.parametrize(
    ("strategy", "key", "compare"), [order[1:] for order in ORDERS], ids=[o[0] for o in ORDERS]
)
def test_keys_sort_as_pairs_compare(
    strategy: st.SearchStrategy[str], key: Callable[[str], bytes], compare: Callable[[str, str], int]
) -> None:
    @settings(max_examples=120, deadline=None)
    @given(st.lists(strategy, min_size=3, max_size=5))
    def law(versions: list[str]) -> None:
        for a, b in itertools.combinations(versions, 2):
            assert sign(key(a), key(b)) == compare(a, b), (a, b)
        # No key begins another, so that what is written after a key cannot turn an order round.
        assert all(
            not key(a).startswith(key(b)) or key(a) == key(b) for a, b in itertools.permutations(versions, 2)
        )

    law()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=30) | st.text("0123456789.-_~^+:abrcpv", max_size=30))
def test_any_text_has_a_key_or_is_refused(text: str) -> None:
    for key in VERSION_KEYS.values():
        try:
            assert key(text)
        except UnorderableError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


@settings(max_examples=40, deadline=None)
@given(DEBIAN, DEBIAN)
def test_debian_agrees_with_dpkg(left: str, right: str) -> None:
    dpkg = shutil.which("dpkg")
    if dpkg is None:
        pytest.skip("no dpkg here")
    operator = {-1: "lt", 0: "eq", 1: "gt"}[sign(debian_key(left), debian_key(right))]
    run = subprocess.run(
        [dpkg, "--compare-versions", left, operator, right], check=False, capture_output=True
    )
    assert run.returncode == 0, (left, operator, right)
