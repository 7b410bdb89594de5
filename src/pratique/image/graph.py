"""What a manifest or an index leads to (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError
from pratique.image.descriptor import INDEX, MANIFEST, Descriptor, oci_media_type, parse_descriptor
from pratique.image.fields import text, text_map
from pratique.image.manifest import MAX_DOCUMENT_BYTES, parse_index, parse_manifest
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from pratique.model.digest import Digest

_ELSEWHERE: Final = ("nondistributable", ".foreign.")


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """What a document names.

    Attributes:
        manifests: an index's manifests and indexes.
        blobs: a manifest's configuration and layers, without those that may not be distributed.
        subject: what it refers to.
        artifact_type: as a list of referrers has it: for an image its configuration's media type.
        annotations: its own.
    """

    manifests: tuple[Descriptor, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: dict[str, str] = {}

    def listed(self, descriptor: Descriptor) -> Descriptor:
        """Describe the document as a list of referrers does (distribution-spec, "Listing Referrers")."""
        return Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            artifact_type=self.artifact_type,
            annotations=self.annotations,
        )


def parse_links(data: bytes, media_type: str, what: str) -> Links:
    """Read a manifest or an index, OCI's or Docker's.

    Raises:
        MalformedError: neither, or not well-formed.
    """
    kind = oci_media_type(media_type)
    if kind == MANIFEST:
        manifest = parse_manifest(data, what)
        return Links(
            blobs=tuple(
                part
                for part in (manifest.config, *manifest.layers)
                if not any(word in part.media_type for word in _ELSEWHERE)
            ),
            subject=manifest.subject,
            artifact_type=manifest.artifact_type or manifest.config.media_type,
            annotations=manifest.annotations,
        )
    if kind != INDEX:
        raise MalformedError(f"{what} is neither an image nor an index, but {media_type[:80]!r}")
    manifests = parse_index(data, what)
    body = parse_json_object(data, what=what, max_bytes=MAX_DOCUMENT_BYTES)
    subject = body.get("subject")
    return Links(
        manifests=manifests,
        subject=None if subject is None else parse_descriptor(subject, what),
        artifact_type=text(body, "artifactType", what),
        annotations=text_map(body, "annotations", what),
    )


def refers_to(links: Links, digest: Digest) -> bool:
    """Say whether a document's subject is a manifest."""
    return links.subject is not None and links.subject.digest.matches(digest)
