"""Tell an artifact's chain from verified evidence (pure): the one reading that reports and audits share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.model import predicate as p
from pratique.model.digest import Digest, parse_digest_set
from pratique.model.strict_json import parse_json_object
from pratique.report.chain import (
    Artifact,
    Chain,
    DecisionView,
    EnvironmentState,
    Fact,
    LogHead,
    RuleResult,
    RuleStatus,
    Source,
    Step,
    StepKind,
    Verdict,
)
from pratique.report.evidence_fact import EvidenceFact, Outcome, read_fact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pratique.trust.imported import Imported
    from pratique.trust.verify import Verified

_KINDS: Final = {
    p.RUNNER_POSTURE: StepKind.RUNNER_CHECK,
    p.PROVENANCE: StepKind.BUILD,
    p.REBUILD: StepKind.REBUILD,
    p.SBOM: StepKind.SBOM,
    p.VULNS: StepKind.SCAN,
    p.VSA: StepKind.DECISION,
    p.APPROVAL: StepKind.APPROVAL,
    p.DEPLOYMENT: StepKind.DEPLOYMENT,
}
_VERDICTS: Final = {
    Outcome.SUPPORTS: Verdict.GOOD,
    Outcome.UNCLEAR: Verdict.UNCLEAR,
    Outcome.REFUTES: Verdict.BAD,
}
_DECISION: Final = "https://pratique.dev/decision"
_COVERAGE: Final = "https://pratique.dev/coverage"

Predicate = dict[str, Any]


def fact_of(verified: Verified) -> EvidenceFact:
    """Give what the SSDF evaluation needs to know of a piece of verified evidence."""
    statement = verified.statement
    return read_fact(verified.digest, verified.log_index, statement.predicate_type, statement.predicate)


def with_imported(evidence: Sequence[Verified], imported: Iterable[Imported]) -> list[Verified]:
    """Add what decisions among the evidence rested on of others': policy took its signers' word.

    Others' evidence that no decision rested on shows nothing: anybody can sign anything.
    """
    relied_on = {
        parse_digest_set(one.get("digest"))
        for item in evidence
        if item.statement.predicate_type == p.VSA
        for one in _list(item.statement.predicate.get("inputAttestations"))
        if isinstance(one, dict)
    }
    return [*evidence, *(item.as_own for item in imported if item.digest in relied_on)]


def build_chain(
    digest: Digest,
    evidence: Sequence[Verified],
    *,
    documents: Mapping[Digest, bytes],
    trust_root: Digest,
    checkpoint: LogHead,
    size: int | None = None,
) -> Chain:
    """Tell the chain of one artifact.

    Args:
        digest: the artifact.
        evidence: verified evidence about it whose signers may make their claims, and the runner checks that
            its builds name; in any order.
        documents: decision documents by digest; one that is missing costs a decision its rules.
        trust_root: fingerprint of the root it was verified against.
        checkpoint: the log's head.
        size: the artifact's size in bytes, where known.
    """
    ordered = sorted(evidence, key=lambda item: item.log_index)
    deployments = [item for item in ordered if item.statement.predicate_type == p.DEPLOYMENT]
    last_of = {item.statement.predicate.get("deploymentId"): item for item in deployments}
    steps = [
        _step(item, last_of.get(item.statement.predicate.get("deploymentId"), item))
        for item in ordered
        if item.statement.predicate_type in _KINDS
    ]
    decisions = [item for item in ordered if item.statement.predicate_type == p.VSA]
    return Chain(
        artifact=Artifact(name=_name(digest, ordered), digest=digest, size=size),
        source=_source(ordered),
        steps=tuple(steps),
        decisions=tuple(_decision(item, ordered, documents) for item in decisions),
        environments=_environments(deployments),
        trust_root=trust_root,
        checkpoint=checkpoint,
    )


def _step(verified: Verified, last: Verified) -> Step:
    """Tell one step; a deployment's record is judged by how the deployment ended, its last record."""
    predicate = verified.statement.predicate
    predicate_type = verified.statement.predicate_type
    kind = _KINDS[predicate_type]
    verdict = _VERDICTS[fact_of(last if kind is StepKind.DEPLOYMENT else verified).outcome]
    if kind is StepKind.DEPLOYMENT:
        verdict = Verdict.BAD if last.statement.predicate.get("phase") == "failed" else verdict
        kind = StepKind.ROLLBACK if predicate.get("action") == "rollback" else kind
    summary, facts = _TELLERS[predicate_type](predicate)
    return Step(
        kind=kind,
        verdict=verdict,
        summary=summary,
        evidence=verified.digest,
        log_index=verified.log_index,
        signer=str(verified.signer),
        time=verified.signed_at,
        facts=tuple(Fact(label, value) for label, value in facts.items() if value),
    )


_Telling = tuple[str, dict[str, str]]


def _tell_posture(predicate: Predicate) -> _Telling:
    results = [_text(check, "result") for check in _list(predicate.get("checks"))]
    counts = [f"{results.count(name)} {word}" for name, word in _POSTURE_WORDS.items() if name in results]
    failed = [_text(item, "id") for item in _list(predicate.get("checks")) if _text(item, "result") == "fail"]
    facts = {"profile": _text(predicate, "profile"), "failed": ", ".join(failed)}
    return ", ".join(counts) or "nothing was measured", facts


_POSTURE_WORDS: Final = {"pass": "passed", "fail": "failed", "unknown": "unknown"}


def _tell_provenance(predicate: Predicate) -> _Telling:
    definition = _object(predicate.get("buildDefinition"))
    isolation = _object(_object(definition.get("internalParameters")).get("isolation"))
    count = len(_list(definition.get("resolvedDependencies")))
    network = _text(isolation, "network")
    facts = {
        "recipe": _text(_object(definition.get("externalParameters")), "recipe"),
        "isolation": ", ".join(
            part for part in (_text(isolation, "class"), network and f"network: {network}") if part
        ),
        "build type": _text(definition, "buildType"),
    }
    return f"built from {count} inputs", facts


def _tell_rebuild(predicate: Predicate) -> _Telling:
    differences = len(_list(predicate.get("differences")))
    varied = ", ".join(item for item in _list(predicate.get("varied")) if isinstance(item, str))
    summary = _text(predicate, "verdict") + (f", {differences} members differ" if differences else "")
    return summary, {"varied": varied}


def _tell_sbom(predicate: Predicate) -> _Telling:
    form = f"{_text(predicate, 'bomFormat')} {_text(predicate, 'specVersion')}".strip()
    return f"{len(_list(predicate.get('components')))} components", {"format": form}


def _tell_vulns(predicate: Predicate) -> _Telling:
    scanner = _object(predicate.get("scanner"))
    found = {_text(item, "id") for item in _list(scanner.get("result"))}
    unknown = len(_list(_object(predicate.get(_COVERAGE)).get("unknown")))
    facts = {
        "advisories": _text(_object(scanner.get("db")), "lastUpdate"),
        "found": ", ".join(sorted(found)),
        "not matched": f"{unknown} components" if unknown else "",
    }
    return f"{len(found)} known vulnerabilities" if found else "no known vulnerability", facts


def _tell_vsa(predicate: Predicate) -> _Telling:
    summary = {"PASSED": "passed policy", "FAILED": "refused by policy"}.get(
        _text(predicate, "verificationResult"), "no clear verdict"
    )
    levels = ", ".join(item for item in _list(predicate.get("verifiedLevels")) if isinstance(item, str))
    return summary, {"levels": levels, "evidence used": str(len(_list(predicate.get("inputAttestations"))))}


def _tell_approval(predicate: Predicate) -> _Telling:
    summary = f"{_text(predicate, 'person')}, for {_text(predicate, 'environment')}"
    return summary, {"until": _text(predicate, "notAfter"), "comment": _text(predicate, "comment")}


def _tell_deployment(predicate: Predicate) -> _Telling:
    health = _object(predicate.get("health"))
    previous = _object(_object(predicate.get("previous")).get("digest"))
    facts = {
        "requested by": _text(predicate, "requester"),
        "approvals": str(len(_list(predicate.get("approvals")))),
        "health": f"{health.get('status')} from {health.get('url')}" if health else "",
        "replaced": f"sha256:{previous.get('sha256')}" if previous else "",
        "reason": _text(predicate, "reason"),
    }
    return f"{_text(predicate, 'phase')} in {_text(predicate, 'environment')}", facts


_TELLERS: Final[dict[str, Callable[[Predicate], _Telling]]] = {
    p.RUNNER_POSTURE: _tell_posture,
    p.PROVENANCE: _tell_provenance,
    p.REBUILD: _tell_rebuild,
    p.SBOM: _tell_sbom,
    p.VULNS: _tell_vulns,
    p.VSA: _tell_vsa,
    p.APPROVAL: _tell_approval,
    p.DEPLOYMENT: _tell_deployment,
}


def _name(digest: Digest, ordered: Sequence[Verified]) -> str:
    """What the first evidence about the artifact calls it; names are labels, the digest is the identity."""
    for verified in ordered:
        for subject in verified.statement.subjects:
            if subject.digest.get("sha256") == digest.hex and subject.name:
                return subject.name
    return digest.short


def _source(ordered: Sequence[Verified]) -> Source | None:
    """The source that the latest build names."""
    for verified in reversed(ordered):
        if verified.statement.predicate_type != p.PROVENANCE:
            continue
        definition = _object(verified.statement.predicate.get("buildDefinition"))
        for item in _list(definition.get("resolvedDependencies")):
            annotations = _object(_object(item).get("annotations"))
            if annotations.get("kind") == "source":
                digests = _object(item.get("digest"))
                revision = digests.get("gitCommit") or f"sha256:{digests.get('sha256')}"
                return Source(
                    uri=_text(item, "uri"),
                    revision=str(revision),
                    authors=_authors(annotations.get("authors")),
                )
    return None


def _authors(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in (value if isinstance(value, list) else [value] if value else []))


def _decision(
    verified: Verified, ordered: Sequence[Verified], documents: Mapping[Digest, bytes]
) -> DecisionView:
    predicate = verified.statement.predicate
    policy = _object(predicate.get("policy"))
    document_digest = parse_digest_set(_object(predicate.get(_DECISION)).get("digest"))
    results: list[RuleResult] = []
    if data := documents.get(document_digest):
        document = parse_json_object(data, what=f"decision {document_digest.short}")
        results = [_rule(item) for item in _list(document.get("results"))]
    resting = {
        _text(item.statement.predicate, "environment")
        for item in ordered
        if item.statement.predicate_type in {p.APPROVAL, p.DEPLOYMENT}
        and _object(item.statement.predicate.get("decision")).get("digest") == verified.digest.digest_set
    }
    return DecisionView(
        evidence=verified.digest,
        passed=predicate.get("verificationResult") == "PASSED",
        environment=", ".join(sorted(resting)),
        policy_uri=_text(policy, "uri"),
        policy_digest=parse_digest_set(policy.get("digest")),
        decided_at=verified.signed_at,
        results=tuple(results),
    )


def _rule(item: object) -> RuleResult:
    """A status nobody knows is shown as an error: it is at any rate no success."""
    result = _object(item)
    known = {status.value: status for status in RuleStatus}
    return RuleResult(
        status=known.get(_text(result, "status"), RuleStatus.ERROR),
        code=_text(result, "code"),
        msg=_text(result, "msg") or _text(result, "title"),
        solution=_text(result, "solution"),
    )


def _environments(deployments: Sequence[Verified]) -> tuple[EnvironmentState, ...]:
    states: dict[str, EnvironmentState] = {}
    for verified in deployments:
        predicate = verified.statement.predicate
        name = _text(predicate, "environment")
        states[name] = EnvironmentState(
            environment=name,
            phase=_text(predicate, "phase"),
            since=verified.signed_at,
            deployment_id=_text(predicate, "deploymentId"),
        )
    return tuple(states[name] for name in sorted(states))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object, name: str) -> str:
    found = _object(value).get(name)
    return found if isinstance(found, str) else ""
