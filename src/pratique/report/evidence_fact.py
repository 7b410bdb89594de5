"""Read from a verified statement what it says for or against a practice: an outcome and a few traits.

A trait is a named property of the predicate that some SSDF task asks for, such as `pinned-inputs`. A member
that is absent or has another shape gives no trait: no error, as predicates of others may lawfully carry less
(in-toto attestation, parsing rules), and no benefit of the doubt either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations at run time
from pratique.model.predicate import short_name

Predicate = Mapping[str, Any]


class Outcome(StrEnum):
    """Whether evidence speaks for the practice, against it, or leaves it open; only `SUPPORTS` counts."""

    SUPPORTS = "supports"
    UNCLEAR = "unclear"
    REFUTES = "refutes"


class EvidenceFact(msgspec.Struct, frozen=True, kw_only=True):
    """What the evaluation of tasks needs to know of one piece of verified evidence.

    Attributes:
        kind: predicate short name (`model.predicate.short_name`), or `declaration`.
        digest: the evidence's digest.
        log_index: its place in the log; within one kind and scope, later evidence supersedes earlier.
        outcome: see `Outcome`.
        traits: what it shows beyond being there.
        scope: what the supersession is about: an environment, a deployment, a task id for a declaration.
    """

    kind: str
    digest: Digest
    log_index: int
    outcome: Outcome = Outcome.SUPPORTS
    traits: frozenset[str] = frozenset()
    scope: str = ""


def read_fact(digest: Digest, log_index: int, predicate_type: str, predicate: Predicate) -> EvidenceFact:
    """Read one verified statement's predicate; unknown predicate types give a fact that supports nothing."""
    kind = short_name(predicate_type)
    reader = _READERS.get(kind)
    if reader is None:
        return EvidenceFact(kind=kind, digest=digest, log_index=log_index, outcome=Outcome.UNCLEAR)
    outcome, scope, traits = reader(predicate)
    present = frozenset(name for name, holds in traits.items() if holds)
    return EvidenceFact(
        kind=kind, digest=digest, log_index=log_index, outcome=outcome, traits=present, scope=scope
    )


_Reading = tuple[Outcome, str, dict[str, bool]]


def _posture(predicate: Predicate) -> _Reading:
    """A grave failure refutes; a lesser one or an unknown leaves it open; so does nothing measured."""
    checks = _objects(predicate.get("checks"))
    failed = [check for check in checks if check.get("result") == "fail"]
    settled = all(_text(check, "result") in {"pass", "not-applicable"} for check in checks)
    if any(_text(check, "severity") not in {"medium", "low"} for check in failed):
        outcome = Outcome.REFUTES
    elif settled and any(check.get("result") == "pass" for check in checks):
        outcome = Outcome.SUPPORTS
    else:
        outcome = Outcome.UNCLEAR
    return outcome, _text(predicate, "invocationId"), {}


def _provenance(predicate: Predicate) -> _Reading:
    definition = _object(predicate.get("buildDefinition"))
    internal = _object(definition.get("internalParameters"))
    dependencies = _objects(definition.get("resolvedDependencies"))
    sources = [item for item in dependencies if _object(item.get("annotations")).get("kind") == "source"]
    traits = {
        "pinned-inputs": bool(dependencies) and all(_pinned(item) for item in dependencies),
        "source": bool(sources) and all(_pinned(item) for item in sources),
        "toolchain": bool(internal.get("toolchain")),
        "isolated": _object(internal.get("isolation")).get("network") == "none",
    }
    return Outcome.SUPPORTS, "", traits


def _rebuild(predicate: Predicate) -> _Reading:
    """Scoped by what was varied: a difference under one variation is not undone by success under another."""
    identical = predicate.get("verdict") == "bit-identical" and predicate.get("differences") in ([], None)
    varied = [item for item in _list(predicate.get("varied")) if isinstance(item, str)]
    outcome = Outcome.SUPPORTS if identical else Outcome.REFUTES
    return outcome, ",".join(sorted(varied)), {"varied": bool(varied)}


def _sbom(predicate: Predicate) -> _Reading:
    components = _objects(predicate.get("components"))
    components.append(_object(_object(predicate.get("metadata")).get("component")))
    identified = all(_text(item, "purl") or _list(item.get("hashes")) for item in components)
    return Outcome.SUPPORTS, "", {"identified": identified}


def _vulns(predicate: Predicate) -> _Reading:
    """What was found is for the gate to judge; here it counts how complete and dated the look was."""
    scanner = _object(predicate.get("scanner"))
    coverage = _object(predicate.get("https://pratique.dev/coverage"))
    unknown = coverage.get("unknown")
    traits = {
        "dated-advisories": bool(_text(_object(scanner.get("db")), "lastUpdate")),
        "complete": isinstance(unknown, list) and not unknown,
    }
    return (Outcome.SUPPORTS if isinstance(scanner.get("result"), list) else Outcome.UNCLEAR), "", traits


def _vsa(predicate: Predicate) -> _Reading:
    verdicts = {"PASSED": Outcome.SUPPORTS, "FAILED": Outcome.REFUTES}
    traits = {
        "policy-digest": _pinned(_object(predicate.get("policy"))),
        "inputs": bool(inputs := _objects(predicate.get("inputAttestations"))) and all(map(_pinned, inputs)),
        "decision-record": bool(_object(predicate.get("https://pratique.dev/decision")).get("digest")),
    }
    outcome = verdicts.get(_text(predicate, "verificationResult"), Outcome.UNCLEAR)
    return outcome, _text(predicate, "resourceUri"), traits


def _approval(predicate: Predicate) -> _Reading:
    traits = {"expires": bool(_text(predicate, "notAfter")), "bound": _pinned(_object(predicate.get("plan")))}
    return Outcome.SUPPORTS, f"{_text(predicate, 'environment')} {_text(predicate, 'person')}", traits


def _deployment(predicate: Predicate) -> _Reading:
    """A roll-out that failed says nothing about the practice; only one that went live supports it."""
    health = _object(predicate.get("health"))
    traits = {
        "approved": bool(_list(predicate.get("approvals"))),
        "replaces": isinstance(predicate.get("previous"), dict),
        "rollback": predicate.get("action") == "rollback",
        "healthy": health.get("status") == 200,  # noqa: PLR2004 - HTTP
        "staged": bool(_list(predicate.get("rings"))),
    }
    live = predicate.get("phase") == "live"
    return (Outcome.SUPPORTS if live else Outcome.UNCLEAR), _text(predicate, "deploymentId"), traits


def _enrolment(predicate: Predicate) -> _Reading:
    return Outcome.SUPPORTS, _text(predicate, "person"), {"roles": bool(_list(predicate.get("roles")))}


def _seal(_: Predicate) -> _Reading:
    return Outcome.SUPPORTS, "", {}


_READERS: Final[dict[str, Callable[[Predicate], _Reading]]] = {
    "runner-posture": _posture,
    "provenance": _provenance,
    "rebuild": _rebuild,
    "sbom": _sbom,
    "vulns": _vulns,
    "vsa": _vsa,
    "approval": _approval,
    "deployment": _deployment,
    "enrolment": _enrolment,
    "audit-seal": _seal,
}


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in _list(value) if isinstance(item, dict)]


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _pinned(value: Mapping[str, Any]) -> bool:
    """Whether a resource descriptor carries a digest that identifies its bytes."""
    digests = _object(value.get("digest"))
    return any(isinstance(digests.get(name), str) and digests[name] for name in ("sha256", "gitCommit"))
