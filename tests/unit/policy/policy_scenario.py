"""One artifact with all evidence that the shipped policy asks for, each part replaceable by a test."""

from __future__ import annotations

import copy
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import rfc8785

from pratique.model.digest import Digest
from pratique.model.predicate import PROVENANCE, REBUILD, RUNNER_POSTURE, SBOM, VULNS
from pratique.policy.engine.port import Answer, EngineError, Module, RuleSet, TestAnswer
from pratique.policy.evidence import Evidence, GateInput

if TYPE_CHECKING:
    from collections.abc import Mapping

DOMAIN = "spiffe://pratique.local"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SUBJECT = Digest("ab" * 32)
LOCKED = "pkg:pypi/markupsafe@3.0.2"


def digest(text: str) -> Digest:
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def definition() -> dict[str, Any]:
    return {
        "buildType": "https://pratique.dev/buildtypes/sandboxed/v1",
        "externalParameters": {
            "recipe": "python-app",
            "project": "harbour",
            "source": {"uri": "git+file:///src"},
        },
        "internalParameters": {
            "isolation": {
                "class": "namespaces",
                "network": "none",
                "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"],
                "seccomp": f"sha256:{'9' * 64}",
            },
            "environment": {},
        },
        "resolvedDependencies": [
            {
                "name": "source",
                "uri": "git+file:///src",
                "digest": {"gitCommit": "c" * 40},
                "annotations": {"kind": "source", "authors": ["Alan Turing <alan@example.org>"]},
            },
            {
                "name": "MarkupSafe",
                "uri": f"{LOCKED}?file_name=markupsafe.whl",
                "digest": {"sha256": "d" * 64},
                "annotations": {"kind": "dependency"},
            },
        ],
    }


def definition_digest(of: dict[str, Any]) -> Digest:
    """Worked out here with the RFC 8785 library itself, not with the code under test."""
    return Digest(hashlib.sha256(rfc8785.dumps(of)).hexdigest())


POSTURE_DIGEST = digest("posture")


def provenance() -> dict[str, Any]:
    return {
        "buildDefinition": definition(),
        "runDetails": {
            "builder": {"id": f"{DOMAIN}/builder", "version": {"pratique": "0.1.0"}},
            "metadata": {
                "invocationId": "i-1",
                "startedOn": "2026-11-23T10:00:00Z",
                "finishedOn": "2026-11-23T10:05:00Z",
            },
            "byproducts": [
                {"name": "build.log", "digest": {"sha256": "e" * 64}},
                {"name": "runner-posture", "digest": {"sha256": POSTURE_DIGEST.hex}},
            ],
        },
    }


def posture() -> dict[str, Any]:
    return {
        "phase": "before-build",
        "invocationId": "i-1",
        "checks": [
            {"id": "runner.user", "result": "pass", "severity": "critical", "title": "Not root"},
            {"id": "SEC-16", "result": "pass", "severity": "critical", "title": "Signing material"},
            {"id": "EPH-21", "result": "pass", "severity": "high", "title": "Single use"},
            {"id": "CI-37", "result": "not-applicable", "severity": "high", "title": "Debugging and events"},
        ],
    }


def rebuild() -> dict[str, Any]:
    return {
        "verdict": "bit-identical",
        "original": {"digest": {"sha256": SUBJECT.hex}},
        "rebuilt": {"digest": {"sha256": SUBJECT.hex}},
        "varied": ["path", "timezone"],
        "differences": [],
        "definitionDigest": {"sha256": definition_digest(definition()).hex},
    }


def component(name: str, purl: str, **changes: Any) -> dict[str, Any]:
    """Give a component with every minimum element."""
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": purl.split("@")[1],
        "purl": purl,
        "supplier": {"name": f"The makers of {name}"},
        "hashes": [{"alg": "SHA-256", "content": "d" * 64}],
        "licenses": [{"expression": "BSD-3-Clause"}],
    } | changes


def sbom() -> dict[str, Any]:
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
        "version": 1,
        "metadata": {
            "timestamp": "2026-11-23T10:30:00Z",
            "lifecycles": [{"phase": "post-build"}],
            "authors": [{"name": "Example Ltd"}],
            "tools": {"components": [{"type": "application", "name": "pratique", "version": "0.1.0"}]},
            "component": {
                "type": "application",
                "bom-ref": "artifact",
                "name": "harbour",
                "hashes": [{"alg": "SHA-256", "content": SUBJECT.hex}],
            },
        },
        "components": [component("MarkupSafe", LOCKED)],
        "dependencies": [{"ref": "artifact", "dependsOn": [LOCKED]}, {"ref": LOCKED, "dependsOn": []}],
    }


def vulns() -> dict[str, Any]:
    return {
        "scanner": {
            "uri": "https://pratique.dev/scan",
            "db": {"lastUpdate": "2026-11-20T00:00:00Z"},
            "result": [],
        },
        "https://pratique.dev/coverage": {"components": 1, "unknown": []},
    }


def vulnerability(score: str, *, exploited: str = "") -> dict[str, Any]:
    return {
        "id": "CVE-2026-1",
        "severity": [{"method": "qualitative", "score": score}],
        "annotations": [{"purl": LOCKED, "fixedVersions": ["3.0.3"], "knownExploitedSince": exploited}],
    }


TYPES = {
    "provenance": (PROVENANCE, "builder", provenance),
    "runner-posture": (RUNNER_POSTURE, "runner", posture),
    "rebuild": (REBUILD, "rebuilder", rebuild),
    "sbom": (SBOM, "scanner", sbom),
    "vulns": (VULNS, "scanner", vulns),
}


def evidence(short: str, predicate: dict[str, Any] | None = None, **changes: Any) -> Evidence:
    """Give one piece of evidence of a type, signed by the role that should, an hour ago."""
    uri, role, make = TYPES[short]
    name = short if short != "runner-posture" else "posture"
    subject = definition_digest(definition()) if short == "runner-posture" else SUBJECT
    values: dict[str, Any] = {
        "digest": digest(name),
        "predicate_type": uri,
        "subjects": (subject,),
        "predicate": predicate if predicate is not None else make(),
        "signer": f"{DOMAIN}/{role}",
        "signer_kind": "certificate",
        "signer_issuer": "https://pratique.local/pratique",
        "signed_at": NOW - timedelta(hours=1),
        "log_index": list(TYPES).index(short),
        "names": ("harbour-1.0.tar",),
    }
    return Evidence(**(values | changes))


def key(digit: str) -> dict[str, Any]:
    """Give the members of evidence that a key signed."""
    return {"signer": f"key:sha256:{digit * 64}", "signer_kind": "key", "signer_issuer": ""}


def complete(**predicates: dict[str, Any]) -> tuple[Evidence, ...]:
    """Give all evidence owed; predicates are replaced by short name with `_` for `-`."""
    return tuple(evidence(short, predicates.get(short.replace("-", "_"))) for short in TYPES)


def gate_input(items: tuple[Evidence, ...] | None = None, **changes: Any) -> GateInput:
    values: dict[str, Any] = {
        "subject": SUBJECT,
        "name": "harbour-1.0.tar",
        "effective_time": NOW,
        "evidence": complete() if items is None else items,
    }
    return GateInput(**(values | changes))


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Give a copy with one member replaced; `path` is dotted, list positions are numbers, None deletes."""
    document = copy.deepcopy(document)
    *parents, last = path.split("/")
    target: Any = document
    for key in parents:
        target = target[int(key)] if isinstance(target, list) else target[key]
    key = int(last) if isinstance(target, list) else last
    if value is None:
        del target[key]
    else:
        target[key] = value
    return document


class FixedEngine:
    """An engine that answers what it was told to, whatever the rules say."""

    name = "fixed"
    version = "1"

    def __init__(self, *members: Any, rule: str = "deny", package: str = "pratique.provenance") -> None:
        self.members = members
        self.rule = rule
        self.package = package
        self.documents: list[dict[str, Any]] = []

    def test(self, *_: Any) -> TestAnswer:
        raise EngineError("eval", "this engine runs no tests")

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: bytes) -> Answer:
        del modules, data
        self.documents.append(json.loads(document))
        found = RuleSet(package=self.package, name=self.rule, members=self.members)
        return Answer(sets=(found,), isolation=("none",))
