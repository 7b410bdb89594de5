"""What must not pass, and what its people are told: the reason, and what would cure it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Project

REPOSITORY = Path(__file__).resolve().parents[3]

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def advise_against(project: Project, fixed: str) -> None:
    """Publish an advisory: every version of the project before `fixed` can be broken into."""
    record = {
        "schema_version": "1.6.0",
        "id": "GHSA-2222-3333-4444",
        "modified": "2026-11-22T00:00:00Z",
        "published": "2026-11-22T00:00:00Z",
        "summary": "Buoys can be moved by anyone.",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "buoy"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}],
            }
        ],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    }
    file = project.folder.parent / "advisories" / "GHSA-2222-3333-4444.json"
    file.write_text(json.dumps(record), encoding="utf-8")


def test_a_tampered_artifact(released: Project, tmp_path: Path) -> None:
    name = released.ask("build", "--output", tmp_path)["artifact"]["name"]
    data = bytearray((tmp_path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / name).write_bytes(data)
    said = released.run("gate", tmp_path / name, expect=1)
    assert f"no evidence is about these bytes, {'sha256:'}" in said
    assert "changed since" in said
    assert "cure: Make it with: pratique build" in said
    assert "policy refuses it" in released.run("deploy", tmp_path / name, expect=1)


def test_a_component_that_has_become_vulnerable(released: Project) -> None:
    advise_against(released, fixed="2.0")
    refused = released.ask("ship", expect=1)
    assert refused["arrival"] == "refused"
    assert refused["scan"]["vulnerabilities"] == ["GHSA-2222-3333-4444 in pkg:pypi/buoy@1.1.0"]
    said = released.run("ship", expect=1)
    assert "vulns.threshold" in said
    assert "GHSA-2222-3333-4444" in said
    assert "cure:" in said
    assert released.ask("status")["inSync"] is True  # what is live is told of, not torn down


def test_a_build_that_nobody_can_repeat(bare_project: Project) -> None:
    example = REPOSITORY / "examples" / "negative" / "unreproducible"
    for name in ("backend", "src", "pyproject.toml"):
        (shutil.copytree if (example / name).is_dir() else shutil.copy)(
            example / name, bare_project.folder / name
        )
    bare_project.git("add", "--all")
    who = ["-c", "user.name=Dana", "-c", "user.email=dana@buoy.example"]
    bare_project.git(*who, "commit", "--quiet", "--message", "stamp")
    bare_project.run("trust", "init")
    said = bare_project.run("ship", expect=1)
    assert "DIFFERENT: stamped-1.0.0.dist-info/RECORD, stamped/_stamp.py" in said
    assert "rebuild.identical" in said
    assert "cure:" in said


def test_evidence_that_is_missing_and_evidence_by_somebody_else(released: Project, tmp_path: Path) -> None:
    released.release("1.2.0")
    released.run("build")
    said = released.run("gate", expect=1)
    assert "no accepted rebuild evidence; rebuilder may sign it" in said
    assert "cure: Make it with: pratique rebuild" in said

    claim = tmp_path / "claim.json"
    claim.write_text('{"verdict": "bit-identical"}', encoding="utf-8")
    released.run("attest", "--type", "rebuild", "--predicate", claim, "--key", released.keys[0])
    said = released.run("gate", expect=1)
    assert "no accepted rebuild evidence; rebuilder may sign it" in said
    assert "rebuild" in said
    assert "key:sha256:" in said  # whose claim was looked at, and set aside
    assert released.ask("rebuild")["identical"]
    assert "evidence.rebuild" not in released.run("gate", expect=1)


def test_authors_and_strangers_cannot_approve(released: Project, tmp_path: Path) -> None:
    dana, stranger = tmp_path / "dana.key", tmp_path / "stranger.key"
    for key in (dana, stranger):
        released.run("trust", "keygen", key)
    released.run(
        "trust", "enrol", "dana", "--key", f"{dana}.pub", "--email", "dana@buoy.example", "--role", "approver"
    )
    said = released.run("approve", "--key", dana, expect=1)
    assert "dana is an author of the source (Dana <dana@buoy.example>)" in said
    said = released.run("approve", "--key", stranger, expect=1)
    assert "is not enrolled" in said
    assert "pratique trust enrol NAME" in said


def test_a_roll_back_to_what_has_become_vulnerable(released: Project) -> None:
    before = released.ask("status")
    advise_against(released, fixed="1.1.0")
    said = released.run("rollback", expect=1)
    assert "today's policy refuses it" in said
    assert "hint: pratique explain sha256:" in said
    assert released.ask("status")["history"] == before["history"]
