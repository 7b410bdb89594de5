"""Export artifacts' chains from the journal as one sealed file (I/O through journal and blobs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.model import predicate as p
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit.archive import encode_package
from pratique.report.audit.former import former_links, former_members
from pratique.report.audit.imported import verify_brought
from pratique.report.audit.log import encode_consistency, pack_entries
from pratique.report.audit.manifest import (
    CHECKPOINT,
    MANIFEST,
    TRUSTED_ROOT,
    Manifest,
    Tool,
    blob_name,
    evidence_name,
    list_member,
    order_of,
    seal_predicate,
)
from pratique.report.audit.references import decision_record, reference, references_of
from pratique.report.audit.signers import may_claim
from pratique.report.audit.verify import AuditResult, verify_package_bytes
from pratique.report.chain import LogHead
from pratique.store.atomic import write_atomic
from pratique.trust.enrolment import enrolled_keys
from pratique.trust.identity import KEYS_ALONE
from pratique.trust.note import Checkpoint, verify_checkpoint
from pratique.trust.revocation import Revocation, RevokedError, read_revocations, refuse_revoked
from pratique.trust.root import parse_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.succession import administrator_of
from pratique.trust.verify import Verified, log_public_key, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pratique.journal.journal import Journal
    from pratique.store.blobs import BlobStore
    from pratique.trust.identity import EnrolledKey, Identity
    from pratique.trust.imported import Imported
    from pratique.trust.root import TrustedRoot
    from pratique.trust.signers.port import Signer


class Exported(msgspec.Struct, frozen=True):
    """A package that was written.

    Attributes:
        digest: SHA-256 of the file.
        size: of the file, in bytes.
        seal: evidence digest of the seal, which is in the journal.
        left_out: evidence about the artifacts that is not in the package as it does not verify; why.
        audit: what verifying the file gave.
    """

    digest: Digest
    size: int
    seal: Digest
    left_out: dict[Digest, str]
    audit: AuditResult


class Contents(msgspec.Struct, frozen=True):
    """What goes into a package: bundles and blobs by digest, and bundles left out with the reason."""

    evidence: dict[Digest, bytes]
    blobs: dict[Digest, bytes]
    left_out: dict[Digest, str]


def write_package(
    path: Path,
    artifacts: Iterable[Digest],
    *,
    journal: Journal,
    blobs: BlobStore,
    root: TrustedRoot,
    signer: Signer,
    version: str,
    with_artifacts: bool = False,
) -> Exported:
    """Export artifacts' chains as one file, seal it, log the seal, and verify the result before writing it.

    Args:
        path: where the file is to be; replaced as a whole if it is there.
        artifacts: whose chains to export.
        journal: where the evidence is, and where the seal goes.
        blobs: where policies, decision documents and artifacts are.
        root: the trusted root of the journal.
        signer: the administrator.
        version: of pratique, for the manifest.
        with_artifacts: bring the artifacts' own bytes along.

    Raises:
        UsageError: no artifact, or one that no evidence is about.
        EvidenceInvalidError: evidence, or a blob it needs, is missing or does not verify; nothing is written.
        InfrastructureError: the disk refused.
    """
    wanted = sorted(set(artifacts))
    note = journal.checkpoint()
    log = root.tlogs[0]
    head = verify_checkpoint(note, log.origin, log_public_key(log))
    contents = gather(wanted, journal=journal, blobs=blobs, root=root, size=head.size)
    if with_artifacts:
        contents.blobs.update({digest: blobs.get(digest) for digest in wanted})
    members = {
        TRUSTED_ROOT: root.data,
        **former_members(former_links(root, journal=journal, blobs=blobs)),
        CHECKPOINT: note.encode(),
        **pack_entries(list(journal.entries(0, head.size))),
        **{evidence_name(digest): data for digest, data in contents.evidence.items()},
        **{blob_name(digest): data for digest, data in contents.blobs.items()},
    }

    def seal(statement: Statement) -> tuple[bytes, tuple[bytes, ...]]:
        recorded = journal.append([signer.sign(statement)])[0]
        size = verify_bundle(recorded.bundle, root).bundle.log.tree_size
        return recorded.bundle, journal.prove_consistency(head.size, size)

    data, seal_digest = compose(members, head, wanted, root=root, version=version, seal=seal)
    audit = verify_package_bytes(data, root.fingerprint)
    write_atomic(path, data)
    return Exported(sha256_bytes(data), len(data), seal_digest, contents.left_out, audit)


def compose(
    members: Mapping[str, bytes],
    head: Checkpoint,
    artifacts: Iterable[Digest],
    *,
    root: TrustedRoot,
    version: str,
    seal: Callable[[Statement], tuple[bytes, tuple[bytes, ...]]],
) -> tuple[bytes, Digest]:
    """Make a package's bytes of its members, and give the seal's evidence digest too.

    Args:
        members: the listed members by name, in any order.
        head: the tree head of the checkpoint among them.
        artifacts: digests of the artifacts exported.
        root: the trusted root among them.
        version: of pratique.
        seal: signs and logs a statement; gives its bundle, and proof that its tree continues `head`.
    """
    manifest = Manifest(
        tool=Tool("pratique", version),
        trust_root=str(root.fingerprint),
        checkpoint=LogHead(origin=head.origin, size=head.size, root=head.root.hex()),
        artifacts=tuple(sorted(str(digest) for digest in artifacts)),
        members=tuple(list_member(name, members[name]) for name in sorted(members, key=order_of)),
    )
    encoded = manifest.encode()
    subject = Subject(MANIFEST, sha256_bytes(encoded).digest_set)
    bundle, hashes = seal(Statement((subject,), p.AUDIT_SEAL, seal_predicate(manifest)))
    data = encode_package(encoded, members, consistency=encode_consistency(hashes), seal=bundle)
    return data, sha256_bytes(bundle)


def gather(
    artifacts: Iterable[Digest], *, journal: Journal, blobs: BlobStore, root: TrustedRoot, size: int
) -> Contents:
    """Collect the evidence about artifacts, all enrolments, and whatever those rest on.

    Args:
        artifacts: digests of the artifacts.
        journal: where the evidence is.
        blobs: where policies and decision documents are.
        root: the trusted root of the journal.
        size: number of log entries to look at; what was logged later is left for the next package.

    Raises:
        UsageError: no artifact, or one without evidence.
        EvidenceInvalidError: something they rest on is missing.
    """
    administrator = administrator_of(root)
    found = journal.find(predicate_type=p.ENROLMENT)
    refs = [ref for ref in found if ref.index < size and ref.key_id is None]  # a person's key enrols nobody
    revoking = [ref for ref in journal.find(predicate_type=p.REVOCATION) if ref.index < size]
    statements = {ref.digest: journal.get(ref.digest) for ref in revoking if ref.key_id is None}
    former = former_links(root, journal=journal, blobs=blobs).values() if statements else ()
    roots = [root, *(parse_root(link.root) for link in former)]
    revocations = read_revocations(statements.values(), roots)
    enrolments, left_out = _standing({ref.digest: journal.get(ref.digest) for ref in refs}, root, revocations)
    keys = _keys(enrolments.values(), root, administrator)
    contents = Contents({**enrolments, **statements}, {}, left_out)
    pending = _about(artifacts, journal, size)
    seen: set[Digest] = set()
    while pending:
        digest = pending.pop()
        if digest in seen:
            continue
        seen.add(digest)
        data = journal.get(digest)
        try:
            refuse_revoked(data, root, revocations)
            verified = verify_bundle(data, root, keys=keys)
            brought = verify_brought(verified, administrator, revocations, blobs.get)
        except EvidenceInvalidError as error:
            contents.left_out[digest] = error.message
            continue
        contents.evidence[digest] = data
        if brought is not None:
            contents.blobs.update(_blobs_behind(brought, blobs))
        if may_claim(verified, administrator, keys):
            pending += references_of(verified, blobs.get)
            contents.blobs.update(_blobs_of(verified, blobs))
    return contents


def _standing(
    bundles: Mapping[Digest, bytes], root: TrustedRoot, revocations: Sequence[Revocation]
) -> tuple[dict[Digest, bytes], dict[Digest, str]]:
    """Tell enrolments that count from those that were revoked, and why."""
    revoked: dict[Digest, str] = {}
    for digest, data in bundles.items():
        try:
            refuse_revoked(data, root, revocations)
        except RevokedError as error:
            revoked[digest] = error.message
    return {digest: data for digest, data in bundles.items() if digest not in revoked}, revoked


def _about(artifacts: Iterable[Digest], journal: Journal, size: int) -> list[Digest]:
    found: list[Digest] = []
    for artifact in artifacts:
        about = [ref.digest for ref in journal.find(subject=artifact) if ref.index < size]
        if not about:
            raise UsageError(f"no evidence about {artifact}", hint="make some: pratique ship")
        found += about
    if not found:
        raise UsageError("no artifact to export", hint="name one by its digest: pratique audit export")
    return found


def _keys(enrolments: Iterable[bytes], root: TrustedRoot, administrator: Identity) -> dict[str, EnrolledKey]:
    verified = [verify_bundle(data, root) for data in enrolments]
    standing = [item for item in verified if item.signer == administrator]
    return enrolled_keys(standing, administrator=administrator)


def _blobs_behind(brought: Imported, blobs: BlobStore) -> dict[Digest, bytes]:
    """Give the file of others' evidence, and the trusted root that it was verified under."""
    source = brought.source
    named = [source.evidence, *([source.root] if source.root_name != KEYS_ALONE else [])]
    return {digest: blobs.get(digest) for digest in named}


def _blobs_of(verified: Verified, blobs: BlobStore) -> dict[Digest, bytes]:
    """Give the blobs that evidence names: what a decision rests on, a deployment's plan where it was kept."""
    digests: list[Digest] = []
    if verified.statement.predicate_type == p.VSA:
        record = decision_record(verified, blobs.get)
        digests = [record.policy, record.document_digest, record.input]
    elif verified.statement.predicate_type == p.DEPLOYMENT:
        plan = reference(verified.statement.predicate, "plan")
        digests = [plan] if blobs.has(plan) else []
    return {digest: blobs.get(digest) for digest in digests}
