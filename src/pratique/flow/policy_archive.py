"""A released policy as an OCI artifact, and that artifact's layout as one tar file (pure).

    oci-layout
    index.json                  names the two manifests
    blobs/sha256/<policy>       a bundle's JSON, or an organisation's TOML: decisions name its digest
    blobs/sha256/<manifest>     artifact of a `Kind`; its only layer is the policy
    blobs/sha256/<signature>    Sigstore bundle: a policy-release statement about policy and manifest
    blobs/sha256/<referrer>     manifest of the signature, as Sigstore's tools push it; refers to the manifest
    blobs/sha256/<empty>        `{}`, the configuration of both

File and registry thus hold the same bytes under the same digests (OCI image-spec 1.1: image-layout.md,
manifest.md "Guidelines for Artifact Usage"). There is one encoding of a release: `unpack` accepts only what
`pack` writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.image.descriptor import EMPTY, MANIFEST, REF_NAME, Descriptor
from pratique.image.layout import MARKER, VERSION
from pratique.image.manifest import Manifest, encode_index, parse_index, parse_manifest
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.predicate import POLICY_RELEASE
from pratique.model.strict_json import canonical_json
from pratique.store import plain_tar
from pratique.trust.material import MEDIA_TYPE as SIGSTORE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.distribution.release import PolicyRelease

MAX_ARCHIVE_BYTES: Final = 64 << 20
_TITLE: Final = "org.opencontainers.image.title"
_VERSION: Final = "org.opencontainers.image.version"
_CONTENT: Final = "dev.sigstore.bundle.content"
_PREDICATE: Final = "dev.sigstore.bundle.predicateType"
_INDEX: Final = "index.json"
_BLOBS: Final = "blobs/sha256/"
_NOTHING: Final = b"{}"


class Kind(msgspec.Struct, frozen=True):
    """What is released: its artifact type, its layer's media type, and what people call it."""

    artifact_type: str
    layer: str
    noun: str


POLICY: Final = Kind(
    "application/vnd.pratique.policy.v1", "application/vnd.pratique.policy.v1+json", "a policy"
)
ORGANISATION: Final = Kind(
    "application/vnd.pratique.organisation.v1",
    "application/vnd.pratique.organisation.v1+toml",
    "an organisation's policy",
)
_KINDS: Final = {kind.artifact_type: kind for kind in (POLICY, ORGANISATION)}


class Artifact(msgspec.Struct, frozen=True):
    """A policy's manifest.

    Attributes:
        kind: whether it is a policy or an organisation's.
        policy: the layer's descriptor; its digest is the policy's.
        data: the manifest's bytes.
    """

    kind: Kind
    policy: Descriptor
    data: bytes

    @property
    def descriptor(self) -> Descriptor:
        """What names the manifest."""
        manifest = parse_manifest(self.data, "policy manifest")
        return _describe(
            self.data, MANIFEST, artifact_type=self.kind.artifact_type, annotations=manifest.annotations
        )


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive or a registry holds; nothing in it is verified yet.

    Attributes:
        artifact: the policy's manifest.
        policy: the bundle's bytes, hashed to the manifest's layer.
        signature: bytes of a Sigstore bundle.
    """

    artifact: Artifact
    policy: bytes
    signature: bytes


def make_artifact(policy: bytes, release: PolicyRelease, kind: Kind) -> Artifact:
    """Make the manifest that carries a policy; what it says about itself is for people."""
    layer = _describe(policy, kind.layer)
    annotations = {_TITLE: release.name, _VERSION: release.version}
    manifest = Manifest(
        config=_describe(_NOTHING, EMPTY),
        layers=(layer,),
        artifact_type=kind.artifact_type,
        annotations=annotations,
    )
    return Artifact(kind, layer, manifest.encode())


def parse_artifact(data: bytes, what: str) -> Artifact:
    """Read a policy's manifest.

    Raises:
        MalformedError: another kind of artifact.
    """
    manifest = parse_manifest(data, what)
    layers = manifest.layers
    kind = _KINDS.get(manifest.artifact_type)
    if kind is None or len(layers) != 1 or layers[0].media_type != kind.layer:
        found = manifest.artifact_type or manifest.config.media_type
        raise MalformedError(
            f"{what} is no policy, but {found[:80]!r}", hint="pratique policy bundle makes one"
        )
    if layers[0].size > MAX_ARCHIVE_BYTES:
        raise MalformedError(f"{what}: a policy of {layers[0].size} bytes, more than {MAX_ARCHIVE_BYTES}")
    return Artifact(kind, layers[0], data)


def signature_manifest(artifact: Artifact, signature: bytes) -> bytes:
    """Make the manifest that attaches a Sigstore bundle to the policy's, as cosign 2.4 and later do."""
    return Manifest(
        config=_describe(_NOTHING, EMPTY),
        layers=(_describe(signature, SIGSTORE),),
        artifact_type=SIGSTORE,
        subject=_describe(artifact.data, MANIFEST),
        annotations={_CONTENT: "dsse-envelope", _PREDICATE: POLICY_RELEASE},
    ).encode()


def blobs(packed: Packed) -> dict[Digest, bytes]:
    """Give everything but the two manifests, by digest."""
    return {sha256_bytes(data): data for data in (packed.policy, packed.signature, _NOTHING)}


def pack(packed: Packed) -> bytes:
    """Write the archive; the same release gives the same bytes."""
    referrer = signature_manifest(packed.artifact, packed.signature)
    files = {
        f"{_BLOBS}{sha256_bytes(data).hex}": data
        for data in (*blobs(packed).values(), packed.artifact.data, referrer)
    }
    manifest = parse_manifest(referrer, "referrer")
    named = _describe(referrer, MANIFEST, artifact_type=SIGSTORE, annotations=manifest.annotations)
    described = packed.artifact.descriptor
    # By this name tools for layouts choose the policy, and not its signature.
    tagged = {**described.annotations, REF_NAME: described.annotations.get(_VERSION, "policy")}
    files[_INDEX] = encode_index((msgspec.structs.replace(described, annotations=tagged), named))
    files[MARKER] = canonical_json({"imageLayoutVersion": VERSION})
    members = [plain_tar.Member(name, files[name]) for name in sorted(files)]
    return plain_tar.encode(members) + plain_tar.END


def unpack(data: bytes, what: str) -> Packed:
    """Read an archive.

    Raises:
        MalformedError: too large, or not one that `pack` wrote.
        EvidenceInvalidError: it carries no signature.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise MalformedError(f"{what}: larger than {MAX_ARCHIVE_BYTES} bytes")
    try:
        files = {member.name: member.data for member in plain_tar.parse(data)}
        packed = _read(files, what)
    except MalformedError as error:
        message = error.message if what in error.message else f"{what}: {error.message}"
        raise MalformedError(message, hint=error.hint or "pratique policy bundle makes one") from error
    if pack(packed) != data:
        raise MalformedError(f"{what}: holds more than one signed policy, or is written another way")
    return packed


def _read(files: Mapping[str, bytes], what: str) -> Packed:
    if _INDEX not in files:
        raise MalformedError(f"{what} is no policy archive: it has no {_INDEX}")
    offered = parse_index(files[_INDEX], f"{what}: {_INDEX}")
    policies = [item for item in offered if item.artifact_type in _KINDS]
    if len(policies) != 1:
        raise MalformedError(f"{what}: {len(policies)} policies in it, not one")
    artifact = parse_artifact(_blob(files, policies[0].digest, what), what)
    signatures = [item for item in offered if item.artifact_type == SIGSTORE]
    if not signatures:
        raise unsigned(what)
    layers = parse_manifest(_blob(files, signatures[0].digest, what), f"{what}: signature").layers
    if len(layers) != 1:
        raise MalformedError(f"{what}: its signature has {len(layers)} layers, not one")
    return Packed(
        artifact=artifact,
        policy=_blob(files, artifact.policy.digest, what),
        signature=_blob(files, layers[0].digest, what),
    )


def unsigned(what: str) -> EvidenceInvalidError:
    """Say that a policy without a signature is refused."""
    return EvidenceInvalidError(
        f"{what}: the policy is not signed", hint="its publisher signs it: pratique policy bundle"
    )


def _blob(files: Mapping[str, bytes], digest: Digest, what: str) -> bytes:
    data = files.get(f"{_BLOBS}{digest.hex}")
    if data is None:
        raise MalformedError(f"{what}: blob {digest.short} is missing")
    if not sha256_bytes(data).matches(digest):
        raise MalformedError(f"{what}: blob {digest.short} has other bytes than its name says")
    return data


def _describe(
    data: bytes, media_type: str, artifact_type: str = "", annotations: dict[str, str] | None = None
) -> Descriptor:
    return Descriptor(
        media_type=media_type,
        digest=sha256_bytes(data),
        size=len(data),
        artifact_type=artifact_type,
        annotations=annotations or {},
    )
