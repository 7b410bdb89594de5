"""One artifact that every shipped rule looks at and lets pass; each part of it can be changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import policy_scenario as s
from patience import PATIENT

from pratique.model.predicate import APPROVAL, TEE_RESULT, TEST_RESULT, VEX
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.gate import evaluate
from pratique.policy.settings import merge
from pratique.policy.shipped import level_table, shipped_bundle

if TYPE_CHECKING:
    from pratique.policy.evidence import Evidence

ENGINE = RegorusEngine(PATIENT)
IMAGE = "https://pratique.dev/image-check"
FINDINGS = "https://pratique.dev/findings"
FACTS = "https://pratique.dev/image"
KEYS = [f"key:sha256:{digit * 64}" for digit in "12"]

DATA: dict[str, Any] = {
    "levels": dict.fromkeys(level_table(), "deny"),
    "dependencies": {
        "known": ["pkg:pypi/markupsafe"],
        "sources": ["pkg:pypi/*"],
        "forbidden": ["pkg:*/evil*"],
    },
    "licences": {"allowed": ["BSD-3-Clause", "MIT"], "refused": ["AGPL-3.0-only"]},
    "checks": {"required": ["image", "secrets", "workflow"]},
    "image": {"bases": ["registry.example/base*"]},
    "tee": {"required": True},
    "windows": {"open": [{"days": ["mon"], "begins": "09:00", "ends": "17:00"}]},
    "provenance": {"sources": ["git+file:///src*"]},
    "duties": {"approvals": 2},
}
REQUIREMENTS: dict[str, Any] = {
    "roles": {
        "approver": {"signers": KEYS, "may_sign": ["approval"]},
        "tee": {"signers": [f"{s.DOMAIN}/tee-verifier"], "may_sign": ["tee-result"]},
        "scanner": {"signers": [f"{s.DOMAIN}/scanner", f"{s.DOMAIN}/scanner/*", f"{s.DOMAIN}/builder"]},
    }
}
PEOPLE = ["Ada Lovelace", "Grace Hopper"]


def vex(**changes: Any) -> dict[str, Any]:
    statement = {
        "vulnerability": {"name": "CVE-2026-1"},
        "products": [{"@id": s.LOCKED}],
        "status": "not_affected",
        "justification": "vulnerable_code_not_present",
        "timestamp": "2026-11-22T00:00:00Z",
    }
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.org/vex/1",
        "author": "Example Ltd",
        "timestamp": "2026-11-22T00:00:00Z",
        "version": 1,
        "statements": [statement | changes],
    }


def result(uri: str, outcome: str = "PASSED", **members: Any) -> dict[str, Any]:
    return {"result": outcome, "configuration": [{"uri": uri}], **members}


def image_result() -> dict[str, Any]:
    return result(
        IMAGE,
        **{
            FINDINGS: [
                {"id": name, "result": "pass", "severity": "high", "title": "T"}
                for name in ("IMG-CFG-01", "IMG-SEC-01", "IMG-ORI-04", "IMG-ORI-06")
            ],
            FACTS: {"base": {"name": "registry.example/base:12", "digest": f"sha256:{'a' * 64}"}},
        },
    )


def tee() -> dict[str, Any]:
    return {
        "status": "affirming",
        "claims": "tpm2",
        "bound": {"invocationId": "i-1", "nonce": "0f" * 16},
        "referenceValues": {"digest": {"sha256": "7" * 64}},
        "evidence": {"digest": {"sha256": "8" * 64}},
    }


def other(name: str, uri: str, predicate: dict[str, Any], signer: str, **changes: Any) -> Evidence:
    values = {"digest": s.digest(name), "predicate_type": uri, "signer": signer, **changes}
    return s.evidence("sbom", predicate, **values)


def provenance() -> dict[str, Any]:
    """Give a provenance that names the tee-result among its byproducts."""
    document = s.provenance()
    document["runDetails"]["byproducts"].append(
        {"name": "tee-result", "digest": {"sha256": s.digest("tee").hex}}
    )
    return document


PARTS = {
    "provenance": provenance,
    "posture": s.posture,
    "rebuild": s.rebuild,
    "sbom": s.sbom,
    "vulns": s.vulns,
    "image": image_result,
    "secrets": lambda: result("https://pratique.dev/secret-scan"),
    "workflow": lambda: result("pkg:pypi/zizmor@1.32.0"),
    "tee": tee,
    "approvals": lambda: [{"person": name} for name in PEOPLE],
}


def gathered(parts: dict[str, Any], signers: dict[str, str]) -> tuple[Evidence, ...]:
    """Give all evidence of the parts; what must follow from the build definition does."""
    members = ("buildType", "externalParameters", "internalParameters", "resolvedDependencies")
    build = parts["provenance"]["buildDefinition"]
    definition = s.definition_digest({name: build[name] for name in members if name in build})
    rebuilt = parts["rebuild"] | {"definitionDigest": {"sha256": definition.hex}}
    items = [
        s.evidence("provenance", parts["provenance"]),
        s.evidence("runner-posture", parts["posture"], subjects=(definition,)),
        s.evidence("rebuild", rebuilt),
        s.evidence("sbom", parts["sbom"]),
        s.evidence("vulns", parts["vulns"]),
        other("tee", TEE_RESULT, parts["tee"], f"{s.DOMAIN}/tee-verifier", subjects=(definition,)),
    ]
    # Of one identity's test-results only the newest stands, so each tool signs as itself.
    items += [
        other(name, TEST_RESULT, parts[name], f"{s.DOMAIN}/scanner/{name}")
        for name in ("image", "secrets", "workflow", "tests")
        if name in parts
    ]
    items += [
        other(f"approval{number}", APPROVAL, approval, KEYS[number], signer_kind="key", signer_issuer="")
        for number, approval in enumerate(parts["approvals"])
    ]
    if "vex" in parts:
        items.append(other("vex", VEX, parts["vex"], f"{s.DOMAIN}/vex"))
    return tuple(
        msgspec.structs.replace(item, signer=signers.get(item.digest.hex, item.signer)) for item in items
    )


def decide(
    changes: dict[str, Any] | None = None,
    *,
    data: dict[str, Any] | None = None,
    requirements: dict[str, Any] | None = None,
    signers: dict[str, str] | None = None,
    at: Any = s.NOW,
) -> Decision:
    """Decide with some members changed: `{"<part>/<path>": value}`, where None deletes."""
    parts = {name: make() for name, make in PARTS.items()}
    for path, value in (changes or {}).items():
        part, _, inner = path.partition("/")
        if inner:
            parts[part] = put(parts[part], inner.split("/"), value)
        else:
            parts[part] = value
    bundle = shipped_bundle(
        data=merge(DATA, data or {}), requirements=merge(REQUIREMENTS, requirements or {})
    )
    by_digest = {s.digest(name).hex: signer for name, signer in (signers or {}).items()}
    items = gathered(parts, by_digest)
    return evaluate(s.gate_input(items, effective_time=at), bundle, ENGINE).decision


def put(document: Any, path: list[str], value: Any) -> Any:
    """Give a copy with one member set; a name may hold `~` for `/`, and numbers are places in lists."""
    document = copy.deepcopy(document)
    target = document
    keys = [key.replace("~", "/") for key in path]
    for key in keys[:-1]:
        target = target[int(key)] if isinstance(target, list) else target[key]
    last: Any = int(keys[-1]) if isinstance(target, list) else keys[-1]
    if value is None:
        del target[last]
    elif isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[last] = value
    return document


def findings(decision: Decision) -> dict[str, list[Finding]]:
    """Give everything that was found, by code."""
    found: dict[str, list[Finding]] = {}
    for one in decision.with_status(Status.VIOLATION, Status.ERROR, Status.WARNING):
        found.setdefault(one.code, []).append(one)
    return found
