"""Descriptors: how every OCI document names another (OCI image-spec 1.1, descriptor.md)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.image.fields import mapping, text, text_map, texts
from pratique.model.digest import Digest, parse_digest

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY: Final = "application/vnd.oci.empty.v1+json"

REF_NAME: Final = "org.opencontainers.image.ref.name"

_FROM_DOCKER: Final = {
    "application/vnd.docker.distribution.manifest.v2+json": MANIFEST,
    "application/vnd.docker.distribution.manifest.list.v2+json": INDEX,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
}
_MAX_SIZE: Final = 1 << 40


def oci_media_type(media_type: str) -> str:
    """Give the OCI name of a media type that Docker named first; the bytes are the same."""
    return _FROM_DOCKER.get(media_type, media_type)


class Platform(msgspec.Struct, frozen=True, order=True):
    """What machine an image is for, written `os/architecture[/variant]`."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def to_json(self) -> dict[str, str]:
        """Give the image-spec's form."""
        body = {"os": self.os, "architecture": self.architecture, "variant": self.variant}
        return {key: value for key, value in body.items() if value}


def parse_platform(value: str) -> Platform:
    """Parse `os/architecture[/variant]`.

    Raises:
        MalformedError: anything else.
    """
    parts = value.split("/")
    if len(parts) not in {2, 3} or not all(part.isalnum() and part.isascii() for part in parts):
        raise MalformedError(
            f"not a platform: {value[:80]!r}", hint="write it as linux/amd64 or linux/arm/v7"
        )
    return Platform(*parts)


class Descriptor(msgspec.Struct, frozen=True, kw_only=True):
    """Names bytes by what they are, how many, and their digest.

    Attributes:
        media_type: as its writer put it; `oci_media_type` makes Docker's names ours.
        digest: SHA-256 of the bytes.
        size: bytes.
        annotations: free text by key.
        platform: in an index, the machine it is for.
        artifact_type: in an index, the kind of artifact.
        urls: other places to get the bytes from; never used here.
    """

    media_type: str
    digest: Digest
    size: int
    annotations: dict[str, str] = {}
    platform: Platform | None = None
    artifact_type: str = ""
    urls: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give the image-spec's form."""
        body: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.annotations:
            body["annotations"] = self.annotations
        if self.platform:
            body["platform"] = self.platform.to_json()
        if self.artifact_type:
            body["artifactType"] = self.artifact_type
        if self.urls:
            body["urls"] = list(self.urls)
        return body


def parse_descriptor(value: object, what: str) -> Descriptor:
    """Parse a descriptor out of a document.

    Args:
        value: the JSON value.
        what: names the document in errors.

    Raises:
        MalformedError: a field is missing or of another type, or the digest is not SHA-256.
    """
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: a descriptor is not an object")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_SIZE:
        raise MalformedError(f"{what}: a descriptor's size is not a number of bytes: {str(size)[:40]}")
    media_type = text(value, "mediaType", what)
    if not media_type:
        raise MalformedError(f"{what}: a descriptor without a media type")
    return Descriptor(
        media_type=media_type,
        digest=parse_digest(text(value, "digest", what)),
        size=size,
        annotations=text_map(value, "annotations", what),
        platform=_platform(mapping(value, "platform", what), what),
        artifact_type=text(value, "artifactType", what),
        urls=texts(value, "urls", what),
    )


def _platform(value: dict[str, Any], what: str) -> Platform | None:
    if not value:
        return None
    return Platform(
        os=text(value, "os", what),
        architecture=text(value, "architecture", what),
        variant=text(value, "variant", what),
    )
