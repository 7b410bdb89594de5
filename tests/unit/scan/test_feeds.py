"""Advisories in forms of their own: RustSec, Alpine's secdb, Debian's tracker and its lists."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.errors import ConfigError, MalformedError
from pratique.scan.component import Component
from pratique.scan.database import Database
from pratique.scan.feeds.rustsec import read_rustsec
from pratique.scan.feeds.table import FEEDS
from pratique.scan.importer import import_advisories
from pratique.scan.match import MatchReport, match
from pratique.scan.ranges import intervals
from pratique.scan.sources import Source
from pratique.scan.versions import semver_key

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2026, 11, 23, tzinfo=UTC)
RUSTSEC = """\
```toml
[advisory]
id = "RUSTSEC-2021-0022"
package = "yottadb"
aliases = ["CVE-2021-27377"]
cvss = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
date = "2021-02-09"

[versions]
patched = [{}]
unaffected = [{}]
```

# Use-after-free in wrappers

Text.
"""


def report(folder: Path, kind: str, name: str, text: str, *purls: str) -> MatchReport:
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / name).write_text(text)
    source = Source(path=folder / "data", name="t", date=DAY, licence="", kind=kind)
    import_advisories([source], folder / "a.sqlite")
    with Database.open(folder / "a.sqlite") as database:
        components = [Component(purl=purl, name="", version="") for purl in purls]
        return match(components, database, now=DAY, max_age=timedelta(days=1))


def test_rustsec_lists_what_is_not_affected(tmp_path: Path) -> None:
    text = RUSTSEC.format('">= 1.2.0", "^1.1.5"', '"< 0.9"')
    versions = ["0.8.9", "0.9.0", "1.1.4", "1.1.5", "1.1.99", "1.2.0", "2.0.0-rc.1"]
    found = report(
        tmp_path,
        "rustsec",
        "RUSTSEC-2021-0022.md",
        text,
        *(f"pkg:cargo/yottadb@{version}" for version in versions),
    )
    assert [item.purl.rpartition("@")[2] for item in found.findings] == ["0.9.0", "1.1.4"]
    assert found.findings[0].summary == "Use-after-free in wrappers"
    assert found.findings[0].score == 9.8
    assert (found.findings[0].id, found.findings[0].published) == ("CVE-2021-27377", "2021-02-09T00:00:00Z")
    assert found.unknown == ()


@pytest.mark.parametrize("line", ['informational = "unmaintained"', 'withdrawn = "2022-01-01"'])
def test_rustsec_notices_and_withdrawn_advisories_match_nothing(tmp_path: Path, line: str) -> None:
    text = RUSTSEC.format("", "").replace('date = "2021', f'{line}\ndate = "2021')
    other = RUSTSEC.format("", "").replace("2021-0022", "2021-0023").replace("yottadb", "other")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "RUSTSEC-2021-0023.md").write_text(other)
    purls = ["pkg:cargo/yottadb@1.0.0", "pkg:cargo/other@1.0.0"]
    found = report(tmp_path, "rustsec", "RUSTSEC-2021-0022.md", text, *purls)
    assert [item.purl for item in found.findings] == ["pkg:cargo/other@1.0.0"]


def test_a_requirement_that_is_none_is_unknown(tmp_path: Path) -> None:
    found = report(
        tmp_path, "rustsec", "RUSTSEC-2021-0022.md", RUSTSEC.format('"soon"', ""), "pkg:cargo/yottadb@1.0.0"
    )
    assert [item.subject for item in found.unknown] == ["pkg:cargo/yottadb@1.0.0"]


NUMBER = st.integers(0, 3)
VERSION = st.tuples(NUMBER, NUMBER, NUMBER)
SIGNS = {
    ">=": lambda version, bound: version >= bound,
    ">": lambda version, bound: version > bound,
    "<": lambda version, bound: version < bound,
    "<=": lambda version, bound: version <= bound,
    "=": lambda version, bound: version == bound,
    "~": lambda version, bound: version >= bound and version[:2] == bound[:2],
    "^": lambda version, bound: version >= bound and compatible(version, bound),
}


def compatible(version: tuple[int, int, int], bound: tuple[int, int, int]) -> bool:
    """Cargo, "Specifying Dependencies": nothing changes up to the leftmost number that is not zero."""
    kept = next((place for place in range(3) if bound[place]), 2) + 1
    return version[:kept] == bound[:kept]


PART = st.tuples(st.sampled_from(sorted(SIGNS)), VERSION)
REQUIREMENT = st.lists(PART, min_size=1, max_size=2)


@settings(max_examples=300)
@given(st.lists(REQUIREMENT, max_size=3), VERSION)
def test_rustsec_ranges_are_what_no_requirement_is_met_by(
    requirements: list[list[tuple[str, tuple[int, int, int]]]], version: tuple[int, int, int]
) -> None:
    lines = [
        ", ".join(f"{sign} {'.'.join(map(str, bound))}" for sign, bound in parts) for parts in requirements
    ]
    written = ", ".join(f'"{line}"' for line in lines)
    (record,) = read_rustsec(RUSTSEC.format(written, "").encode(), what="x")
    events = record["affected"][0]["ranges"][0]["events"]
    key = semver_key(".".join(map(str, version)))
    affected = any(interval.contains(key) for interval in intervals(events, semver_key))
    spared = any(all(SIGNS[sign](version, bound) for sign, bound in parts) for parts in requirements)
    assert affected is not spared


SECDB = {
    "distroversion": "v3.19",
    "reponame": "main",
    "packages": [
        {"pkg": {"name": "openssl", "secfixes": {"3.1.4-r1": ["CVE-2023-5363"], "0": ["CVE-2022-0001"]}}},
        {"pkg": {"name": "xen", "secfixes": {"4.17.2-r2": ["CVE-2023-34321 XSA-437"]}}},
    ],
}


def test_alpine_secdb_by_release(tmp_path: Path) -> None:
    found = report(
        tmp_path,
        "alpine-secdb",
        "main.json",
        json.dumps(SECDB),
        "pkg:apk/alpine/openssl@3.1.4-r0?distro=alpine-3.19.1",
        "pkg:apk/alpine/openssl@3.1.4-r1?distro=alpine-3.19.1",
        "pkg:apk/alpine/xen@4.17.2-r1?distro=alpine-3.19.1",
        "pkg:apk/alpine/openssl@3.1.4-r0?distro=alpine-3.18.0",
    )
    assert [(item.id, item.purl.partition("?")[0]) for item in found.findings] == [
        ("CVE-2023-5363", "pkg:apk/alpine/openssl@3.1.4-r0"),
        ("CVE-2023-34321", "pkg:apk/alpine/xen@4.17.2-r1"),
    ]
    assert "XSA-437" in found.findings[1].aliases
    assert found.findings[0].fixed_versions == ("3.1.4-r1",)
    assert ["alpine-3.18" in item.subject for item in found.unknown] == [True]


TRACKER = {
    "curl": {
        "CVE-2023-1": {
            "description": "A flaw",
            "releases": {
                "bookworm": {"status": "resolved", "fixed_version": "7.88.1-10+deb12u1"},
                "trixie": {"status": "resolved", "fixed_version": "0"},
                "sid": {"status": "open"},
            },
        },
        "CVE-2023-2": {"releases": {"bookworm": {"status": "open"}}},
        "CVE-2023-3": {"releases": {"bookworm": {"status": "undetermined"}}},
    }
}


def test_debian_tracker_open_resolved_never_affected_and_undetermined(tmp_path: Path) -> None:
    old, fixed, other = (
        f"pkg:deb/debian/curl@{version}?distro=debian-{release}"
        for version, release in (("7.88.1-10", 12), ("7.88.1-10%2Bdeb12u1", 12), ("8.0-1", 13))
    )
    found = report(tmp_path, "debian-tracker", "json.json", json.dumps(TRACKER), old, fixed, other)
    assert [(item.id, item.purl) for item in found.findings] == [
        ("CVE-2023-2", fixed),
        ("CVE-2023-1", old),
        ("CVE-2023-2", old),
    ]
    assert sorted({item.subject for item in found.unknown}) == sorted([fixed, old, other])
    assert any("CVE-2023-3" in item.reason for item in found.unknown)


DSA = """\
[25 Mar 2023] DSA-5378-1 xen - security update
\t{CVE-2022-23824 CVE-2022-42331}
\t[bullseye] - xen 4.14.5+94-ge49571868d-1
[24 Mar 2023] DSA-5377-1 nothing - note
\tNOTE: text
"""


def test_each_vulnerability_of_a_debian_advisory_is_one_of_its_own(tmp_path: Path) -> None:
    purl = "pkg:deb/debian/xen@4.14.4-1?distro=debian-11"
    found = report(tmp_path, "debian-list", "list", DSA, purl)
    assert [(item.id, item.aliases) for item in found.findings] == [
        ("CVE-2022-23824", ("DSA-5378-1/CVE-2022-23824",)),
        ("CVE-2022-42331", ("DSA-5378-1/CVE-2022-42331",)),
    ]
    assert found.findings[0].published == "2023-03-25T00:00:00Z"


def test_yaml_records_are_read_and_other_forms_refused(tmp_path: Path) -> None:
    text = (
        "id: PYSEC-1\nmodified: 2026-01-01T00:00:00Z\naffected:\n- package: {ecosystem: PyPI, name: demo}\n"
        "  ranges:\n  - type: ECOSYSTEM\n    events:\n    - introduced: '0'\n    - fixed: '2.0'\n"
    )
    found = report(tmp_path, "osv-yaml", "PYSEC-1.yaml", text, "pkg:pypi/demo@1")
    assert [item.id for item in found.findings] == ["PYSEC-1"]
    with pytest.raises(ConfigError, match="no advisories of the form"):
        report(tmp_path, "csv", "PYSEC-1.yaml", text)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("rustsec", b"# no front matter"),
        ("rustsec", b"```toml\nx = \n```"),
        ("rustsec", b"```toml\nx = 1\n```"),
        ("rustsec", b"\xff"),
        ("alpine-secdb", b"{}"),
        ("alpine-secdb", b'{"distroversion": "v3.19", "packages": [{"pkg": {}}]}'),
        ("debian-tracker", b'{"curl": []}'),
        ("debian-tracker", b'{"curl": {"CVE-1": {}}}'),
        ("debian-list", b"what is this\n"),
        ("debian-list", b"\t[bullseye] - a 1\n"),
        ("osv-yaml", b"- 1\n"),
        ("osv-yaml", b"a: &x 1\nb: *x\n"),
    ],
)
def test_what_is_not_of_the_form_is_malformed(kind: str, data: bytes) -> None:
    with pytest.raises(MalformedError):
        list(FEEDS[kind].read(data, what="x"))


SAMPLES = [
    RUSTSEC.format('">= 1.2.0"', "").encode(),
    json.dumps(SECDB).encode(),
    json.dumps(TRACKER).encode(),
    DSA.encode(),
]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 600), st.binary(max_size=3)), max_size=6))
def test_no_damage_crashes_a_feed(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(sample)
    for place, value in changes:
        data[place : place + len(value)] = value
    for feed in FEEDS.values():
        with suppress(MalformedError):
            list(feed.read(bytes(data), what="x"))
