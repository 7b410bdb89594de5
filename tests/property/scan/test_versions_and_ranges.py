"""Version keys against `packaging`; intervals against the OSV schema's pseudocode."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from pratique.scan.ranges import intervals
from pratique.scan.versions import pep440_key, semver_key

NUMBER = st.integers(0, 3) | st.integers(0, 10**12)
RELEASE = st.lists(NUMBER, min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
LOCAL = st.lists(st.from_regex(r"[a-z0-9]{1,3}", fullmatch=True), min_size=1, max_size=3).map(
    lambda parts: "+" + ".".join(parts)
)


def optional(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | strategy


PEP440 = st.builds(
    "".join,
    st.tuples(
        optional(st.sampled_from(["0!", "1!", "300!"])),
        RELEASE,
        optional(st.builds("{}{}".format, st.sampled_from(["a", "b", "rc", ".alpha", "-c"]), NUMBER)),
        optional(st.builds(".post{}".format, NUMBER)),
        optional(st.builds(".dev{}".format, NUMBER)),
        optional(LOCAL),
    ),
)


@settings(max_examples=250)
@given(PEP440, PEP440)
def test_pep440_keys_order_as_packaging_does(left: str, right: str) -> None:
    a, b = Version(left), Version(right)
    assert (pep440_key(left) < pep440_key(right), pep440_key(left) == pep440_key(right)) == (a < b, a == b)


IDENTIFIER = st.from_regex(r"(0|[1-9][0-9]{0,3}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]{0,3})", fullmatch=True)
SEMVER = st.tuples(NUMBER, NUMBER, NUMBER, st.lists(IDENTIFIER, max_size=3))


def naive_semver(version: tuple[int, int, int, list[str]]) -> tuple[Any, ...]:
    """SemVer 2.0.0 §11 as nested tuples."""
    *core, pre = version
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre)
    return (*core, (1,) if not pre else (0, parts))


@settings(max_examples=200)
@given(SEMVER, SEMVER)
def test_semver_keys_order_as_the_specification_does(
    left: tuple[int, int, int, list[str]], right: tuple[int, int, int, list[str]]
) -> None:
    def write(version: tuple[int, int, int, list[str]]) -> str:
        return (
            ".".join(map(str, version[:3])) + ("-" + ".".join(version[3]) if version[3] else "") + "+build.1"
        )

    a, b = naive_semver(left), naive_semver(right)
    keys = semver_key(write(left)), semver_key("v" + write(right))
    assert (keys[0] < keys[1], keys[0] == keys[1]) == (a < b, a == b)


SMALL = st.integers(0, 9).map(str) | st.builds("{}.{}".format, st.integers(0, 3), st.integers(0, 2))
EVENT = st.one_of(
    st.builds(lambda version: {"introduced": version}, SMALL),
    st.builds(lambda version: {"fixed": version}, SMALL),
    st.builds(lambda version: {"last_affected": version}, SMALL),
    st.builds(lambda version: {"limit": version}, SMALL | st.just("*")),
)


def naive_affected(text: str, events: list[dict[str, str]]) -> bool:
    """OSV schema, "Evaluation": IncludedInRanges and BeforeLimits, one event after the other."""
    version = Version(text)
    limits = [event["limit"] for event in events if "limit" in event]
    if limits and not any(limit == "*" or version < Version(limit) for limit in limits):
        return False
    tie = {"fixed": 0, "introduced": 1, "last_affected": 2}
    steps = [(kind, at) for event in events for kind, at in event.items() if kind != "limit"]
    lowest = Version("0.dev0")
    vulnerable = False
    for kind, at in sorted(
        steps, key=lambda step: (lowest if step == ("introduced", "0") else Version(step[1]), tie[step[0]])
    ):
        if kind == "introduced":
            vulnerable = vulnerable or at == "0" or version >= Version(at)
        elif version > Version(at) or (kind == "fixed" and version == Version(at)):
            vulnerable = False
    return vulnerable


@settings(max_examples=300)
@given(st.lists(EVENT, max_size=6), SMALL | st.just("0.dev0") | st.just("3.post1"))
def test_intervals_say_what_the_schema_says(events: list[dict[str, str]], version: str) -> None:
    if not any("introduced" in event for event in events):
        events = [{"introduced": "0"}, *events]
    key = pep440_key(version)
    found = any(interval.contains(key) for interval in intervals(events, pep440_key))
    assert found == naive_affected(version, events)
