"""Verify an audit package: from one file and a fingerprint to what it proves, or to the step that failed.

Nothing but the given file is read; no network, no state folder, nothing is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.model import predicate as p
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.assemble import build_chain, fact_of, with_imported
from pratique.report.audit.archive import Package, open_package, read_package
from pratique.report.audit.imported import verify_brought
from pratique.report.audit.log import (
    Log,
    prefix_roots,
    unpack_entries,
    verify_entry,
    verify_log,
    verify_rotations,
    verify_seal_follows,
)
from pratique.report.audit.manifest import (
    CHECKPOINT,
    CONSISTENCY,
    SEAL,
    TRUSTED_ROOT,
    evidence_name,
    former_names,
    seal_predicate,
)
from pratique.report.audit.references import (
    Material,
    decision_record,
    packed,
    postures_of,
    take_blob,
    verify_references,
)
from pratique.report.audit.signers import subject_digests, verify_signer
from pratique.report.audit.step import step
from pratique.report.chain import Chain  # noqa: TC001 - msgspec reads the annotations at run time
from pratique.report.evidence_fact import EvidenceFact  # noqa: TC001 - likewise
from pratique.trust.batch import verify_bundles
from pratique.trust.bundle import parse_bundle
from pratique.trust.enrolment import enrolled_keys
from pratique.trust.imported import Imported  # noqa: TC001 - likewise
from pratique.trust.revocation import read_revocations, refuse_revoked, verify_under_any
from pratique.trust.root import TrustedRoot, parse_root
from pratique.trust.statement import parse_statement
from pratique.trust.succession import Link, administrator_of, follow
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pratique.trust.identity import EnrolledKey, Identity
    from pratique.trust.revocation import Revocation


class ReplayableDecision(msgspec.Struct, frozen=True):
    """All that is needed to evaluate a decision's policy again and compare.

    Attributes:
        vsa: the signed verdict.
        policy: the policy bundle's bytes.
        input: the bytes of the input document it was evaluated on.
        decision: the decision document's bytes, as recorded.
        inputs: the verified evidence that stood, in the order the VSA names it.
    """

    vsa: Verified
    policy: bytes
    input: bytes
    decision: bytes
    inputs: tuple[Verified, ...]


class ArtifactAudit(msgspec.Struct, frozen=True):
    """One artifact: its chain, its facts for the SSDF, its decisions in the order of the log."""

    chain: Chain
    facts: tuple[EvidenceFact, ...]
    decisions: tuple[ReplayableDecision, ...]


class AuditResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a package proved.

    Attributes:
        artifacts: one for each exported artifact.
        seal: the verified seal: by whom, and when.
        manifest: digest of the sealed manifest.
        tool_version: version of pratique that wrote the package, by its own account.
        evidence: every piece of verified evidence by digest.
        imported: others' evidence by the digest of the record that brought it in.
        blobs: every blob by digest.
        counts: number of pieces of evidence by predicate short name.
        log_size: number of entries of the log.
        warnings: what a reader should know though nothing is broken.
    """

    artifacts: tuple[ArtifactAudit, ...]
    seal: Verified
    manifest: Digest
    tool_version: str
    evidence: dict[Digest, Verified]
    imported: dict[Digest, Imported]
    blobs: dict[Digest, bytes]
    counts: dict[str, int]
    log_size: int
    warnings: tuple[str, ...]


def verify_package(path: Path, fingerprint: Digest) -> AuditResult:
    """Verify an audit package (docs/spec/audit-package.md).

    1. *size*: the file is no larger than allowed, before it is read.
    2. *SHA256*: its last member is the digest of all bytes before that member.
    3. *archive*: its bytes are the one encoding of its members, so that headers and padding hide nothing.
    4. *manifest*: it comes first, is canonical, and lists exactly the members there, in order, by size and
       digest; evidence and blobs are named by their digest.
    5. *trust root*: its fingerprint is the one the auditor gave, compared in constant time, or rotations lead
       to it from there, each signed under the root before; and it is the manifest's.
    6. *log*: the root's log signed the checkpoint, and the checkpoint's tree head is that of the entries.
    7. *seal*: it verifies, is by the administrator, is about this manifest, and was logged in a tree that
       continues the checkpoint's. The rotations are entries of this log.
    8. *evidence*: every bundle verifies against the root, people's keys by verified enrolments, and its entry
       and tree head are of this log. Others' evidence that one brought in verifies under the root it names.
    9. *signers*: what a signer was not entitled to claim does not count, and is warned of.
    10. *references*: every reference leads to evidence or a blob that is there, older, and about the same
        artifact, environment and plan; what was deployed had passed.

    What was left out of the package cannot be seen from it: the seal is the administrator's word for that.

    Args:
        path: the package.
        fingerprint: of the trusted root, obtained by a way of the auditor's own.

    Raises:
        UsageError: the file cannot be read.
        EvidenceInvalidError: it proves nothing; the message names the step and the member.
    """
    return verify_package_bytes(read_package(path), fingerprint)


def verify_package_bytes(data: bytes, fingerprint: Digest) -> AuditResult:
    """Verify a package in memory; see `verify_package`."""
    package = open_package(data)
    with step(5, TRUSTED_ROOT):
        root, rotations = _trusted_root(package, fingerprint)
        administrator = administrator_of(root)
    with step(6):
        leaves = unpack_entries(package.under("entries"))
        log = verify_log(leaves, package.members[CHECKPOINT], package.manifest.checkpoint, root)
        verify_rotations(rotations, log)
    with step(7, SEAL):
        seal = _verify_seal(package, root, administrator)
    with step(7, CONSISTENCY):
        verify_seal_follows(package.consistency, log.head, seal.bundle)
    bundles = {Digest(name.partition(".")[0]): data for name, data in package.under("evidence").items()}
    former = [parse_root(link.root) for link in _former(package).values()]
    evidence, keys, revocations = _verify_evidence(bundles, root, former, log)
    blobs = {Digest(name): data for name, data in package.under("blobs").items()}
    imported = _verify_imported(evidence, blobs, administrator, revocations)
    aside = _set_aside(evidence, administrator, keys)
    material = Material(evidence, aside, blobs, imported)
    verify_references(material)
    return _result(package, seal, material)


def _trusted_root(package: Package, fingerprint: Digest) -> tuple[TrustedRoot, tuple[Verified, ...]]:
    data = package.members[TRUSTED_ROOT]
    rotations = follow(fingerprint, data, _former(package))
    if str(sha256_bytes(data)) != package.manifest.trust_root:
        raise EvidenceInvalidError("the manifest names another root")
    return parse_root(data), rotations


def _former(package: Package) -> dict[Digest, Link]:
    found = {}
    for digest in {Digest(name.partition(".")[0]) for name in package.under("roots")}:
        root, rotation = former_names(digest)
        if root not in package.members or rotation not in package.members:
            raise EvidenceInvalidError(f"{root} or {rotation} is there without the other")
        found[digest] = Link(package.members[root], package.members[rotation])
    return found


def _verify_seal(package: Package, root: TrustedRoot, administrator: Identity) -> Verified:
    seal = verify_bundle(package.seal, root)
    if seal.statement.predicate_type != p.AUDIT_SEAL:
        raise EvidenceInvalidError(f"not an audit seal: {p.short_name(seal.statement.predicate_type)}")
    if seal.signer != administrator:
        raise EvidenceInvalidError(f"sealed by {seal.signer}, not by {administrator}")
    if subject_digests(seal.statement) != {package.manifest_digest}:
        raise EvidenceInvalidError("the seal is about another manifest")
    if seal.statement.predicate != seal_predicate(package.manifest):
        raise EvidenceInvalidError("the seal's own account of the package is not the manifest's")
    return seal


def _verify_evidence(
    bundles: Mapping[Digest, bytes], root: TrustedRoot, former: Sequence[TrustedRoot], log: Log
) -> tuple[dict[Digest, Verified], dict[str, EnrolledKey], tuple[Revocation, ...]]:
    """Verify certificates' bundles first: the enrolments among them tell the keys of the others."""
    parsed = {}
    for digest, data in bundles.items():
        with step(8, evidence_name(digest)):
            parsed[digest] = parse_bundle(data)
    administrator = administrator_of(root)
    with step(8):
        revoking = {
            digest
            for digest, item in parsed.items()
            if item.certificate is not None and parse_statement(item.payload).predicate_type == p.REVOCATION
        }
        revocations = read_revocations((bundles[digest] for digest in revoking), [root, *former])
    roots = prefix_roots(log.leaves, {bundle.log.tree_size for bundle in parsed.values()})
    verified: dict[Digest, Verified] = {}

    def verify(digests: Sequence[Digest], keys: Mapping[str, EnrolledKey]) -> None:
        others = [bundles[digest] for digest in digests if digest not in revoking]
        held = verify_bundles(others, root, keys=keys)
        for digest in digests:
            with step(8, evidence_name(digest)):
                if digest in revoking:
                    verified[digest] = verify_under_any(bundles[digest], [root, *former])
                else:
                    refuse_revoked(bundles[digest], root, revocations)
                    verified[digest] = next(held)
                verify_entry(verified[digest].bundle, log, roots)

    verify([digest for digest, bundle in parsed.items() if bundle.certificate is not None], {})
    with step(8):
        keys = enrolled_keys(
            (
                item
                for item in verified.values()
                if item.statement.predicate_type == p.ENROLMENT and item.signer == administrator
            ),
            administrator=administrator,
        )
    verify([digest for digest, bundle in parsed.items() if bundle.certificate is None], keys)
    return verified, keys, revocations


def _verify_imported(
    evidence: Mapping[Digest, Verified],
    blobs: Mapping[Digest, bytes],
    administrator: Identity,
    revocations: Sequence[Revocation],
) -> dict[Digest, Imported]:
    found = {}
    for digest, verified in evidence.items():
        with step(8, evidence_name(digest)):

            def get(wanted: Digest) -> bytes:
                return packed(blobs, wanted, "imported evidence or its root")

            if brought := verify_brought(verified, administrator, revocations, get):
                found[digest] = brought
    return found


def _set_aside(
    evidence: Mapping[Digest, Verified], administrator: Identity, keys: Mapping[str, EnrolledKey]
) -> dict[Digest, str]:
    aside = {}
    for digest, verified in evidence.items():
        try:
            verify_signer(verified, administrator, keys)
        except EvidenceInvalidError as error:
            aside[digest] = error.message
    return aside


def _result(package: Package, seal: Verified, material: Material) -> AuditResult:
    warnings = [f"evidence {digest} does not count: {reason}" for digest, reason in material.aside.items()]
    counts: dict[str, int] = {}
    for verified in material.evidence.values():
        kind = p.short_name(verified.statement.predicate_type)
        counts[kind] = counts.get(kind, 0) + 1
    audits = []
    for text in package.manifest.artifacts:
        digest = Digest(text.removeprefix("sha256:"))
        with step(10, str(digest)):
            audit = _audit_artifact(digest, package, seal, material)
        warnings += [f"{digest}: no evidence of {kind.value}" for kind in audit.chain.missing]
        audits.append(audit)
    return AuditResult(
        artifacts=tuple(audits),
        seal=seal,
        manifest=package.manifest_digest,
        tool_version=package.manifest.tool.version,
        evidence=dict(material.evidence),
        imported=dict(material.imported),
        blobs=dict(material.blobs),
        counts=dict(sorted(counts.items())),
        log_size=package.manifest.checkpoint.size,
        warnings=tuple(warnings),
    )


def _audit_artifact(digest: Digest, package: Package, seal: Verified, material: Material) -> ArtifactAudit:
    standing = with_imported(
        [item for key, item in material.evidence.items() if key not in material.aside],
        material.imported.values(),
    )
    own = [item for item in standing if digest in subject_digests(item.statement)]
    if not own:
        raise EvidenceInvalidError("an exported artifact that no evidence in the package is about")
    theirs = material.imported.keys()
    named = {key for item in own if item.digest not in theirs for key in postures_of(item)}
    chained = [*own, *(item for item in standing if item.digest in named)]
    people = [item for item in standing if item.statement.predicate_type == p.ENROLMENT]
    artifact = material.blobs.get(digest)
    chain = build_chain(
        digest,
        chained,
        documents=material.blobs,
        trust_root=Digest(package.manifest.trust_root.removeprefix("sha256:")),
        checkpoint=package.manifest.checkpoint,
        size=None if artifact is None else len(artifact),
    )
    facts = tuple(fact_of(item) for item in (*chained, *people, seal))
    decisions = sorted(
        (item for item in own if item.statement.predicate_type == p.VSA), key=lambda item: item.log_index
    )
    return ArtifactAudit(chain, facts, tuple(_replayable(item, material) for item in decisions))


def _replayable(vsa: Verified, material: Material) -> ReplayableDecision:
    record = decision_record(vsa, lambda digest: take_blob(material, digest, "decision"))
    return ReplayableDecision(
        vsa=vsa,
        policy=material.blobs[record.policy],
        input=material.blobs[record.input],
        decision=material.blobs[record.document_digest],
        inputs=tuple(material.evidence[digest] for digest in record.inputs),
    )
