"""The shipped profiles on what was really built: what each asks for, and who can give it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

DEPENDENCY = "h11"
HARBOUR = Path(__file__).resolve().parents[3] / "examples" / "harbour"

# The machine that runs the tests is as it is; what the builder does on it is asked in full.
HIGH = """
[policy]
profile = "high"

[policy.data.levels]
"posture.critical" = "warn"
"posture.high" = "warn"
"posture.unknown" = "warn"
"""

# What somebody has to know and to answer for; no command can make it.
ANSWERED = """
[policy.data.dependencies]
known = ["pkg:pypi/h11"]

[[policy.trust.vouch]]
builder = "spiffe://{trust_domain}/builder"
signers = ["spiffe://{trust_domain}/builder"]
level = 3
reason = "stands for a hosted platform that keeps its keys in a token"
"""


def statuses(decision: dict[str, Any], *status: str) -> dict[str, str]:
    """The cure by code of the results of some statuses."""
    return {
        item["code"]: item.get("solution", "") for item in decision["results"] if item["status"] in status
    }


def level(project: Project) -> list[str]:
    """The level in the VSA of the newest decision."""
    project.run("gate", "--format", "vsa", "--output", "vsa.json")
    found = re.search(r'"verifiedLevels":\s*(\[[^\]]*\])', project.read("vsa.json"))
    assert found
    return re.findall(r'"([^"]+)"', found[1])


def configured(project: Project, policy: str) -> None:
    """Give the project this policy."""
    text = project.read("pratique.toml")
    start, end = text.index("[policy"), text.index("[environments")
    project.write("pratique.toml", text[:start] + policy.lstrip() + "\n" + text[end:])


@pytest.fixture
def application(project: Project, tmp_path: Path) -> Project:
    """An application with one locked dependency and a licence, on advisories of today."""
    lock = (HARBOUR / "requirements.lock").read_text(encoding="utf-8")
    entry = re.search(rf"^{DEPENDENCY}==.*(?:\n .*)*", lock, re.MULTILINE)
    assert entry
    project.write("requirements.lock", entry[0] + "\n")
    text = project.read("pratique.toml")
    text = text.replace('"python-wheel"', '"python-app"\ndependencies = "requirements.lock"')
    text = re.sub(r"^date = .*$", f"date = {datetime.now(UTC).date()}", text, flags=re.MULTILINE)
    project.write("pratique.toml", text)
    project.write("buoy/__init__.py", '"""A buoy."""\n\nimport h11  # noqa: F401\n')
    # Neither this machine's tokens nor its user's keys are the builder's.
    (tmp_path / "user").mkdir()
    kept = {"PATH", "PRATIQUE_HOME", "LANG", "TMPDIR"}
    project.environment = {key: value for key, value in project.environment.items() if key in kept}
    project.environment["HOME"] = str(tmp_path / "user")
    return project


def commit(project: Project) -> None:
    # The policy is kept apart from the source, so that another one means no new commit.
    (project.folder / ".git" / "info" / "exclude").write_text("pratique.toml\n*.json\n", encoding="utf-8")
    project.git("rm", "-q", "--cached", "pratique.toml")
    project.release("1.0.0")
    described = project.read("pyproject.toml").replace(
        'name = "buoy"', 'name = "buoy"\nlicense = "Apache-2.0"\ndependencies = ["h11"]'
    )
    project.write("pyproject.toml", described)
    project.git("-c", "user.name=Dana", "-c", "user.email=dana@buoy.example", "commit", "-qam", "a licence")


def test_high_says_what_is_missing_and_passes_what_has_it(application: Project) -> None:
    configured(application, HIGH)
    commit(application)
    application.run("build")
    refused = application.ask("gate", expect=1)
    owed = {
        code: cure for code, cure in statuses(refused, "violation").items() if code.startswith("evidence.")
    }
    assert owed == {
        "evidence.rebuild": "Make it with: pratique rebuild",
        "evidence.sbom": "Make it with: pratique scan",
        "evidence.vulns": "Make it with: pratique scan",
    }

    # With all evidence there, what is missing is what only a person can say.
    application.run("rebuild")
    application.run("scan")
    refused = application.ask("gate", expect=1)
    missing = statuses(refused, "violation", "error")
    assert set(missing) == {"slsa.level", "dependencies.age-unknown", "dependencies.new-unknown"}
    assert "vouch for it" in missing["slsa.level"]
    assert "under dependencies.known" in missing["dependencies.new-unknown"]
    shown = application.run("gate", expect=1)
    assert "level 1, and level 3 is asked for" in shown
    assert all(f"cure: {cure[:40]}" in shown for cure in missing.values())

    configured(application, HIGH + ANSWERED)
    passed = application.ask("gate")
    assert statuses(passed, "violation", "error") == {}
    asked_of_the_build = {"slsa.level", "posture.keys", "posture.single-use", "sbom.hashes", "sbom.licences"}
    assert asked_of_the_build <= set(statuses(passed, "success"))
    assert level(application) == ["SLSA_BUILD_LEVEL_3"]
    assert "waits for" in application.run("ship", expect=6)
    assert "LIVE" in application.run("ship", *application.approving())
    for laxer in ("shipped:starter", "shipped:standard"):
        application.run("policy", "eval", laxer, "--data", 'levels={"posture.critical":"warn"}')


def test_starter_asks_for_provenance_a_bill_of_materials_and_a_scan(project: Project) -> None:
    configured(project, '[policy]\nprofile = "starter"\ndata.vulns.max_database_age_days = 36500\n')
    project.release("1.0.0")
    project.run("build")
    refused = project.ask("gate", expect=1)
    assert set(statuses(refused, "violation")) == {"evidence.sbom", "evidence.vulns"}
    project.run("scan")
    passed = project.ask("gate")
    assert statuses(passed, "violation", "error") == {}
    assert "rebuild.identical" in statuses(passed, "skipped")
    assert level(project) == ["SLSA_BUILD_LEVEL_1"]
    stricter = project.ask("policy", "eval", "shipped:standard", expect=1)
    assert statuses(stricter, "violation")["evidence.rebuild"] == "Make it with: pratique rebuild"
