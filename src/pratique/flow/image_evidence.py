"""Evidence where the image is: attached to it as referrers, and asked before the image's bytes are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.image_transfer import open_reader, open_target, resolve
from pratique.flow.progress import Outcome
from pratique.flow.verify import Judged, judge_contents
from pratique.image.copy import plan_copy, run_copy
from pratique.image.descriptor import Descriptor  # noqa: TC001 - msgspec reads the annotations
from pratique.image.registry.evidence import bundle_artifact, fetch_bundles
from pratique.trust.acceptance import Artifact
from pratique.trust.entity import Envelope
from pratique.trust.foreign.table import read_evidence
from pratique.trust.statement import parse_statement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pratique.flow.image_transfer import Access
    from pratique.flow.progress import Progress
    from pratique.flow.verify import Given
    from pratique.flow.workspace import Workspace
    from pratique.image.place import Reader
    from pratique.image.reference import Reference
    from pratique.model.digest import Digest
    from pratique.trust.revocation import Revocation
    from pratique.trust.root import TrustedRoot


class AttachedBundle(msgspec.Struct, frozen=True):
    """A bundle that is attached now: what it claims, and the manifest that attaches it."""

    predicate_type: str
    manifest: Descriptor


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What an image's evidence is judged by: the root, whom the caller trusts, what is revoked, the time."""

    root: TrustedRoot
    given: Given
    revocations: tuple[Revocation, ...]
    now: datetime


def journalled_bundles(workspace: Workspace, digest: Digest) -> list[tuple[str, bytes]]:
    """Give all evidence in the journal about an image that verifies.

    Raises:
        UsageError: there is none.
    """
    found = []
    for reference in reversed(workspace.journal.find(subject=digest)):
        try:
            workspace.verify(reference.digest)
        except EvidenceInvalidError:
            continue
        found.append((str(reference.digest), workspace.journal.get(reference.digest)))
    if not found:
        raise UsageError(
            f"the journal has no evidence about {digest}",
            hint="make some: pratique image build --attest, image check --attest; or give --bundle FILE",
        )
    return found


def attach(
    reference: Reference,
    image: Descriptor,
    bundles: Sequence[tuple[str, bytes]],
    access: Access,
    progress: Progress,
) -> list[AttachedBundle]:
    """Attach Sigstore bundles to an image where it is; one that is attached already stays as it is.

    Args:
        reference: where.
        image: its descriptor there.
        bundles: names for errors, and bytes.
        access: how registries are reached.
        progress: hears of it.

    Raises:
        UsageError: a bundle that is about something else, or has no statement.
        MalformedError: no bundle.
        InfrastructureError: the registry or the disk failed.
    """
    claims = [(_claim(name, data, image.digest), data) for name, data in bundles]
    artifacts = [(kind, bundle_artifact(data, kind, image)) for kind, data in claims]
    progress.begin("attach", f"{len(artifacts)} to {image.digest.short}")
    done = []
    with open_target(reference, access) as writer:
        for kind, artifact in artifacts:
            plan = plan_copy(artifact, artifact.descriptor, referrers=False)
            run_copy(plan, artifact, writer, "", lambda _done, _total: None)
            done.append(AttachedBundle(kind, artifact.descriptor))
    progress.end(Outcome.DONE, f"{len(done)} attached")
    return done


def ask_image(reader: Reader, digest: Digest, asking: Asking, progress: Progress) -> Judged:
    """Judge an image by what is attached to it; nothing of the image itself is read.

    Raises:
        EvidenceInvalidError: a list of referrers that is not true.
        ConfigError: a policy or key that cannot be used.
        InfrastructureError: the registry does not answer.
    """
    progress.begin("verify", f"{digest.short}: what refers to it")
    attached = fetch_bundles(reader, digest)
    judged = judge_contents(
        Artifact(digest.digest_set),
        [(f"referrer {one.manifest.digest.short}", one.bundle) for one in attached],
        asking.root,
        asking.given,
        revocations=asking.revocations,
        now=asking.now,
        spoils=False,
    )
    progress.end(
        Outcome.DONE if judged.accepted else Outcome.REFUSED,
        f"{len(attached)} bundles, {sum(one.about for one in judged.evidence)} that hold and are about it",
    )
    return judged


def verify_image(
    reference: Reference, access: Access, asking: Asking, progress: Progress
) -> tuple[Digest, Judged]:
    """Resolve an image and judge it by what is attached to it; see `ask_image`.

    Raises:
        UsageError: no such image.
    """
    reader = open_reader(reference, access)
    found = resolve(reference, reader, progress)
    return found.digest, ask_image(reader, found.digest, asking, progress)


def _claim(name: str, data: bytes, digest: Digest) -> str:
    """Say what a bundle claims, if it is about an image; whether it holds is the verifier's business."""
    contents = (entity.content for entity in read_evidence(data))
    statements = [parse_statement(one.payload) for one in contents if isinstance(one, Envelope)]
    if len(statements) != 1:
        raise UsageError(f"{name}: not one statement in a Sigstore bundle", hint="make one: pratique attest")
    if all(subject.digest.get("sha256") != digest.hex for subject in statements[0].subjects):
        raise UsageError(
            f"{name} is about something else than {digest}",
            hint="a statement's subject is the digest of the image's manifest",
        )
    return statements[0].predicate_type
