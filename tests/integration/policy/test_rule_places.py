"""Where the shipped rules say their findings are, evaluated by the engine."""

from __future__ import annotations

from typing import Any

import policy_scenario as s
import pytest
import rule_scenario as r

from pratique.policy.places import Place

INPUTS = "provenance/buildDefinition/resolvedDependencies"
CHECKS = "image/https:~~pratique.dev~findings"
SEEN = {"occurrences": [{"location": "lib/METADATA"}]}
H11 = "pkg:pypi/h11@0.14.0"
SETUID = {"id": "IMG-FIL-02", "result": "fail", "severity": "high", "title": "T", "location": "/usr/bin/su"}


def failing(**members: Any) -> dict[str, Any]:
    return {"id": "KRN-01", "result": "fail", "severity": "critical", "title": "T"} | members


@pytest.mark.parametrize(
    ("changes", "code", "expected"),
    [
        ({"vulns/scanner/result": [s.vulnerability("critical")], "sbom/components/0/evidence": SEEN},
         "vulns.threshold", [Place(component=s.LOCKED, member="lib/METADATA")]),
        ({"vulns/scanner/result": [s.vulnerability("critical")]},
         "vulns.threshold", [Place(component=s.LOCKED)]),
        ({"sbom/components/1": s.component("h11", H11, evidence=SEEN)},
         "sbom.locked", [Place(component=H11, member="lib/METADATA")]),
        ({"sbom/components/0/licenses": None}, "sbom.licences", [Place(component=s.LOCKED)]),
        ({"sbom/components/0/licenses": [{"license": {"id": "AGPL-3.0-only"}}]},
         "licences.refused", [Place(component=s.LOCKED)]),
        ({f"{INPUTS}/1/digest": {"sha1": "0" * 40}}, "provenance.inputs-pinned", [Place(input="MarkupSafe")]),
        ({f"{INPUTS}/0/uri": "git+https://elsewhere.example/x"},
         "provenance.source-expected", [Place(input="git+https://elsewhere.example/x")]),
        ({"posture/checks/4": failing(location="/etc/passwd")},
         "posture.critical", [Place(check="KRN-01", file="/etc/passwd")]),
        ({"posture/checks/4": failing(location="PATH")},
         "posture.critical", [Place(check="KRN-01", part="PATH")]),
        ({"posture/checks/4": failing()}, "posture.critical", [Place(check="KRN-01")]),
        ({"posture/checks/4": failing(location=7)}, "posture.critical", [Place(check="KRN-01", part="7")]),
        ({"posture/checks/2/result": "unknown"}, "posture.single-use", [Place(check="EPH-21")]),
        ({"posture/checks/3/result": "fail"}, "workflow.event", [Place(check="CI-37")]),
        ({f"{CHECKS}/0": SETUID}, "image.hardened", [Place(check="IMG-FIL-02", member="/usr/bin/su")]),
        ({f"{CHECKS}/0": SETUID | {"location": "layer 2 (abc): etc/x"}},
         "image.hardened", [Place(check="IMG-FIL-02", part="layer 2 (abc): etc/x")]),
        ({f"{CHECKS}/0": SETUID | {"id": "IMG-SEC-01"}},
         "secrets.none", [Place(check="IMG-SEC-01", member="/usr/bin/su")]),
        ({"rebuild/differences": [{"member": "b.py"}, {"member": "a.py"}], "rebuild/verdict": "different"},
         "rebuild.identical", [Place(member="a.py"), Place(member="b.py")]),
        ({"provenance/buildDefinition/internalParameters/isolation/network": "host"},
         "provenance.isolated", []),
    ],
)  # fmt: skip
def test_where(changes: dict[str, Any], code: str, expected: list[Place]) -> None:
    found = r.findings(r.decide(changes))
    assert code in found, sorted(found)
    assert [list(finding.locations) for finding in found[code]] == [expected]
