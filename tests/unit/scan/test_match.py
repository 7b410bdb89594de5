"""Import and matching, with each trap that real data and other tools fell into (docs/scan.md)."""

from __future__ import annotations

import json
import sqlite3
import tarfile
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pratique.errors import ConfigError, CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.model.finding import Result, Severity
from pratique.scan.component import Component, Uninspected
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.match import MatchReport, match
from pratique.scan.signals import Signal, read_exploited
from pratique.scan.sources import Source
from pratique.scan.vulns import COVERAGE, vulns_predicate

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = datetime(2026, 11, 23, tzinfo=UTC)
YEAR = timedelta(days=365)


def record(
    identifier: str, package: str = "demo", *, ecosystem: str = "PyPI", **members: Any
) -> dict[str, Any]:
    entry = {"package": {"ecosystem": ecosystem, "name": package}}
    for name in ("ranges", "versions"):
        if name in members:
            entry[name] = members.pop(name)
    return {"id": identifier, "modified": "2026-01-01T00:00:00Z", "affected": [entry], **members}


def ordered(*events: dict[str, str], kind: str = "ECOSYSTEM") -> list[dict[str, Any]]:
    return [{"type": kind, "events": list(events)}]


BELOW_2 = ordered({"introduced": "0"}, {"fixed": "2.0"})


def source(folder: Path, *records: dict[str, Any], name: str = "test", date: datetime = DAY) -> Source:
    path = folder / name
    path.mkdir()
    for item in records:
        (path / f"{item['id']}.json").write_text(json.dumps(item))
    return Source(path=path, name=name, date=date, licence="CC0-1.0")


def run(
    folder: Path,
    purls: list[str],
    *sources: Source,
    now: datetime = DAY,
    exploited: Signal[str] | None = None,
) -> MatchReport:
    import_advisories(sources, folder / "advisories.sqlite", exploited=exploited)
    with Database.open(folder / "advisories.sqlite") as database:
        components = [Component(purl=purl, name="", version="") for purl in purls]
        return match(components, database, now=now, max_age=YEAR)


def test_affected_component_is_a_finding_and_the_fixed_version_is_not(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1.9", "pkg:pypi/demo@2.0", "pkg:pypi/innocent@1"],
        source(tmp_path, record("X-1", summary="Bad  thing", ranges=BELOW_2)),
    )
    (finding,) = report.findings
    assert (finding.purl, finding.id, finding.summary) == ("pkg:pypi/demo@1.9", "X-1", "Bad thing")
    assert (finding.ranges, finding.fixed_versions) == (("<2.0",), ("2.0",))
    assert report.unknown == ()
    assert (report.coverage.components, report.coverage.checked) == (3, 3)
    shown = finding.finding()
    assert (shown.result, shown.fix, shown.location) == (Result.FAIL, "upgrade to 2.0", "pkg:pypi/demo@1.9")


def test_names_meet_in_their_normal_form(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/zope-interface@1.0", "pkg:golang/github.com/masterminds/vcs@v1.0.0"],
        source(
            tmp_path,
            record("X-1", "Zope.Interface", ranges=BELOW_2),
            record(
                "GO-1",
                "github.com/Masterminds/vcs",
                ecosystem="Go",
                ranges=ordered({"introduced": "0"}, {"fixed": "1.13.2"}, kind="SEMVER"),
            ),
        ),
    )
    assert [finding.id for finding in report.findings] == ["GO-1", "X-1"]


def test_ecosystem_in_another_case_still_matches(tmp_path: Path) -> None:
    report = run(
        tmp_path, ["pkg:pypi/demo@1"], source(tmp_path, record("X-1", ecosystem="pypi", ranges=BELOW_2))
    )
    assert [finding.id for finding in report.findings] == ["X-1"]


def test_listed_versions_match_without_ranges_and_in_any_spelling(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1.0", "pkg:pypi/demo@1.1", "pkg:pypi/demo@2004d"],
        source(tmp_path, record("X-1", versions=["1.0.0", "2004d"])),
    )
    assert [finding.purl for finding in report.findings] == ["pkg:pypi/demo@1.0", "pkg:pypi/demo@2004d"]
    assert report.findings[0].finding().detail == "this version is listed as affected"
    # 2004d is found as text, yet no range could be judged for it.
    assert [item.subject for item in report.unknown] == ["pkg:pypi/demo@2004d"]


def test_a_date_as_fixed_event_is_unknown_and_not_a_crash(tmp_path: Path) -> None:
    dirty = record("PYSEC-2019-125", ranges=ordered({"introduced": "0"}, {"fixed": "2019-09-12"}))
    report = run(tmp_path, ["pkg:pypi/demo@1", "pkg:pypi/other@1"], source(tmp_path, dirty))
    assert report.findings == ()
    ((subject, reason),) = [(item.subject, item.reason) for item in report.unknown]
    assert subject == "pkg:pypi/demo@1"
    assert reason == "PYSEC-2019-125 (test) cannot be judged: '2019-09-12' is not a PEP 440 version"
    assert report.coverage.checked == 1


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"ranges": [{"type": "GIT", "repo": "https://x", "events": [{"introduced": "0"}]}]},
        {"ranges": [{"type": "LUNAR", "events": [{"introduced": "0"}]}]},
        {"ranges": [{"type": "ECOSYSTEM"}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": []}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"fixed": "2"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": ["introduced"]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0", "fixed": "1"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"repaired": "1"}]}]},
        {"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": 0}]}]},
        {"ranges": "all"},
        {"versions": {"1": True}},
    ],
)
def test_what_cannot_be_understood_is_unknown(tmp_path: Path, members: dict[str, Any]) -> None:
    report = run(tmp_path, ["pkg:pypi/demo@1"], source(tmp_path, record("X-1", **members)))
    assert report.findings == ()
    assert [item.subject for item in report.unknown] == ["pkg:pypi/demo@1"]


def test_a_clean_alias_that_affects_settles_a_dirty_one(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1"],
        source(
            tmp_path,
            record("PYSEC-1", aliases=["CVE-1"], ranges=ordered({"introduced": "0"}, {"fixed": "soon"})),
            record("GHSA-1", aliases=["CVE-1"], ranges=BELOW_2),
        ),
    )
    assert [finding.id for finding in report.findings] == ["CVE-1"]
    assert report.unknown == ()


def test_withdrawn_advisories_do_not_match(tmp_path: Path) -> None:
    gone = record("X-1", ranges=BELOW_2, withdrawn="2024-01-01T00:00:00Z")
    report = run(
        tmp_path, ["pkg:pypi/demo@1"], source(tmp_path, gone, record("X-2", "other", ranges=BELOW_2))
    )
    assert (report.findings, report.unknown) == ((), ())


def test_only_withdrawn_advisories_for_an_ecosystem_are_no_coverage(tmp_path: Path) -> None:
    gone = record("X-1", ranges=BELOW_2, withdrawn="2024-01-01T00:00:00Z")
    report = run(tmp_path, ["pkg:pypi/demo@1"], source(tmp_path, gone))
    assert [item.reason for item in report.unknown] == ["the database holds no advisories for PyPI"]


def test_aliases_make_one_finding_even_through_a_third(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1"],
        source(
            tmp_path,
            record("PYSEC-2", aliases=["CVE-9"], ranges=BELOW_2),
            record("PYSEC-3", aliases=["GHSA-3"], ranges=ordered({"introduced": "0"}, {"fixed": "2.1"})),
            record(
                "SEC-4",
                aliases=["GHSA-3", "CVE-9"],
                ranges=BELOW_2,
                database_specific={"severity": "MODERATE"},
            ),
            record("PYSEC-5", aliases=["CVE-5"], ranges=BELOW_2),
        ),
    )
    assert [(finding.id, finding.aliases) for finding in report.findings] == [
        ("CVE-5", ("PYSEC-5",)),
        ("CVE-9", ("GHSA-3", "PYSEC-2", "PYSEC-3", "SEC-4")),
    ]
    assert report.findings[0].severity is Severity.UNKNOWN
    assert report.findings[1].severity is Severity.MEDIUM
    assert report.findings[1].fixed_versions == ("2.0", "2.1")


def test_aliases_are_followed_whatever_the_order(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1"],
        source(
            tmp_path,
            record("A-1", aliases=["X-1", "Z-1"], ranges=BELOW_2),
            record("B-1", aliases=["X-1"], ranges=BELOW_2),
            record("C-1", aliases=["Z-1"], ranges=BELOW_2),
        ),
    )
    assert [(finding.id, finding.aliases) for finding in report.findings] == [
        ("A-1", ("B-1", "C-1", "X-1", "Z-1"))
    ]


def test_severity_is_the_gravest_vector_of_the_group(tmp_path: Path) -> None:
    grave = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
    mild = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:L/I:L/A:N"
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1"],
        source(
            tmp_path,
            record("A-1", aliases=["CVE-1"], ranges=BELOW_2, severity=[{"type": "CVSS_V3", "score": mild}]),
            record("B-1", aliases=["CVE-1"], ranges=BELOW_2, severity=[{"type": "CVSS_V3", "score": grave}]),
            record(
                "C-1",
                aliases=["CVE-1"],
                ranges=BELOW_2,
                severity=[{"type": "CVSS_V4", "score": "CVSS:4.0/x"}],
            ),
        ),
    )
    (finding,) = report.findings
    assert (finding.score, finding.vector, finding.severity) == (7.5, grave, Severity.HIGH)


def test_known_exploitation_is_carried(tmp_path: Path) -> None:
    catalogue = json.dumps(
        {"dateReleased": "2026-11-23", "vulnerabilities": [{"cveID": "CVE-1", "dateAdded": "2025-02-03"}]}
    ).encode()
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1"],
        source(tmp_path, record("GHSA-1", aliases=["CVE-1"], ranges=BELOW_2)),
        exploited=read_exploited(catalogue, what="kev.json"),
    )
    assert report.findings[0].exploited_since == "2025-02-03"
    for broken in (b'{"vulnerabilities": [{}]}', b'{"vulnerabilities": 3}', b'{"vulnerabilities": []}'):
        with pytest.raises(MalformedError):
            read_exploited(broken, what="kev.json")


@pytest.mark.parametrize(
    ("dates", "earliest"),
    [
        (["2025-02-03T04:05:06.789Z", "2025-02-02T23:00:00-01:00"], "2025-02-03T00:00:00Z"),
        (["2025-13-01T00:00:00Z", None], ""),
        (["2025-01-01T00:00:00", 7], ""),
        (["0001-01-01T00:00:00+23:59", "soon"], ""),
    ],
)
def test_the_first_readable_date_of_publication_is_carried(
    tmp_path: Path, dates: list[Any], earliest: str
) -> None:
    first, second = (
        record(f"GHSA-{number}", aliases=["CVE-1"], ranges=BELOW_2, published=date)
        for number, date in enumerate(dates)
    )
    report = run(tmp_path, ["pkg:pypi/demo@1"], source(tmp_path, first, second))
    (finding,) = report.findings
    assert finding.published == earliest
    (result,) = vulns_predicate(report, started=DAY, finished=DAY)["scanner"]["result"]
    assert result["annotations"][0].get("published", "") == earliest


def test_local_build_of_an_affected_release_is_affected(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        ["pkg:pypi/demo@2.0%2Bcu118", "pkg:pypi/demo@2.1%2Bcu118"],
        source(tmp_path, record("X-1", ranges=ordered({"introduced": "0"}, {"last_affected": "2.0"}))),
    )
    assert [finding.purl for finding in report.findings] == ["pkg:pypi/demo@2.0%2Bcu118"]
    assert report.findings[0].fixed_versions == ()
    assert report.findings[0].finding().fix.startswith("no fixed version is known")


def test_unorderable_version_of_a_named_package_is_unknown(tmp_path: Path) -> None:
    report = run(tmp_path, ["pkg:pypi/demo@nightly"], source(tmp_path, record("X-1", ranges=BELOW_2)))
    assert [item.subject for item in report.unknown] == ["pkg:pypi/demo@nightly"]


@pytest.mark.parametrize(
    "purl", ["pkg:maven/org.x/demo@1", "pkg:npm/demo@1.0.0", "pkg:deb/debian/demo@1", "demo 1"]
)
def test_ecosystems_without_order_or_data_are_unknown(tmp_path: Path, purl: str) -> None:
    report = run(tmp_path, [purl], source(tmp_path, record("X-1", ranges=BELOW_2)))
    assert [item.subject for item in report.unknown] == [purl]
    assert report.coverage.checked == 0


def test_no_components_and_unopened_archives_are_unknown(tmp_path: Path) -> None:
    import_advisories([source(tmp_path, record("X-1", ranges=BELOW_2))], tmp_path / "a.sqlite")
    with Database.open(tmp_path / "a.sqlite") as database:
        report = match([], database, now=DAY, max_age=YEAR, uninspected=[Uninspected("lib/x.whl")])
    assert [item.subject for item in report.unknown] == ["artifact", "lib/x.whl"]


def test_data_is_as_old_as_its_oldest_source(tmp_path: Path) -> None:
    old = source(tmp_path, record("X-1", ranges=BELOW_2), name="old", date=DAY - YEAR - timedelta(days=1))
    new = source(tmp_path, record("X-2", "other", ranges=BELOW_2), name="new")
    report = run(tmp_path, ["pkg:pypi/demo@1"], old, new)
    assert [finding.id for finding in report.findings] == ["X-1"]
    assert [item.subject for item in report.unknown] == ["database"]
    assert "366 days old; 365 allowed" in report.unknown[0].reason


def test_data_exactly_as_old_as_allowed_is_fresh_and_data_from_the_future_is_not(tmp_path: Path) -> None:
    fresh = source(tmp_path, record("X-1", ranges=BELOW_2))
    assert run(tmp_path, ["pkg:pypi/a@1"], fresh, now=DAY + YEAR).unknown == ()
    (unknown,) = run(tmp_path, ["pkg:pypi/a@1"], fresh, now=DAY - timedelta(seconds=1)).unknown
    assert "in the future" in unknown.reason


def test_predicate_carries_the_published_members_and_the_coverage(tmp_path: Path) -> None:
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"
    report = run(
        tmp_path,
        ["pkg:pypi/demo@1", "pkg:hex/y@1"],
        source(tmp_path, record("X-1", ranges=BELOW_2, severity=[{"type": "CVSS_V3", "score": vector}])),
    )
    predicate = vulns_predicate(report, started=DAY, finished=DAY + timedelta(seconds=2))
    (result,) = predicate["scanner"]["result"]
    assert result["id"] == "X-1"
    assert result["severity"] == [
        {"method": "qualitative", "score": "high"},
        {"method": "cvss_v3", "score": "7.5"},
    ]
    assert result["annotations"][0]["purl"] == "pkg:pypi/demo@1"
    assert predicate["scanner"]["db"]["lastUpdate"] == "2026-11-23T00:00:00Z"
    assert predicate["metadata"] == {
        "scanStartedOn": "2026-11-23T00:00:00Z",
        "scanFinishedOn": "2026-11-23T00:00:02Z",
    }
    coverage = predicate[COVERAGE]
    assert (coverage["components"], coverage["checked"]) == (2, 1)
    assert coverage["unknown"] == [
        {"subject": "pkg:hex/y@1", "reason": "versions of ecosystem hex cannot be ordered"}
    ]
    assert coverage["database"]["oldestSourceDate"] == "2026-11-23T00:00:00Z"
    assert predicate["scanner"]["db"]["digest"] == coverage["database"]["digest"]


def test_same_records_give_the_same_digest_from_any_container_in_any_order(tmp_path: Path) -> None:
    records = [record(f"X-{number}", ranges=BELOW_2) for number in range(5)]
    digests = [import_advisories([source(tmp_path, *records)], tmp_path / "a.sqlite").digest]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for item in reversed(records):
            archive.writestr(f"{item['id']}.json", json.dumps(item, indent=2))
        archive.writestr("README.md", "not a record")
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "test", arcname="records")
    for name in ("all.zip", "all.tar.xz"):
        container = Source(path=tmp_path / name, name="test", date=DAY, licence="CC0-1.0")
        digests.append(import_advisories([container], tmp_path / "b.sqlite").digest)
    assert digests[0] == digests[1] == digests[2]
    changed = source(
        tmp_path, *records[:4], record("X-4", ranges=ordered({"introduced": "1"})), name="changed"
    )
    assert import_advisories([changed], tmp_path / "c.sqlite").digest != digests[0]


def test_import_refuses_what_could_never_match(tmp_path: Path) -> None:
    target = tmp_path / "a.sqlite"
    with pytest.raises(CouldNotCheckError, match="no advisory source"):
        import_advisories([], target)
    with pytest.raises(CouldNotCheckError, match="holds no advisory"):
        import_advisories([source(tmp_path)], target)
    with pytest.raises(ConfigError, match="not a collection"):
        import_advisories([Source(path=tmp_path / "x.csv", name="x", date=DAY, licence="")], target)
    with pytest.raises(ConfigError, match="cannot be read"):
        import_advisories([Source(path=tmp_path / "x.zip", name="x", date=DAY, licence="")], target)
    twice = Source(path=tmp_path, name="x", date=DAY, licence="")
    with pytest.raises(MalformedError, match="same name"):
        import_advisories([twice, twice], target)
    assert not target.exists()
    assert not list(tmp_path.glob(".advisories-*"))


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"id": ""}',
        '{"affected": []}',
        '{"id": "X", "affected": [1]}',
        '{"id": "X", "affected": {}}',
        "[]",
    ],
)
def test_import_refuses_what_is_not_osv_and_keeps_the_last_database(tmp_path: Path, text: str) -> None:
    good = import_advisories([source(tmp_path, record("X-1", ranges=BELOW_2))], tmp_path / "a.sqlite")
    bad = source(tmp_path, name="bad")
    (bad.path / "x.json").write_text(text)
    with pytest.raises(MalformedError, match=r"x\.json"):
        import_advisories([bad], tmp_path / "a.sqlite")
    with Database.open(tmp_path / "a.sqlite") as database:
        assert database.info.digest == good.digest


def test_import_refuses_a_second_record_of_one_id(tmp_path: Path) -> None:
    double = source(tmp_path, record("X-1", ranges=BELOW_2))
    (double.path / "copy.json").write_text(json.dumps(record("X-1", "other", ranges=BELOW_2)))
    with pytest.raises(MalformedError, match="a second record of X-1"):
        import_advisories([double], tmp_path / "a.sqlite")


def test_entries_without_a_package_are_counted(tmp_path: Path) -> None:
    nameless = {"id": "X-1", "affected": [{"ranges": []}, {"package": {"name": "x"}}]}
    info = import_advisories([source(tmp_path, nameless)], tmp_path / "a.sqlite")
    assert info.sources[0].unattributed == 2


def test_absent_foreign_and_altered_databases_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with pytest.raises(CouldNotCheckError, match="there is no advisory database"):
        Database.open(path)
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(EvidenceInvalidError, match="damaged"):
        Database.open(path)
    path.unlink()
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    with pytest.raises(CouldNotCheckError, match="another format"):
        Database.open(path)
    import_advisories([source(tmp_path, record("X-1", ranges=BELOW_2))], path)
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM bucket")
    connection.commit()
    connection.close()
    with (
        Database.open(path) as database,
        pytest.raises(EvidenceInvalidError, match="not what the database was made with"),
    ):
        database.lookup("PyPI", "demo")


@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        ("header", lambda value: value.replace(b"2026", b"2027"), "its header is not what"),
        ("index", lambda value: bytes(len(value)), "its index is not what"),
        ("index", lambda value: value[:-1], "contradicts itself"),
        ("header", lambda value: value.replace(b'"bits":0', b'"bits":40'), "its header is not what"),
    ],
)
def test_a_database_whose_head_was_altered_is_refused(
    tmp_path: Path, key: str, change: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "a.sqlite"
    import_advisories([source(tmp_path, record("X-1", ranges=BELOW_2))], path)
    connection = sqlite3.connect(path)
    (value,) = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    connection.execute("UPDATE meta SET value = ? WHERE key = ?", (change(value), key))
    connection.commit()
    connection.close()
    with pytest.raises(EvidenceInvalidError, match=said):
        Database.open(path)


def test_records_parsed_elsewhere_give_the_same_database(tmp_path: Path) -> None:
    records = [record(f"X-{number}", f"demo{number % 7}", ranges=BELOW_2) for number in range(900)]
    data = source(tmp_path, *records)
    here = import_advisories([data], tmp_path / "a.sqlite", processes=1)
    assert import_advisories([data], tmp_path / "b.sqlite", processes=2).digest == here.digest
    assert here.records == 900
    (data.path / "X-700.json").write_text('{"id": ""}')
    with pytest.raises(MalformedError, match=r"X-700\.json: an OSV record without an id"):
        import_advisories([data], tmp_path / "c.sqlite", processes=2)


def test_everything_held_can_be_read_back(tmp_path: Path) -> None:
    records = [record(f"X-{number}", f"demo-{number}", ranges=BELOW_2) for number in range(300)]
    import_advisories([source(tmp_path, *records)], tmp_path / "a.sqlite")
    with Database.open(tmp_path / "a.sqlite") as database:
        held = {package: [entry.id for entry in entries] for _, package, entries in database.packages()}
        assert held == {f"demo-{number}": [f"X-{number}"] for number in range(300)}
        assert database.lookup("PyPI", "demo-300") == ()


def test_example_advisories_say_what_is_publicly_known(tmp_path: Path) -> None:
    examples = Path(__file__).parents[3] / "examples" / "advisories"
    known = {  # first fixed version by CVE, from the projects' own release notes
        "h11@0.14.0": {"CVE-2025-43859": "0.16.0"},
        "starlette@0.38.0": {"CVE-2024-47874": "0.40.0", "CVE-2025-54121": "0.47.2"},
        "starlette@0.47.2": {"CVE-2025-62727": "0.49.1"},
        "starlette@0.49.1": {},
        "jinja2@2.11.3": {
            "CVE-2024-22195": "3.1.3",
            "CVE-2024-34064": "3.1.4",
            "CVE-2024-56326": "3.1.5",
            "CVE-2025-27516": "3.1.6",
        },
        "jinja2@3.1.4": {"CVE-2024-56201": "3.1.5", "CVE-2024-56326": "3.1.5", "CVE-2025-27516": "3.1.6"},
        "jinja2@3.1.6": {},
        "idna@3.6": {"CVE-2024-3651": "3.7"},
        "setuptools@69.1.1": {"CVE-2024-6345": "70.0.0", "CVE-2025-47273": "78.1.1"},
        "certifi@2023.5.7": {"CVE-2023-37920": "2023.07.22"},
    }
    origin = Source(path=examples, name="examples", date=DAY, licence="CC0-1.0")
    report = run(tmp_path, [f"pkg:pypi/{name}" for name in known], origin)
    found: dict[str, dict[str, str]] = {name: {} for name in known}
    for finding in report.findings:
        found[finding.purl.removeprefix("pkg:pypi/")][finding.id] = finding.fixed_versions[0]
    assert found == known
    assert all(finding.severity is not Severity.UNKNOWN for finding in report.findings)


def test_a_distributions_fixes_are_judged_by_its_release_and_source_package(tmp_path: Path) -> None:
    def fixed(identifier: str, ecosystem: str, version: str) -> dict[str, Any]:
        events = ordered({"introduced": "0"}, {"fixed": version})
        return record(identifier, "libx", ecosystem=ecosystem, ranges=events)

    data = source(
        tmp_path, fixed("DSA-1", "Debian:12", "1.2-1+deb12u1"), fixed("DSA-2", "Debian:13", "1.9-1")
    )
    import_advisories([data], tmp_path / "a.sqlite")
    binary = Component(
        purl="pkg:deb/debian/libx1@2:7?arch=amd64&distro=debian-12",
        name="libx1",
        version="2:7",
        source="libx",
        source_version="1.2-1",
    )
    unfixed, mended = binary, msgspec.structs.replace(binary, source_version="1.2-1+deb12u1")
    nowhere = msgspec.structs.replace(binary, purl="pkg:deb/debian/libx1@2:7?arch=amd64")
    other = msgspec.structs.replace(binary, purl="pkg:deb/debian/libx1@2:7?distro=debian-11")
    with Database.open(tmp_path / "a.sqlite") as database:
        reports = [
            match([item], database, now=DAY, max_age=YEAR) for item in (unfixed, mended, nowhere, other)
        ]
    assert [[finding.id for finding in report.findings] for report in reports] == [["DSA-1"], [], [], []]
    assert [[item.reason for item in report.unknown] for report in reports] == [
        [],
        [],
        ["the package URL does not say of which release of Debian it is"],
        ["the database holds no advisories for Debian:11"],
    ]


def test_a_debian_version_with_a_plus_is_not_a_local_build_of_another(tmp_path: Path) -> None:
    # 1.0+dfsg-1 is later than the fix in 1.0-2; its part before the plus, 1.0, is not
    events = ordered({"introduced": "0"}, {"fixed": "1.0-2"})
    data = source(tmp_path, record("DSA-1", "x", ecosystem="Debian:12", ranges=events))
    report = run(tmp_path, ["pkg:deb/debian/x@1.0%2Bdfsg-1?distro=debian-12"], data)
    assert (report.findings, report.unknown) == ((), ())


def test_the_highest_epss_probability_of_any_name_is_carried_and_its_date_counts(tmp_path: Path) -> None:
    scores = Signal(
        name="epss",
        date=DAY - YEAR - timedelta(days=2),
        licence="",
        attribution="",
        values={"CVE-1": 0.25, "CVE-2": 0.5, "CVE-3": 0.9},
    )
    data = source(
        tmp_path,
        record("GHSA-1", aliases=["CVE-1"], ranges=BELOW_2),
        record("PYSEC-1", aliases=["CVE-1", "CVE-2"], ranges=BELOW_2),
        record("PYSEC-9", ranges=BELOW_2),
    )
    import_advisories([data], tmp_path / "a.sqlite", epss=scores)
    with Database.open(tmp_path / "a.sqlite") as database:
        report = match(
            [Component(purl="pkg:pypi/demo@1", name="", version="")], database, now=DAY, max_age=YEAR
        )
    assert [(finding.id, finding.epss) for finding in report.findings] == [("CVE-1", 0.5), ("PYSEC-9", None)]
    assert [item.subject for item in report.unknown] == ["database"]
    predicate = vulns_predicate(report, started=DAY, finished=DAY)
    notes = [result["annotations"][0] for result in predicate["scanner"]["result"]]
    assert [note.get("epss") for note in notes] == [0.5, None]
    assert [item["name"] for item in predicate[COVERAGE]["database"]["sources"]] == ["test", "epss"]
