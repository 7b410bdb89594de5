"""Evidence that a registry has about an image: Sigstore bundles attached as referrers.

As cosign 3 and Sigstore's clients attach it: one manifest a bundle, its artifact type the bundle's media
type, its `subject` the image, its only layer the bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.image.artifact import Artifact
from pratique.image.descriptor import Descriptor  # noqa: TC001 - msgspec reads the annotations
from pratique.image.manifest import parse_manifest
from pratique.trust.bundle import MAX_BUNDLE_BYTES
from pratique.trust.material import MEDIA_TYPE

if TYPE_CHECKING:
    from pratique.image.place import Reader
    from pratique.model.digest import Digest

BUNDLE_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
MAX_BUNDLES: Final = 512
MAX_BYTES: Final = 2 * MAX_BUNDLE_BYTES


class Attached(msgspec.Struct, frozen=True):
    """A bundle, and the manifest that attaches it; whether it holds is for the trust layer to say."""

    manifest: Descriptor
    bundle: bytes


def bundle_artifact(bundle: bytes, predicate_type: str, subject: Descriptor) -> Artifact:
    """Make what attaches a bundle with a statement to an image: the same bundle gives the same bytes."""
    annotations = {
        "dev.sigstore.bundle.content": "dsse-envelope",
        "dev.sigstore.bundle.predicateType": predicate_type,
    }
    return Artifact(MEDIA_TYPE, bundle, subject, annotations)


def fetch_bundles(place: Reader, digest: Digest) -> tuple[Attached, ...]:
    """Fetch the Sigstore bundles that refer to a manifest (I/O).

    Raises:
        EvidenceInvalidError: bytes that are not what they are called, or a referrer of something else.
        MalformedError: too many bundles, or more than 64 MiB of them.
        InfrastructureError: the registry does not answer.
    """
    found: list[Attached] = []
    left = MAX_BYTES
    for referrer in place.referrers(digest):
        if not referrer.artifact_type.startswith(BUNDLE_PREFIX):
            continue
        if len(found) == MAX_BUNDLES:
            raise MalformedError(f"more than {MAX_BUNDLES} bundles refer to {digest}")
        manifest = parse_manifest(place.document(referrer), f"referrer {referrer.digest.short}")
        if manifest.subject is None or not manifest.subject.digest.matches(digest):
            raise EvidenceInvalidError(f"{referrer.digest} is listed as a referrer of {digest}, and is none")
        if len(manifest.layers) != 1 or not manifest.layers[0].media_type.startswith(BUNDLE_PREFIX):
            raise MalformedError(f"referrer {referrer.digest}: not one Sigstore bundle")
        found.append(Attached(referrer, place.content(manifest.layers[0], min(left, MAX_BUNDLE_BYTES))))
        left -= manifest.layers[0].size
    return tuple(found)
