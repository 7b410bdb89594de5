"""A vulnerability that somebody answers for: the scan marks it, the gate lets it pass, and both show it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

ID = "GHSA-2222-3333-4444"
PURL = "pkg:pypi/buoy@1.1.0"


def advise_against(project: Project) -> None:
    record = {
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


def cyclonedx_vex(path: Path, state: str = "not_affected") -> Path:
    moment = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"timestamp": moment},
        "vulnerabilities": [
            {
                "id": ID,
                "analysis": {"state": state, "detail": "Ours is moored in a basin."},
                "affects": [{"ref": PURL}],
            }
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_statement_by_whom_the_policy_names_is_marked_and_lets_pass(
    released: Project, tmp_path: Path
) -> None:
    advise_against(released)
    released.run("ship", expect=1)
    ada = released.keys[0]
    converted = tmp_path / "openvex.json"
    released.run(
        "vex", "convert", cyclonedx_vex(tmp_path / "cdx.json"), "--author", "ada", "--output", converted
    )
    released.run("attest", "--type", "vex", "--predicate", converted, "--key", ada)

    # Ada may approve deployments; nobody said that her word on vulnerabilities counts.
    unheard = released.ask("scan", expect=0)
    assert (len(unheard["vulnerabilities"]), unheard["suppressed"]) == (1, [])
    assert "vulns.threshold" in released.run("gate", expect=1)

    public = load_pem_public_key(ada.with_name("ada.key.pub").read_bytes())
    digest = sha256(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    name = f"key:sha256:{digest}"
    heard = f'\n[policy.trust.roles.vex]\nsigners = ["{name}"]\nmay_sign = ["vex"]\n'
    released.write("pratique.toml", released.read("pratique.toml") + heard)
    scanned = released.ask("scan", expect=0)
    (found,) = scanned["vulnerabilities"]
    assert found == f"{ID} in {PURL}"
    (marked,) = scanned["suppressed"]
    assert marked.startswith(f"{ID} in {PURL}: ")
    said = released.run("gate")
    assert "PASSED" in said
    assert "vex.applied" in said
    assert "vex.unused" not in said
    # The same word again is nothing new to journal.
    assert released.ask("scan")["vulns"] == scanned["vulns"]
