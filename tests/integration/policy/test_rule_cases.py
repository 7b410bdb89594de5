"""Each shipped rule with something that it lets pass and something that it does not.

What is expected is what the rule's description says. Evidence with everything in order gives no finding at
all, with every rule at level deny; each case then changes one thing.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import policy_scenario as s
import pytest
import rule_scenario as r

from pratique.policy.decision import Status
from pratique.policy.shipped import level_table

if TYPE_CHECKING:
    from collections.abc import Sequence

BUILD = "provenance/buildDefinition"
INPUT = f"{BUILD}/resolvedDependencies"
RUN = "provenance/runDetails/metadata"
COMPONENT = "sbom/components/0"
META = "sbom/metadata"
CHECKS = f"image/{r.FINDINGS.replace('/', '~')}"
BASE = f"image/{r.FACTS.replace('/', '~')}/base"
COVERAGE = f"vulns/{'https://pratique.dev/coverage'.replace('/', '~')}"
RESULTS = "vulns/scanner/result"
KEV = s.vulnerability("low", exploited="2026-01-01")
OTHER = "pkg:pypi/other@1"


class Bad(msgspec.Struct):
    """What is changed, and what the rule is to say of it: a part of its message, and its term."""

    changes: dict[str, Any]
    says: str
    term: Sequence[str] = ()
    data: dict[str, Any] = {}
    signers: dict[str, str] = {}
    requirements: dict[str, Any] = {}


def noted(score: str = "low", **notes: Any) -> dict[str, Any]:
    """Give a vulnerability with annotations changed; None deletes."""
    document = copy.deepcopy(s.vulnerability(score))
    document["annotations"][0].update(notes)
    for name in [name for name, value in notes.items() if value is None]:
        del document["annotations"][0][name]
    return document


def image(name: str, outcome: str, severity: str = "high") -> dict[str, Any]:
    return {
        "id": name,
        "result": outcome,
        "severity": severity,
        "title": "Title",
        "location": "/x",
        "fix": "Fix it",
    }


def check(name: str, outcome: str) -> list[dict[str, Any]]:
    others = [one for one in s.posture()["checks"] if one["id"] != name]
    return [*others, {"id": name, "result": outcome, "severity": "medium", "title": "T"}]


PLAIN = {"fixedVersions": [], "epss": 0.01, "published": "2026-11-20T00:00:00Z"}
CVE = ["CVE-2026-1", s.LOCKED]
CONFLICT = {"image/result": "FAILED", "image/failedTests": ["a"], CHECKS: None}

CASES: dict[str, list[Bad]] = {
    "posture.measured": [Bad({"posture/phase": "after-build"}, "no checks made before the build")],
    "posture.critical": [
        Bad(
            {"posture/checks/0/result": "fail"},
            "runner check runner.user failed: Not root",
            ["runner.user"],
        )
    ],
    "posture.high": [
        Bad(
            {"posture/checks/0/result": "unknown"},
            "runner check runner.user could not be checked",
            ["runner.user"],
            {"posture": {"max_unknown": 100}},
        )
    ],
    "posture.single-use": [
        Bad({"posture/checks": check("EPH-21", "unknown")}, "serves one build only (EPH-21)"),
        Bad({"posture/checks": s.posture()["checks"][:2]}, "serves one build only (EPH-21)"),
    ],
    "posture.keys": [
        Bad({"posture/checks": check("SEC-16", "fail")}, "keeps signing material from the build (SEC-16)"),
    ],
    "posture.unknown": [
        Bad(
            {
                "posture/checks": [
                    *s.posture()["checks"],
                    *[{"id": "X", "result": "unknown", "severity": "low"}] * 2,
                ]
            },
            "2 of 6 runner checks could not be made, and 25% may be",
        )
    ],
    "provenance.isolated": [
        Bad(
            {f"{BUILD}/internalParameters/isolation/network": "host"},
            "does not say that the build ran without",
        )
    ],
    "provenance.hermetic": [
        Bad({f"{BUILD}/internalParameters/isolation/class": "chroot"}, "does not show a hermetic build"),
        Bad({f"{BUILD}/internalParameters/isolation/namespaces": ["user"]}, "does not show a hermetic build"),
        Bad({f"{BUILD}/internalParameters/isolation/seccomp": "none"}, "does not show a hermetic build"),
        Bad({f"{BUILD}/internalParameters/isolation": None}, "does not show a hermetic build"),
    ],
    "provenance.inputs-pinned": [
        Bad({f"{INPUT}/1/digest": {"md5": "d" * 32}}, "input MarkupSafe has no digest", ["MarkupSafe"])
    ],
    "provenance.builder": [
        Bad(
            {"provenance/runDetails/builder/id": "https://ci.example/x"},
            "builder https://ci.example/x is neither the signer",
            ["https://ci.example/x"],
        )
    ],
    "provenance.source-clean": [
        Bad({f"{INPUT}/0/annotations/dirty": True}, "source source had uncommitted changes", ["source"])
    ],
    "provenance.source": [
        Bad({f"{INPUT}/0/annotations/kind": "dependency"}, "does not name the source among its inputs"),
    ],
    "provenance.source-expected": [
        Bad(
            {f"{INPUT}/0/uri": "git+https://evil.example/fork@abc"},
            "source git+https://evil.example/fork@abc is not one that the policy expects",
            ["git+https://evil.example/fork@abc"],
        ),
        Bad({f"{INPUT}/0/annotations/kind": "dependency"}, "source (none) is not one", ["(none)"]),
    ],
    "slsa.level": [
        Bad(
            {},
            "SLSA level 1, and level 2 is asked for; lacking: a hosted builder that the policy vouches for",
            data={"slsa": {"level": 2}},
        ),
        Bad({f"{BUILD}/externalParameters": {}}, "of SLSA level 0, and level 1 is asked for"),
        Bad(
            {"posture/checks": check("SEC-16", "fail")},
            "of SLSA level 2, and level 3 is asked for; lacking: signing keys out of the build's reach",
            data={"slsa": {"level": 3}},
            requirements={
                "vouch": [
                    {
                        "builder": f"{s.DOMAIN}/builder",
                        "signers": [f"{s.DOMAIN}/builder"],
                        "level": 3,
                        "reason": "audited",
                    }
                ]
            },
        ),
    ],
    "slsa.run": [
        Bad({f"{RUN}/startedOn": None}, "does not say which run of the builder"),
        Bad({f"{RUN}/finishedOn": "2026-11-23T09:00:00Z"}, "does not say which run of the builder"),
        Bad({f"{RUN}/finishedOn": "2026-11-23T11:30:00Z"}, "does not say which run of the builder"),
    ],
    "rebuild.identical": [
        Bad(
            {"rebuild/verdict": "different", "rebuild/differences": [{"member": "app.py"}]},
            "1 members differ: app.py",
            ["app.py"],
        )
    ],
    "rebuild.varied": [
        Bad(
            {"rebuild/varied": ["path"]},
            "varied fewer than 3 conditions",
            data={"rebuild": {"min_varied": 3}},
        )
    ],
    "sbom.components": [Bad({"sbom/components": []}, "no CycloneDX document that lists named components")],
    "sbom.artifact": [Bad({f"{META}/component/hashes/0/content": "0" * 64}, "does not name sha256:abab")],
    "sbom.locked": [
        Bad({"sbom/components/1": s.component("other", OTHER)}, f"component {OTHER} is not among", [OTHER])
    ],
    "sbom.author": [Bad({f"{META}/authors": []}, "does not say who made it")],
    "sbom.timestamp": [
        Bad({f"{META}/timestamp": "2026-11-24T00:00:00Z"}, "gives no time, before now"),
        Bad({f"{META}/timestamp": "yesterday"}, "gives no time, before now"),
    ],
    "sbom.tool": [
        Bad({f"{META}/tools/components/0/version": ""}, "which tool made it, and in which version")
    ],
    "sbom.format": [
        Bad({"sbom/specVersion": "1.2"}, "is of CycloneDX 1.2, version 1"),
        Bad({"sbom/serialNumber": None}, "serial number (none)"),
    ],
    "sbom.context": [Bad({f"{META}/lifecycles": [{"phase": "later"}]}, "does not say in which phase")],
    "sbom.versions": [Bad({f"{COMPONENT}/version": ""}, "1 of 1 components have no version, and 100%")],
    "sbom.identifiers": [Bad({f"{COMPONENT}/purl": None}, "1 of 1 components have no identifier, and 100%")],
    "sbom.producers": [Bad({f"{COMPONENT}/supplier": {"name": ""}}, "1 of 1 components have no producer")],
    "sbom.hashes": [
        Bad(
            {f"{COMPONENT}/hashes": [{"alg": "SHA-1", "content": "d" * 40}]}, "1 of 1 components have no hash"
        ),
        Bad({f"{COMPONENT}/hashes": [{"alg": "SHA-256", "content": "dd"}]}, "1 of 1 components have no hash"),
    ],
    "sbom.licences": [Bad({f"{COMPONENT}/licenses": []}, "1 of 1 components have no licence")],
    "sbom.dependencies": [
        Bad(
            {"sbom/dependencies/1/ref": "elsewhere"}, "1 of 1 components have no entry among the dependencies"
        ),
        Bad({"sbom/dependencies": None}, "1 of 1 components have no entry among the dependencies"),
    ],
    "licences.refused": [
        Bad(
            {f"{COMPONENT}/licenses": [{"license": {"id": "AGPL-3.0-only"}}]},
            "is under AGPL-3.0-only, which leaves no choice that is not refused",
            [s.LOCKED],
        )
    ],
    "licences.allowed": [
        Bad(
            {f"{COMPONENT}/licenses": [{"expression": "BSD-3-Clause AND Zlib"}]},
            "is under (BSD-3-Clause AND Zlib), which the allowed licences do not cover",
            [s.LOCKED],
        )
    ],
    "licences.known": [
        Bad(
            {f"{COMPONENT}/licenses": [{"license": {"name": "see LICENSE"}}]},
            "licence of 1 of 1 components is unknown",
        ),
        Bad({f"{COMPONENT}/licenses": None}, "licence of 1 of 1 components is unknown"),
    ],
    "dependencies.hashed": [
        Bad(
            {f"{INPUT}/1/digest": {"gitCommit": "d" * 40}},
            "is not pinned by SHA-256",
            [f"{s.LOCKED}?file_name=markupsafe.whl"],
        )
    ],
    "dependencies.source": [
        Bad({f"{COMPONENT}/purl": "pkg:npm/x@1"}, "pkg:npm/x@1 is from no approved source", ["pkg:npm/x@1"]),
        Bad(
            {f"{COMPONENT}/purl": f"{s.LOCKED}?repository_url=https:%2F%2Fmirror.example"},
            "is from https://mirror.example, which is not an approved registry",
            [f"{s.LOCKED}?repository_url=https:%2F%2Fmirror.example"],
        ),
    ],
    "dependencies.forbidden": [
        Bad({f"{COMPONENT}/purl": "pkg:pypi/evil@1"}, "pkg:pypi/evil@1 is forbidden", ["pkg:pypi/evil@1"])
    ],
    "dependencies.lookalike": [
        Bad({f"{COMPONENT}/purl": f"pkg:pypi/{name}@1"}, f"name looks like {twin}", [f"pkg:pypi/{name}@1"])
        for name, twin in {
            "reqeusts": "requests",  # moved
            "request5": "requests",  # changed
            "requets": "requests",  # less
            "requessts": "requests",  # more
            "scikit_learn": "scikit-learn",  # another separator
        }.items()
    ],
    "dependencies.new-unknown": [
        Bad({}, "nothing says which components are new", data={"dependencies": {"known": []}})
    ],
    "dependencies.cooldown": [
        Bad(
            {f"{COMPONENT}/properties": [{"name": "pratique:published", "value": "2026-11-20T00:00:00Z"}]},
            "is new, and was published less than 7 days ago",
            [s.LOCKED],
            {"dependencies": {"known": ["pkg:pypi/x"], "min_age_days": 7}},
        ),
        Bad(
            {},
            "is new, and was published less than 7 days ago",
            [s.LOCKED],
            {
                "dependencies": {
                    "known": ["pkg:pypi/x"],
                    "min_age_days": 7,
                    "published": {s.LOCKED: "2026-11-20T00:00:00Z"},
                }
            },
        ),
    ],
    "dependencies.age-unknown": [
        Bad(
            {},
            f"nothing says when 1 new components were published: {s.LOCKED}",
            data={"dependencies": {"known": ["pkg:pypi/x"], "min_age_days": 7}},
        )
    ],
    "vulns.threshold": [
        Bad({RESULTS: [s.vulnerability("high")]}, "is at or above the threshold high (severity high)", CVE)
    ],
    "vulns.exploited": [Bad({RESULTS: [KEV]}, "is known to be exploited", CVE)],
    "vulns.below-threshold": [Bad({RESULTS: [s.vulnerability("low")]}, "is below the threshold high", CVE)],
    "vulns.fixable": [Bad({RESULTS: [noted(fixedVersions=["3.0.3"])]}, "is fixed in 3.0.3", CVE)],
    "vulns.epss": [
        Bad({RESULTS: [noted(epss=0.4)]}, "likely to be exploited: EPSS 0.4", CVE),
        Bad(
            {RESULTS: [noted(epss=None)]},
            "likely to be exploited: EPSS 0.2",
            CVE,
            {"vulns": {"epss": {"CVE-2026-1": 0.2}}},
        ),
    ],
    "vulns.epss-unknown": [
        Bad({RESULTS: [noted(**PLAIN | {"epss": None})]}, "no EPSS probability is known of 1 findings")
    ],
    "vulns.age": [
        Bad(
            {RESULTS: [noted("high", published="2026-10-23T00:00:00Z")]},
            "is public for more than 30 days",
            CVE,
        )
    ],
    "vulns.age-unknown": [
        Bad(
            {RESULTS: [noted(**PLAIN | {"published": None})]}, "no date of publication is known of 1 findings"
        )
    ],
    "vulns.coverage": [
        Bad({f"{COVERAGE}/unknown": [{"subject": OTHER}]}, f"not judged: {OTHER}", [OTHER]),
    ],
    "vulns.database-age": [
        Bad(
            {"vulns/scanner/db/lastUpdate": "2026-08-01T00:00:00Z"},
            "the advisories are of 2026-08-01T00:00:00Z",
        )
    ],
    "vex.applied": [
        Bad(
            {RESULTS: [s.vulnerability("critical")], "vex": r.vex()},
            "counts as not_affected, says spiffe://pratique.local/vex: vulnerable_code_not_present",
            CVE,
        )
    ],
    "vex.unused": [
        Bad(
            {"vex": r.vex()},
            "a VEX statement is about CVE-2026-1, which the scan did not find",
            ["CVE-2026-1"],
        )
    ],
    "vex.reasoned": [
        Bad(
            {"vex": r.vex(justification="it is fine")},
            "VEX statement 0 (not_affected) gives no reason",
            ["0"],
        ),
        Bad({"vex": r.vex(timestamp="2026-12-01T00:00:00Z")}, "no date before the decision", ["0"]),
    ],
    "checks.present": [
        Bad(
            {},
            "no accepted test-result of kind fuzzing is there",
            ["fuzzing"],
            {"checks": {"required": ["fuzzing"]}},
        )
    ],
    "checks.readable": [
        Bad(
            {"tests": r.result("https://tool.example", "GREAT")},
            "the test-result says GREAT, of https://tool.example",
        ),
        Bad({"tests": {"result": "PASSED"}}, "the test-result says PASSED, of an unnamed tool"),
    ],
    "checks.passed": [
        Bad(
            {"tests": r.result("https://tool.example", "FAILED", failedTests=["a", "b"])},
            "https://tool.example failed: a, b",
            ["https://tool.example"],
        )
    ],
    "checks.warned": [
        Bad(
            {"tests": r.result("https://tool.example", "WARNED", warnedTests=["a"])},
            "https://tool.example warned: a",
            ["https://tool.example"],
        )
    ],
    "image.hardened": [
        Bad(
            {f"{CHECKS}/0": image("IMG-CFG-01", "fail")},
            "IMG-CFG-01 came to fail: Title, /x",
            ["IMG-CFG-01", "/x"],
        ),
        Bad(
            {f"{CHECKS}/0": image("IMG-CFG-01", "fail", "odd")},
            "IMG-CFG-01 came to fail",
            ["IMG-CFG-01", "/x"],
        ),
        Bad(CONFLICT, "came to FAILED: a"),
    ],
    "image.known": [
        Bad(
            {f"{CHECKS}/0": image("IMG-CFG-01", "unknown")},
            "IMG-CFG-01 came to unknown",
            ["IMG-CFG-01", "/x"],
        ),
    ],
    "image.base": [
        Bad({f"{CHECKS}/2": image("IMG-ORI-04", "fail")}, "IMG-ORI-04 came to fail", ["IMG-ORI-04", "/x"]),
        Bad(
            {f"{BASE}/name": "elsewhere.example/base"},
            "the base elsewhere.example/base",
            [f"sha256:{'a' * 64}"],
        ),
        Bad({f"{BASE}/digest": None}, "(no digest) is not one", ["registry.example/base:12"]),
        Bad({BASE: None}, "the base (unnamed) (no digest)", ["(none)"], {"image": {"scratch": False}}),
    ],
    "secrets.none": [
        Bad({f"{CHECKS}/1": image("IMG-SEC-01", "fail")}, "IMG-SEC-01 came to fail", ["IMG-SEC-01", "/x"]),
        Bad({"secrets/result": "FAILED", "secrets/failedTests": ["aws-key"]}, "came to FAILED: aws-key"),
    ],
    "workflow.passed": [
        Bad(
            {"workflow/result": "FAILED", "workflow/failedTests": ["unpinned-uses"]},
            "came to FAILED: unpinned-uses",
        )
    ],
    "workflow.event": [
        Bad({"posture/checks": check("CI-37", "fail")}, "what set off the build (CI-37: fail)"),
        Bad({"posture/checks": s.posture()["checks"][:3]}, "what set off the build (CI-37: not checked)"),
    ],
    "duties.authors": [
        Bad({f"{INPUT}/0/annotations/authors": []}, "does not name every author"),
        Bad({f"{INPUT}/0/annotations/authors": ["Alan"]}, "does not name every author"),
    ],
    "duties.builder": [
        Bad(
            {f"{INPUT}/0/annotations/authors": [f"Builder <{s.DOMAIN}/builder>"]},
            "signed evidence, and is an author of the source",
        )
    ],
    "duties.signers": [
        Bad(
            {},
            f"{s.DOMAIN}/builder signed both the provenance and the sbom",
            signers={"sbom": f"{s.DOMAIN}/builder"},
        )
    ],
    "duties.approvals": [
        Bad({"approvals": [{"person": "Ada Lovelace"}]}, "1 people who are no authors agreed, and 2 must"),
        Bad(
            {"approvals": [{"person": "Ada Lovelace"}, {"person": "ada  lovelace"}]},
            "1 people who are no authors",
        ),
        Bad(
            {"approvals": [{"person": "Ada Lovelace"}, {"person": "Alan Turing"}]},
            "1 people who are no authors",
        ),
    ],
    "windows.open": [
        Bad({}, "is in none of the deployment windows", data={"windows": {"open": [w]}})
        for w in (
            {"days": ["tue"], "begins": "09:00", "ends": "17:00"},
            {"days": ["mon"], "begins": "12:01", "ends": "17:00"},
            {"days": ["mon"], "begins": "09:00", "ends": "12:00"},
        )
    ],
    "windows.freeze": [
        Bad(
            {},
            "nothing passes from 2026-11-20T00:00:00Z to 2026-12-01T00:00:00+01:00: Black Friday",
            ["2026-11-20T00:00:00Z"],
            {
                "windows": {
                    "freezes": [
                        {
                            "begins": "2026-11-20T00:00:00Z",
                            "ends": "2026-12-01T00:00:00+01:00",
                            "reason": "Black Friday",
                        }
                    ]
                }
            },
        )
    ],
    "tee.present": [Bad({"tee": None}, "no accepted tee-result is there")],
    "tee.affirmed": [
        Bad({"tee/status": "warning"}, "the verifier's result on tpm2 is warning"),
        Bad({"tee/referenceValues": None}, "the verifier's result on tpm2 is affirming"),
        Bad({}, "the verifier's result on tpm2 is affirming", data={"tee": {"claims": ["amd-sev-snp"]}}),
    ],
    "tee.bound": [Bad({"tee/bound/nonce": "00"}, "was made for invocation i-1")],
}


def test_evidence_with_everything_in_order_gives_no_finding() -> None:
    decision = r.decide()
    assert {code: [one.msg for one in found] for code, found in r.findings(decision).items()} == {}
    assert {one.code for one in decision.with_status(Status.SKIPPED)} == {
        "vex.applied",
        "vex.reasoned",
        "vex.unused",
    }


def test_every_rule_has_a_bad_case() -> None:
    assert set(CASES) == set(level_table())


@pytest.mark.parametrize(
    ("code", "case"),
    [
        pytest.param(code, case, id=f"{code}-{number}")
        for code, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_a_rule_finds_what_it_is_about(code: str, case: Bad) -> None:
    decision = r.decide(case.changes, data=case.data, signers=case.signers, requirements=case.requirements)
    found = r.findings(decision)
    assert "engine.error" not in found, found["engine.error"]
    assert not decision.allowed
    assert code in found, {name: [one.msg for one in several] for name, several in found.items()}
    assert case.says in " / ".join(one.msg for one in found[code])
    assert tuple(case.term) in {one.term for one in found[code]}
