"""Matching against what the Python and Go projects really published."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from pratique.scan.catalog import catalog
from pratique.scan.component import Component
from pratique.scan.match import MatchReport, match
from pratique.scan.versions import pep440_key, semver_key

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.scan.database import Database

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def run(database: Database, *purls: str) -> MatchReport:
    components = [Component(purl=purl, name="", version="") for purl in purls]
    return match(components, database, now=NOW, max_age=timedelta(days=3650))


def test_everything_was_imported_and_the_age_is_that_of_the_oldest_source(advisories: Database) -> None:
    info = advisories.info
    assert {source.name: source.records for source in info.sources} == {
        "pypa/advisory-database": 2661,
        "golang/vulndb": 4291,
    }
    assert info.oldest == datetime(2024, 10, 10, tzinfo=UTC)
    assert info.ecosystems == ("Go", "PyPI")
    assert [(signal.name, signal.records) for signal in info.signals] == [("kev", 1404)]
    assert info.signals[0].date == datetime(2025, 8, 25, 17, 4, 19, tzinfo=UTC)


@pytest.mark.parametrize(
    ("purl", "identifier", "fixed"),
    [
        # first fixed versions as the projects announced them
        ("pkg:pypi/idna@3.6", "CVE-2024-3651", "3.7"),
        ("pkg:pypi/jinja2@2.10", "CVE-2019-10906", "2.10.1"),
        ("pkg:pypi/certifi@2023.5.7", "CVE-2023-37920", "2023.7.22"),
        ("pkg:pypi/setuptools@65.5.0", "CVE-2022-40897", "65.5.1"),
        ("pkg:pypi/django@3.2", "CVE-2021-44420", "3.2.10"),
        ("pkg:pypi/requests@2.30.0", "CVE-2023-32681", "2.31.0"),
        ("pkg:pypi/urllib3@2.0.5", "CVE-2023-43804", "2.0.6"),
        ("pkg:golang/github.com/gin-gonic/gin@v1.6.0", "CVE-2020-28483", "1.7.7"),
        ("pkg:golang/golang.org/x/text@v0.3.6", "CVE-2021-38561", "0.3.7"),
        ("pkg:golang/golang.org/x/net@v0.16.0", "CVE-2023-39325", "0.17.0"),
    ],
)
def test_known_vulnerability_is_found_and_gone_in_the_fixed_version(
    advisories: Database, purl: str, identifier: str, fixed: str
) -> None:
    base = purl.partition("@")[0]
    version = f"v{fixed}" if "golang" in purl else fixed
    before, after = run(advisories, purl), run(advisories, f"{base}@{version}")
    (finding,) = [item for item in before.findings if item.id == identifier]
    assert [Version(text) for text in finding.fixed_versions] == [Version(fixed)]
    assert identifier not in {item.id for item in after.findings}
    assert before.unknown == after.unknown == ()


def test_known_exploited_vulnerability_says_so(advisories: Database) -> None:
    # CVE-2020-11652 (SaltStack directory traversal) is in the catalogue since 2021-11-03.
    report = run(advisories, "pkg:pypi/salt@2019.2.3")
    assert {finding.id: finding.exploited_since for finding in report.findings}[
        "CVE-2020-11652"
    ] == "2021-11-03"


@pytest.mark.parametrize("name", ["steam", "binderhub"])
def test_dirty_records_are_unknown(advisories: Database, name: str) -> None:
    # steam: `fixed: 2019-09-12`; binderhub: `fixed: 0.2.0-n653`
    report = run(advisories, f"pkg:pypi/{name}@0.1.0")
    assert [item.subject for item in report.unknown] == [f"pkg:pypi/{name}@0.1.0"]


def test_withdrawn_record_is_silent(advisories: Database) -> None:
    # PYSEC-2022-15, withdrawn, has neither ranges nor versions
    assert run(advisories, "pkg:pypi/loguru@0.5.0").unknown == ()


def test_fixed_and_introduced_in_one_version_is_affected_from_there(advisories: Database) -> None:
    # PYSEC-2022-236 (pyspark): "fixed 3.1.1, introduced 3.1.1, fixed 3.1.3"
    report = run(advisories, "pkg:pypi/pyspark@3.1.1", "pkg:pypi/pyspark@3.1.3")
    assert {finding.purl for finding in report.findings if finding.id == "CVE-2022-33891"} == {
        "pkg:pypi/pyspark@3.1.1"
    }


def test_advisories_of_one_cve_are_one_finding(advisories: Database) -> None:
    report = run(advisories, "pkg:pypi/tensorflow@2.4.0", "pkg:pypi/django@3.2", "pkg:pypi/pillow@8.0.0")
    for purl in {finding.purl for finding in report.findings}:
        identifiers = [
            identifier
            for finding in report.findings
            if finding.purl == purl
            for identifier in (finding.id, *finding.aliases)
        ]
        assert len(identifiers) == len(set(identifiers))


def test_a_real_wheel_is_matched_from_its_file(advisories: Database, test_data: Path) -> None:
    found = catalog(test_data / "evidence" / "pypi" / "rfc8785-0.1.2-py3-none-any.whl")
    report = match(found.components, advisories, now=NOW, max_age=timedelta(days=3650))
    assert (report.findings, report.unknown, report.coverage.checked) == ((), (), 1)


def test_pypi_and_semver_order_agrees_with_the_vers_cases(test_data: Path) -> None:
    """package-url/vers-spec's own comparison and containment cases, where they concern our two schemes."""
    import tarfile  # noqa: PLC0415 - here alone

    with tarfile.open(test_data / "specs" / "vers-tests.tar.xz") as tar:
        stream = tar.extractfile("tests/pypi_range_containment_test.json")
        assert stream is not None
        cases = json.load(stream)["tests"]
    compared = 0
    for case in cases:
        for part in case["input"]["vers"].removeprefix("vers:pypi/").split("|"):
            bound = part.lstrip("<>=!*")
            if bound:
                assert (pep440_key(bound) < pep440_key(case["input"]["version"])) == (
                    Version(bound) < Version(case["input"]["version"])
                )
                compared += 1
    assert compared > 0
    # SemVer 2.0.0 §11.4, the specification's own example
    chain = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    versions = [*(f"1.0.0-{part}" for part in chain), "1.0.0"]
    assert sorted({*versions}, key=semver_key) == versions
