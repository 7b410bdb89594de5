"""Evidence about an artifact, gathered from the journal and verified: what holds, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.model import predicate
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.build_facts import byproducts
from pratique.policy.evidence import Evidence, Rejected
from pratique.policy.standing import OF_THE_BUILD
from pratique.trust.imported import Imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pratique.flow.workspace import Workspace
    from pratique.trust.verify import Verified


class Gathered(msgspec.Struct, frozen=True):
    """What the journal holds about one artifact, oldest first.

    Attributes:
        verified: evidence of one's own, records of others' among it.
        rejected: what does not verify.
        imported: evidence of others.
    """

    verified: tuple[Verified, ...]
    rejected: tuple[Rejected, ...]
    imported: tuple[Imported, ...] = ()

    @property
    def claims(self) -> tuple[Verified | Imported, ...]:
        """All that holds, whoever made it."""
        return (*self.verified, *self.imported)

    def of_type(self, predicate_type: str) -> list[Verified]:
        """Give the verified evidence of one type, newest first."""
        return [item for item in reversed(self.verified) if item.statement.predicate_type == predicate_type]


def gather(workspace: Workspace, artifact: Digest) -> Gathered:
    """Verify everything the journal holds about an artifact, and what its provenance names of its build.

    Raises:
        EvidenceInvalidError: the enrolments are damaged, so that no evidence can be judged.
    """
    _ = workspace.community  # if this fails, the evidence below is not what is wrong
    verified: dict[Digest, Verified] = {}
    rejected: list[Rejected] = []
    for reference in reversed(workspace.journal.find(subject=artifact)):
        try:
            verified[reference.digest] = workspace.verify(reference.digest)
        except EvidenceInvalidError as error:
            rejected.append(_rejected(reference.digest, reference.predicate_type, error))
    for item in list(verified.values()):
        if item.statement.predicate_type == predicate.PROVENANCE:
            for name in OF_THE_BUILD:
                for named in sorted(byproducts(item.statement.predicate, name)):
                    try:
                        verified[named] = workspace.verify(named)
                    except EvidenceInvalidError as error:
                        rejected.append(_rejected(named, predicate.SHORT_NAMES[name], error))
    ordered = sorted(verified.values(), key=lambda item: item.log_index)
    imported, refused = _imported(workspace, ordered)
    return Gathered(tuple(ordered), (*rejected, *refused), imported)


def _imported(
    workspace: Workspace, verified: Iterable[Verified]
) -> tuple[tuple[Imported, ...], tuple[Rejected, ...]]:
    """Verify what was brought in; a record of anybody's but the verifier's is nothing to reject."""
    verifier = workspace.authority.signer("verifier").identity
    held: list[Imported] = []
    refused: list[Rejected] = []
    for item in verified:
        if item.statement.predicate_type == predicate.IMPORTED and item.signer == verifier:
            try:
                held.append(workspace.imported(item))
            except EvidenceInvalidError as error:
                said = str(item.statement.predicate.get("predicateType"))
                refused.append(_rejected(item.digest, said, error))
    return tuple(held), tuple(refused)


def newest(
    workspace: Workspace,
    predicate_type: str,
    signer_role: str,
    accept: Callable[[Verified], bool],
    subject: Digest | None = None,
) -> Verified | None:
    """Find the newest verified evidence of a type that our own role signed and `accept` agrees to.

    This is how a run that was cut off continues: what was done before is found by what it was done on.

    Raises:
        EvidenceInvalidError: the enrolments are damaged, so that no evidence can be judged.
    """
    _ = workspace.community
    expected = workspace.authority.signer(signer_role).identity
    for reference in workspace.journal.find(subject=subject, predicate_type=predicate_type):
        try:
            item = workspace.verify(reference.digest)
        except EvidenceInvalidError:
            continue
        if item.signer == expected and accept(item):
            return item
    return None


def for_policy(item: Verified | Imported) -> Evidence:
    """Hand verified evidence to the policy room as plain values.

    Others' evidence is about the artifact by the record's word: it may name it by another digest than ours.
    """
    record, root = (item.record, str(item.source.root)) if isinstance(item, Imported) else (item, "")
    about = record.statement.subjects
    names = item.names if isinstance(item, Imported) else {subject.name for subject in about if subject.name}
    signer = item.signer
    return Evidence(
        digest=item.digest,
        predicate_type=item.statement.predicate_type,
        subjects=tuple(subject.sha256 for subject in about if "sha256" in subject.digest),
        predicate=item.statement.predicate,
        signer=signer.subject if signer.kind == "certificate" else f"key:sha256:{signer.subject}",
        signer_kind=signer.kind,
        signer_issuer=signer.issuer,
        root=signer.root,
        root_digest=root.removeprefix("sha256:"),
        signed_at=item.signed_at,
        dated=not isinstance(item, Imported) or item.established.signed_at is not None,
        log_index=record.log_index,
        names=tuple(sorted(names)),
    )


def source_annotations(provenance: dict[str, Any]) -> dict[str, Any]:
    """Give what our own builder's provenance says about the source besides its digest."""
    for dependency in provenance["buildDefinition"]["resolvedDependencies"]:
        notes: dict[str, Any] = dependency.get("annotations") or {}
        if notes.get("kind") == "source":
            return notes
    return {}


def _rejected(digest: Digest, predicate_type: str, error: EvidenceInvalidError) -> Rejected:
    return Rejected(digest=digest, predicate_type=predicate_type, reason=error.message)
