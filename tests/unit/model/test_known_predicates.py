"""Examples are those of the specifications (in-toto/attestation spec/predicates, slsa.dev), shortened."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from pratique.errors import MalformedError
from pratique.model.known_predicates import TYPES, check_predicate

DIGEST = {"sha256": "3b0d19b348f1e46a571c6e9df32897637c20dd9803261c2fc9cbe38b0c8422c4"}
IN_TOTO = "https://in-toto.io/attestation"

EXAMPLES: dict[str, dict[str, Any]] = {
    "https://slsa.dev/provenance/v1": {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"ref": "refs/heads/main"},
            "internalParameters": {"github": {"actor_id": "1234567"}},
            "resolvedDependencies": [{"uri": "git+https://github.com/octocat/hello-world@refs/heads/main",
                                      "digest": {"gitCommit": "c27d339ee6075c1f744c5d4b200f7901aad2c369"}}],
        },
        "runDetails": {
            "builder": {"id": "https://github.com/actions/runner/github-hosted"},
            "metadata": {"invocationId": "1536140711", "startedOn": "2023-01-01T12:34:56Z"},
        },
    },
    "https://slsa.dev/verification_summary/v1": {
        "verifier": {"id": "https://example.com/publication_verifier", "version": {"slsa-verifier": "2"}},
        "timeVerified": "1985-04-12T23:20:50.52Z",
        "resourceUri": "https://example.com/example-1.2.3.tar.gz",
        "policy": {"uri": "https://example.com/example_tarball.policy", "digest": DIGEST},
        "inputAttestations": [{"uri": "https://example.com/provenances/x.intoto.jsonl", "digest": DIGEST}],
        "verificationResult": "PASSED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
        "dependencyLevels": {"SLSA_BUILD_LEVEL_3": 5},
        "slsaVersion": "1.0",
    },
    f"{IN_TOTO}/svr/v0.1": {
        "verifier": {"id": "https://example.com/publication_verifier/v2"},
        "timeCreated": "1985-04-12T23:20:50.52Z",
        "properties": ["SLSA_BUILD_LEVEL_3"],
    },
    f"{IN_TOTO}/scai/v0.3": {
        "attributes": [{"attribute": "WITH_STACK_PROTECTION", "conditions": {"flags": "-fstack-protector*"}}],
        "producer": {"uri": "file:///usr/bin/gcc", "name": "gcc9.3.0", "digest": DIGEST},
    },
    f"{IN_TOTO}/vulns/v0.2": {
        "scanner": {
            "uri": "pkg:github/aquasecurity/trivy@244fd47e07d1004f0aed9",
            "version": "0.19.2",
            "db": {"uri": "pkg:github/aquasecurity/trivy-db", "lastUpdate": "2021-08-06T17:45:50.52Z"},
            "result": [{"id": "CVE-123", "severity": [{"method": "nvd", "score": "medium"}]}],
        },
        "metadata": {"scanStartedOn": "2021-08-06T17:45:50.52Z", "scanFinishedOn": "2021-08-06T17:50:50Z"},
    },
    f"{IN_TOTO}/test-result/v0.1": {
        "result": "PASSED",
        "configuration": [{"name": ".github/workflows/ci.yml", "digest": {"gitBlob": "ebe4add40f63c3c9"}}],
        "url": "https://github.com/in-toto/in-toto/actions/runs/4425592351",
        "passedTests": ["build (3.7, ubuntu-latest, py)"],
        "warnedTests": [],
    },
    f"{IN_TOTO}/runtime-trace/v0.1": {
        "monitor": {"type": "https://github.com/cilium/tetragon/v0.8.4", "configSource": {}},
        "monitoredProcess": {"hostID": "https://tekton.dev/chains/v2",
                             "type": "https://tekton.dev/attestations/chains@v2", "event": "run-image"},
        "monitorLog": {"process": [{"eventType": "process"}]},
        "metadata": {"buildStartedOn": "2022-10-13T22:55:50Z"},
    },
    f"{IN_TOTO}/release/v0.1": {"purl": "pkg:npm/@angular/http@7.2.16", "packageId": "1234567890"},
    f"{IN_TOTO}/reference/v0.1": {
        "attester": {"id": "https://my-builder.com/v1"},
        "references": [{"downloadLocation": "https://cloud.com/my-sboms/sbom.spdx.json", "digest": DIGEST,
                        "mediaType": "application/spdx+json"}],
    },
    "https://cyclonedx.org/bom": {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []},
    "https://spdx.dev/Document": {"spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "app"},
    "https://openvex.dev/ns": {
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://openvex.dev/docs/example/vex-9fb3463de1b57",
        "author": "Wolfi J Inkinson", "timestamp": "2023-01-08T18:02:03.647787998-06:00", "version": 1,
        "statements": [{"vulnerability": {"name": "CVE-2014-123456"}, "status": "fixed"}],
    },
}  # fmt: skip


def test_every_type_has_an_example() -> None:
    assert EXAMPLES.keys() == TYPES.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_specifications_examples_pass(kind: str) -> None:
    check_predicate(kind, EXAMPLES[kind])
    check_predicate(kind, {**EXAMPLES[kind], "somebodysExtension": {"x": 1}})


@pytest.mark.parametrize("kind", EXAMPLES)
def test_nothing_is_refused(kind: str) -> None:
    with pytest.raises(MalformedError, match=f"not a predicate of type {kind}"):
        check_predicate(kind, {})


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("https://slsa.dev/provenance/v1", "runDetails.builder.id", 7),
        ("https://slsa.dev/provenance/v1", "runDetails.metadata.startedOn", "yesterday"),
        ("https://slsa.dev/provenance/v1", "buildDefinition.resolvedDependencies", [{"name": "x"}]),
        ("https://slsa.dev/verification_summary/v1", "verificationResult", "passed"),
        ("https://slsa.dev/verification_summary/v1", "policy", {}),
        (f"{IN_TOTO}/svr/v0.1", "timeCreated", "1985-04-12"),
        (f"{IN_TOTO}/scai/v0.3", "attributes", []),
        (f"{IN_TOTO}/vulns/v0.2", "scanner.result", [{"id": "CVE-1"}]),
        (f"{IN_TOTO}/test-result/v0.1", "result", "GREEN"),
        (f"{IN_TOTO}/runtime-trace/v0.1", "monitorLog", {}),
        (f"{IN_TOTO}/release/v0.1", "purl", "pkg:npm/@angular/http"),
        (f"{IN_TOTO}/reference/v0.1", "references", [{"uri": "https://a.example"}]),
        ("https://cyclonedx.org/bom", "bomFormat", "SPDX"),
        ("https://spdx.dev/Document", "SPDXID", "SPDXRef-other"),
        ("https://openvex.dev/ns", "version", "1"),
    ],
)
def test_what_does_not_fit_is_refused(kind: str, path: str, value: Any) -> None:
    body = copy.deepcopy(EXAMPLES[kind])
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner[name]
    inner[last] = value
    with pytest.raises(MalformedError):
        check_predicate(kind, body)


def test_unknown_types_are_not_looked_into() -> None:
    check_predicate("https://app.example/anything/v1", {})
