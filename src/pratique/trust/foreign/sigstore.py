"""Sigstore bundles of every version, whoever made them: cosign, GitHub, npm, the SLSA generators …."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.trust import protojson
from pratique.trust.material import MEDIA_TYPE, read_entity

if TYPE_CHECKING:
    from pratique.model.digest import Digest
    from pratique.trust.entity import Claimed, Entity

_PREFIX: Final = "application/vnd.dev.sigstore.bundle"
MEDIA_TYPES: Final = {
    f"{_PREFIX}+json;version=0.1",
    f"{_PREFIX}+json;version=0.2",
    f"{_PREFIX}+json;version=0.3",
    MEDIA_TYPE,
}
_PROMISED: Final = f"{_PREFIX}+json;version=0.1"


def is_bundle(document: dict[str, Any]) -> bool:
    """Say whether a document means to be a bundle, of a version that is read or not."""
    media = document.get("mediaType")
    return isinstance(media, str) and media.startswith(_PREFIX)


def read_bundle(document: dict[str, Any], source: Digest, claimed: Claimed | None = None) -> Entity:
    """Read a bundle (protobuf-specs sigstore_bundle.proto).

    Version 0.1 may have the log's promise alone; later ones have an inclusion proof with each log entry.

    Raises:
        MalformedError: a version that is not read, or see `trust.material.read_entity`.
    """
    protojson.refuse_aliases(document, "bundle")
    media = document.get("mediaType")
    if media not in MEDIA_TYPES:
        raise MalformedError(f"bundle: media type {str(media)[:80]!r} is not supported")
    entity = read_entity(document, source, str(media))
    if entity.certificate is not None and not entity.entries and not entity.timestamps:
        raise MalformedError(
            "bundle: a certificate signed it, and it has neither a log entry nor a timestamp"
        )
    if media == _PROMISED:
        if any(entry.promise is None for entry in entity.entries):
            raise MalformedError("bundle: version 0.1 needs the log's promise with each entry")
    elif any(entry.proof is None for entry in entity.entries):
        raise MalformedError("bundle: its log entry has no inclusion proof")
    return entity if claimed is None else msgspec.structs.replace(entity, claimed=claimed)
