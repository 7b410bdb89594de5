"""Whole images between a layout and a registry: blobs first, the manifest that names them last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import MalformedError
from pratique.image.descriptor import MANIFEST, Descriptor, oci_media_type
from pratique.image.manifest import parse_manifest

if TYPE_CHECKING:
    from pratique.image.layout import Layout
    from pratique.image.layoutwrite import LayoutWriter
    from pratique.image.registry.client import Repository
    from pratique.model.digest import Digest


def push_image(
    layout: Layout, descriptor: Descriptor, repository: Repository, tag: str | None = None
) -> None:
    """Push an image or artifact, and list it with its subject's referrers where it has one.

    What the repository has already is not sent again. Every blob is hashed before it leaves.

    Raises:
        EvidenceInvalidError: the layout's bytes are not what they are called.
        InfrastructureError: the registry refused.
    """
    manifest = layout.manifest(descriptor)
    for part in (*manifest.layers, manifest.config):
        if not repository.has_blob(part.digest):
            with layout.open(part) as blob:
                repository.push_blob(part, blob)
    data = layout.read(descriptor)
    kept = repository.push_manifest(tag or descriptor.digest, data, descriptor.media_type)
    if manifest.subject and not kept:
        listed = Descriptor(
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            artifact_type=manifest.artifact_type or manifest.config.media_type,
            annotations=manifest.annotations,
        )
        repository.add_fallback(manifest.subject.digest, listed)


def pull_image(repository: Repository, reference: str | Digest, writer: LayoutWriter) -> Descriptor:
    """Pull an image into a layout and name it there; blobs that are there already are not fetched.

    Raises:
        MalformedError: the reference names an index: choose one of its images by digest.
        EvidenceInvalidError: bytes that are not what they are called; nothing is kept of them.
    """
    descriptor, data = repository.manifest(reference)
    if oci_media_type(descriptor.media_type) != MANIFEST:
        raise MalformedError(
            f"{repository.name}: {reference} is no image, but {descriptor.media_type[:80]!r}"
        )
    manifest = parse_manifest(data, f"manifest {descriptor.digest.short}")
    for part in (*manifest.layers, manifest.config):
        if not writer.has(part):
            with writer.blob() as blob:
                repository.blob(part, blob.write)
    written = writer.add(data, descriptor.media_type)
    writer.publish(written)
    return written
