"""OpenVEX: statements mark findings and never hide them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import MalformedError
from pratique.scan.component import Component
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.match import MatchReport, match
from pratique.scan.openvex import Statement, Status, openvex_document, read_openvex
from pratique.scan.sources import Source
from pratique.scan.vulns import COVERAGE, vulns_predicate

if TYPE_CHECKING:
    from pathlib import Path

DAY = datetime(2026, 11, 23, tzinfo=UTC)


def say(
    product: str, status: Status = Status.NOT_AFFECTED, *, name: str = "CVE-1", **members: Any
) -> Statement:
    values = {"id": f"{name} {product} {status}", "reason": "not called", "moment": DAY} | members
    return Statement(vulnerabilities=(name,), product=product, status=status, **values)


def run(folder: Path, *statements: Statement) -> MatchReport:
    affected = {
        "package": {"ecosystem": "PyPI", "name": "demo"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}],
    }
    (folder / "osv").mkdir()
    (folder / "osv" / "x.json").write_text(
        json.dumps({"id": "GHSA-1", "aliases": ["CVE-1"], "modified": "", "affected": [affected]})
    )
    import_advisories(
        [Source(path=folder / "osv", name="t", date=DAY, licence="CC0-1.0")], folder / "a.sqlite"
    )
    with Database.open(folder / "a.sqlite") as database:
        return match(
            [Component(purl="pkg:pypi/demo@1.0", name="demo", version="1.0")],
            database,
            now=DAY,
            max_age=timedelta(days=1),
            statements=statements,
            artifact=frozenset({"pkg:pypi/app@3"}),
        )


@pytest.mark.parametrize(
    "statement",
    [
        say("pkg:pypi/demo@1.0"),
        say("pkg:pypi/demo", Status.FIXED),
        say("pkg:pypi/Demo@1.0", name="GHSA-1"),
        say("pkg:pypi/app@3", subcomponents=("pkg:pypi/demo@1.0",)),
        say("pkg:pypi/app@3"),  # the artifact as a whole
    ],
)
def test_a_statement_marks_the_finding_and_the_evidence_says_so(tmp_path: Path, statement: Statement) -> None:
    report = run(tmp_path, statement)
    assert [(item.id, item.suppressed) for item in report.findings] == [("CVE-1", statement.id)]
    assert report.unused == ()
    (result,) = vulns_predicate(report, started=DAY, finished=DAY)["scanner"]["result"]
    assert result["annotations"][0]["suppressedBy"] == statement.id


@pytest.mark.parametrize(
    "statement",
    [
        say("pkg:pypi/demo@1.1"),
        say("pkg:pypi/other@1.0"),
        say("pkg:npm/demo@1.0"),
        say("pkg:pypi/demo@1.0", moment=DAY + timedelta(seconds=1)),
        say("pkg:pypi/demo@1.0?file_name=x"),
        say("pkg:pypi/demo@1.0", name="CVE-2"),
        say("pkg:pypi/other-app@3", subcomponents=("pkg:pypi/demo@1.0",)),
        say("https://example.com/demo"),
    ],
)
def test_a_statement_on_something_else_is_reported_as_unused(tmp_path: Path, statement: Statement) -> None:
    report = run(tmp_path, statement)
    assert [item.suppressed for item in report.findings] == [""]
    assert report.unused == (statement.id,)
    predicate = vulns_predicate(report, started=DAY, finished=DAY)
    assert predicate[COVERAGE]["unusedStatements"] == [statement.id]
    assert "suppressedBy" not in predicate["scanner"]["result"][0]["annotations"][0]


@pytest.mark.parametrize("status", [Status.AFFECTED, Status.UNDER_INVESTIGATION])
@pytest.mark.parametrize("later", [timedelta(), timedelta(seconds=1)])
def test_a_later_or_graver_word_holds(tmp_path: Path, status: Status, later: timedelta) -> None:
    purl = "pkg:pypi/demo@1.0"
    report = run(tmp_path, say(purl, status, moment=DAY + later), say(purl))
    assert [item.suppressed for item in report.findings] == [""]
    assert report.unused == ()


def test_what_is_written_is_read_back() -> None:
    statements = (
        say("pkg:pypi/app@3", subcomponents=("pkg:pypi/demo@1.0", "pkg:pypi/b")),
        say("pkg:pypi/demo", Status.AFFECTED, reason=""),
    )
    document = openvex_document(statements, identifier="https://x/vex/1", author="a", created=DAY)
    assert read_openvex(json.dumps(document).encode(), what="vex.json") == statements


def document(**members: Any) -> bytes:
    statement = {
        "vulnerability": {"name": "CVE-1"},
        "products": [{"@id": "pkg:npm/a@1"}],
        "status": "fixed",
    } | members
    head = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "d", "timestamp": "2026-01-01T00:00:00Z"}
    return json.dumps(head | {"statements": [statement]}).encode()


def test_the_first_form_and_identifiers_are_read() -> None:
    (old,) = read_openvex(
        document(vulnerability="CVE-1", products=["pkg:npm/a@1"], subcomponents=["pkg:npm/b@1"]), what="v"
    )
    assert (old.id, old.product, old.subcomponents) == ("d#0", "pkg:npm/a@1", ("pkg:npm/b@1",))
    (new,) = read_openvex(
        document(products=[{"@id": "urn:x", "identifiers": {"purl": "pkg:npm/c@1"}}]), what="v"
    )
    assert new.product == "pkg:npm/c@1"


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"@context": "https://openvex.dev/ns", "statements": 1}',
        document(status="maybe"),
        document(status="not_affected"),
        document(products=[]),
        document(products=[{}]),
        document(products=[{"@id": "pkg:npm/a@1", "subcomponents": 5}]),
        document(products=["pkg:npm/a@1"], subcomponents={"a": 1}),
        document(vulnerability={}),
        document(timestamp="yesterday"),
        document(timestamp="2026-01-01T00:00:00"),
    ],
)
def test_what_the_specification_forbids_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"vex\.json"):
        read_openvex(data, what="vex.json")
