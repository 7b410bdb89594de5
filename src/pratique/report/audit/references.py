"""What evidence refers to, and that every reference in a package leads to what it needs (step 10; pure).

A deployment stands on its decision and approvals, an approval on its decision, a decision on its inputs and
its policy, a build on its runner check. Each has to be there, to stand itself, to be older, and to be about
the same artifact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.model import predicate as p
from pratique.model.clock import parse_time
from pratique.model.digest import Digest, parse_digest, parse_digest_set
from pratique.model.strict_json import parse_json_object
from pratique.report.audit.manifest import evidence_name
from pratique.report.audit.signers import subject_digests
from pratique.report.audit.step import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pratique.trust.imported import Imported
    from pratique.trust.verify import Verified

DECISION_EXTENSION: Final = "https://pratique.dev/decision"
# What a decision may rest on that is not about the artifact itself.
_ABOUT_OTHERS: Final = {p.RUNNER_POSTURE, p.ENROLMENT, p.WAIVER}


class Material(msgspec.Struct, frozen=True):
    """What there is to refer to.

    Attributes:
        evidence: verified evidence by digest.
        aside: digests of evidence that verified, but whose signer may not make the claim, with the reason.
        blobs: other bytes by digest.
        imported: others' evidence by the digest of the record that brought it in.
    """

    evidence: Mapping[Digest, Verified]
    aside: Mapping[Digest, str]
    blobs: Mapping[Digest, bytes]
    imported: Mapping[Digest, Imported] = {}


class DecisionRecord(msgspec.Struct, frozen=True):
    """What a VSA rests on, by digest, and its decision document as parsed.

    Attributes:
        policy: the policy bundle.
        document_digest: the decision document.
        document: that, parsed.
        input: the input document that the policy was evaluated on.
        inputs: evidence that stood.
        set_aside: verified evidence that the gate did not count.
    """

    policy: Digest
    document_digest: Digest
    document: dict[str, Any]
    input: Digest
    inputs: tuple[Digest, ...]
    set_aside: tuple[Digest, ...]


def verify_references(material: Material) -> None:
    """Follow every reference of the evidence that stands.

    Raises:
        EvidenceInvalidError: a reference that leads nowhere or elsewhere; the message names the member.
    """
    for digest, verified in material.evidence.items():
        check = _CHECKS.get(verified.statement.predicate_type)
        if check and digest not in material.aside:
            with step(10, evidence_name(digest)):
                check(verified, material)


def references_of(verified: Verified, blobs: Callable[[Digest], bytes]) -> Iterator[Digest]:
    """Give the digests of the evidence that a piece of evidence rests on, for an export to bring along."""
    predicate = verified.statement.predicate
    match verified.statement.predicate_type:
        case p.PROVENANCE:
            yield from postures_of(verified)
        case p.VSA:
            record = decision_record(verified, blobs)
            yield from (*record.inputs, *record.set_aside)
        case p.APPROVAL:
            yield reference(predicate, "decision")
        case p.DEPLOYMENT:
            yield reference(predicate, "decision")
            yield from _references(predicate, "approvals")


def decision_record(verified: Verified, blobs: Callable[[Digest], bytes]) -> DecisionRecord:
    """Read what a VSA rests on, its decision document included.

    Raises:
        EvidenceInvalidError: a reference that is missing or malformed, or a document that is not the VSA's.
    """
    predicate = verified.statement.predicate
    policy = reference(predicate, "policy")
    document_digest = reference(predicate, DECISION_EXTENSION)
    document = parse_json_object(blobs(document_digest), what=f"decision {document_digest.short}")
    inputs = _references(predicate, "inputAttestations")
    record = DecisionRecord(
        policy,
        document_digest,
        document,
        parse_digest_set(document.get("input_digest")),
        inputs,
        _listed(document, "set_aside"),
    )
    said = {"allow": "PASSED", "deny": "FAILED"}.get(str(document.get("decision")))
    if said is None or predicate.get("verificationResult") != said:
        raise EvidenceInvalidError("its verification result is not that of the decision it names")
    if reference(document, "policy") != policy or set(_listed(document, "inputs")) != set(inputs):
        raise EvidenceInvalidError("its policy or inputs are not those of the decision it names")
    subjects = document.get("subject")
    about = {parse_digest_set(item.get("digest")) for item in _objects(subjects)}
    if about != subject_digests(verified.statement):
        raise EvidenceInvalidError("its subject is not that of the decision it names")
    return record


def reference(parent: Mapping[str, Any], name: str) -> Digest:
    """Give the digest in `{name: {"digest": {"sha256": …}}}`.

    Raises:
        MalformedError: there is none.
    """
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{name}: missing")
    try:
        return parse_digest_set(value.get("digest"))
    except MalformedError as error:
        raise MalformedError(f"{name}: {error.message}") from error


def take_blob(material: Material, digest: Digest, what: str) -> bytes:
    """Give a blob.

    Raises:
        EvidenceInvalidError: it is not in the package.
    """
    return packed(material.blobs, digest, what)


def packed(blobs: Mapping[Digest, bytes], digest: Digest, what: str) -> bytes:
    """Give a package's blob.

    Raises:
        EvidenceInvalidError: it is not in the package.
    """
    if digest not in blobs:
        raise EvidenceInvalidError(f"{what} {digest} is not in the package")
    return blobs[digest]


def _check_provenance(verified: Verified, material: Material) -> None:
    metadata = _object(_object(verified.statement.predicate.get("runDetails")).get("metadata"))
    for digest in postures_of(verified):
        posture = _take(material, digest, p.RUNNER_POSTURE, verified)
        if posture.statement.predicate.get("invocationId") != metadata.get("invocationId"):
            raise EvidenceInvalidError(f"runner-posture {digest} is of another build")


def _check_rebuild(verified: Verified, _: Material) -> None:
    predicate = verified.statement.predicate
    original, rebuilt = reference(predicate, "original"), reference(predicate, "rebuilt")
    if {original} != subject_digests(verified.statement):
        raise EvidenceInvalidError("the rebuild compares with another artifact than its subject")
    if (predicate.get("verdict") == "bit-identical") != (original == rebuilt):
        raise EvidenceInvalidError("its verdict contradicts the digests it compares")


def _check_decision(verified: Verified, material: Material) -> None:
    record = decision_record(verified, lambda digest: take_blob(material, digest, "decision"))
    take_blob(material, record.policy, "policy")
    take_blob(material, record.input, "decision input")
    if not record.inputs and verified.statement.predicate.get("verificationResult") == "PASSED":
        raise EvidenceInvalidError("a decision that passed on no evidence at all")
    for digest in record.inputs:
        given = _take(material, digest, None, verified)
        if given.statement.predicate_type not in _ABOUT_OTHERS:
            _same_artifact(given, verified)
    for digest in record.set_aside:
        if digest not in material.evidence:
            raise EvidenceInvalidError(f"evidence {digest}, which it set aside, is not in the package")


def _check_approval(verified: Verified, material: Material) -> None:
    decision = _take(material, reference(verified.statement.predicate, "decision"), p.VSA, verified)
    _same_artifact(decision, verified)


def _check_deployment(verified: Verified, material: Material) -> None:
    predicate = verified.statement.predicate
    decision = _take(material, reference(predicate, "decision"), p.VSA, verified)
    _same_artifact(decision, verified)
    if decision.statement.predicate.get("verificationResult") != "PASSED":
        raise EvidenceInvalidError(f"deployed under decision {decision.digest}, which did not pass")
    approvals = _references(predicate, "approvals")
    if len(set(approvals)) != len(approvals):
        raise EvidenceInvalidError("one approval counted twice")
    consented = _consented_before(verified, material) if predicate.get("action") == "rollback" else verified
    for digest in approvals:
        approval = _take(material, digest, p.APPROVAL, verified)
        if digest not in _references(consented.statement.predicate, "approvals"):
            raise EvidenceInvalidError(f"approval {digest} is not one it went live with before")
        _check_consent(approval, consented)


def _consented_before(rollback: Verified, material: Material) -> Verified:
    """Find the deployment that a roll-back returns to, by whose approvals it goes: the newest live one."""
    environment = rollback.statement.predicate.get("environment")
    earlier = [
        found
        for digest, found in material.evidence.items()
        if digest not in material.aside
        and found.statement.predicate_type == p.DEPLOYMENT
        and found.log_index < rollback.log_index
        and subject_digests(found.statement) == subject_digests(rollback.statement)
        and (found.statement.predicate.get("action"), found.statement.predicate.get("phase"))
        == ("deploy", "live")
        and found.statement.predicate.get("environment") == environment
    ]
    if not earlier:
        raise EvidenceInvalidError(f"a roll-back to what was never live in {environment}")
    return max(earlier, key=lambda found: found.log_index)


def _check_consent(approval: Verified, deployment: Verified) -> None:
    """An approval counts for one artifact, environment, decision and plan, and until its last moment."""
    given, wanted = approval.statement.predicate, deployment.statement.predicate
    _same_artifact(approval, deployment)
    if given.get("environment") != wanted.get("environment"):
        raise EvidenceInvalidError(f"approval {approval.digest} is for another environment")
    for name in ("decision", "plan"):
        if reference(given, name) != reference(wanted, name):
            raise EvidenceInvalidError(f"approval {approval.digest} is for another {name}")
    if parse_time(str(given.get("notAfter"))) < parse_time(str(wanted.get("startedOn"))):
        raise EvidenceInvalidError(f"approval {approval.digest} had expired when the deployment began")


_CHECKS: Final[dict[str, Callable[[Verified, Material], None]]] = {
    p.PROVENANCE: _check_provenance,
    p.REBUILD: _check_rebuild,
    p.VSA: _check_decision,
    p.APPROVAL: _check_approval,
    p.DEPLOYMENT: _check_deployment,
}


def _take(material: Material, digest: Digest, kind: str | None, by: Verified) -> Verified:
    """Give the evidence referred to, of a kind, if it stands and was logged before what refers to it."""
    name = p.short_name(kind) if kind else "evidence"
    found = material.evidence.get(digest)
    if found is None:
        raise EvidenceInvalidError(f"{name} {digest}, which it rests on, is not in the package")
    if kind and found.statement.predicate_type != kind:
        raise EvidenceInvalidError(f"{digest}, which it rests on, is no {name}")
    if kind and digest in material.aside:
        raise EvidenceInvalidError(
            f"{name} {digest}, which it rests on, does not count: {material.aside[digest]}"
        )
    if found.log_index >= by.log_index:
        raise EvidenceInvalidError(f"{name} {digest}, which it rests on, was logged after it")
    return found


def _same_artifact(one: Verified, other: Verified) -> None:
    if subject_digests(one.statement) != subject_digests(other.statement):
        raise EvidenceInvalidError(f"{one.digest}, which it rests on, is about another artifact")


def postures_of(verified: Verified) -> tuple[Digest, ...]:
    """Give the runner checks that a build names; nothing for evidence of other kinds.

    Raises:
        MalformedError: a reference that is none.
    """
    if verified.statement.predicate_type != p.PROVENANCE:
        return ()
    byproducts = _objects(_object(verified.statement.predicate.get("runDetails")).get("byproducts", []))
    return tuple(
        parse_digest_set(item.get("digest")) for item in byproducts if item.get("name") == "runner-posture"
    )


def _references(predicate: Mapping[str, Any], name: str) -> tuple[Digest, ...]:
    return tuple(parse_digest_set(item.get("digest")) for item in _objects(predicate.get(name, [])))


def _listed(document: Mapping[str, Any], name: str) -> tuple[Digest, ...]:
    return tuple(parse_digest(str(item.get("digest"))) for item in _objects(document.get(name, [])))


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError("a list of references that is none")
    return value
