"""A violation that people waive: who may, what it takes, what is shown, and what an auditor verifies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

ID = "GHSA-2222-3333-4444"
PURL = "pkg:pypi/buoy@1.1.0"


def advise_against(project: Project) -> None:
    """Publish a critical advisory against every version."""
    record = {
        "schema_version": "1.6.0",
        "id": ID,
        "modified": "2026-11-22T00:00:00Z",
        "published": "2026-11-22T00:00:00Z",
        "summary": "Buoys can be moved by anyone.",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "buoy"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    }
    (project.folder.parent / "advisories" / f"{ID}.json").write_text(json.dumps(record), encoding="utf-8")


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")


def enrol(project: Project, key: Path, *roles: str) -> None:
    options = [word for role in roles for word in ("--role", role)]
    mail = f"{key.stem}@buoy.example"
    project.run("trust", "enrol", key.stem, "--key", f"{key}.pub", "--email", mail, *options)


@pytest.mark.parametrize("every", [False, True])
def test_two_people_waive_a_critical_vulnerability(released: Project, tmp_path: Path, *, every: bool) -> None:
    advise_against(released)
    released.run("ship", expect=1)
    ada, grace = released.keys
    scope = ["--term", ID, "--term", PURL, *(["--artifact", "any"] if every else [])]
    options = ["waive", "vulns.threshold", *scope, "--reason", "moored in a basin"]

    said = released.run(*options, "--until", day(20), "--key", ada, expect=1)
    assert "did not hold the role waiver-approver" in said
    enrol(released, ada, "approver", "waiver-approver")
    enrol(released, grace, "approver", "waiver-approver")
    said = released.run(*options, "--until", day(91), "--key", ada, expect=1)
    assert "holds for more than 90 days" in said
    said = released.run("waive", "vulns.exploited", *options[2:], "--until", day(20), "--key", ada, expect=2)
    assert f"hint: it has: vulns.threshold --term '{ID}' --term '{PURL}'" in said

    first = released.ask(*options, "--until", day(20), "--key", ada)
    assert [(item["severity"], item["owed"]) for item in first["covered"]] == [("critical", 1)]
    assert "waivers.incomplete" in released.run("gate", expect=1)
    said = released.run(*options, "--until", day(20), "--key", grace)
    assert f"covers     {ID} {PURL} (critical): enough people" in said

    report = tmp_path / "gate.json"
    said = released.run("gate", "--format", "conftest", "--output", report)
    exceptions = [item for check in json.loads(report.read_bytes()) for item in check.get("exceptions", [])]
    assert [item["metadata"]["term"] for item in exceptions] == [[ID, PURL]]
    assert "go together" in released.run("gate", "--format", "sarif", expect=2)
    assert "1 waived" in said
    assert "moored in a basin" in said
    assert "grace until" in released.run("explain")
    results = {item["code"]: item["status"] for item in released.ask("gate")["results"]}
    assert results["vulns.threshold"] == "waived"

    released.run("ship", *released.approving())
    assert released.ask("status")["inSync"] is True
    package = tmp_path / "audit.tar"
    released.run("audit", "export", "--output", package)
    root = sha256((released.home / "trust" / "trusted_root.json").read_bytes()).hexdigest()
    released.run("audit", "verify", package, "--fingerprint", f"sha256:{root}")


def test_an_author_of_the_source_does_not_waive(released: Project, tmp_path: Path) -> None:
    advise_against(released)
    released.run("ship", expect=1)
    dana = tmp_path / "dana.key"
    released.run("trust", "keygen", dana)
    enrol(released, dana, "waiver-approver")
    options = ["waive", "vulns.threshold", "--purl", PURL, "--reason", "mine", "--until", day(1)]
    said = released.run(*options, "--key", dana, expect=1)
    assert "the waiver would not count: it does not count: dana is an author of the source" in said
    said = released.run(*options[:-1], "tomorrow", "--key", dana, expect=2)
    assert "is no date" in said
