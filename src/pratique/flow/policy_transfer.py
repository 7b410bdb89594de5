"""A released policy to and from a registry; on the way in it is verified before anything of it is kept."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError, PratiqueError, UsageError
from pratique.flow.policy_archive import (
    MAX_ARCHIVE_BYTES,
    Packed,
    blobs,
    pack,
    parse_artifact,
    signature_manifest,
    unsigned,
)
from pratique.flow.policy_release import Accepted, Release, accept, pulled_file
from pratique.image.descriptor import MANIFEST, Descriptor, oci_media_type
from pratique.image.registry.client import Repository
from pratique.image.registry.credentials import load_credentials
from pratique.image.registry.evidence import fetch_bundles
from pratique.image.registry.http import Http
from pratique.model.digest import Digest, sha256_bytes
from pratique.store.atomic import write_atomic

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_REFERENCE: Final = re.compile(
    r"oci://(?P<host>[^/\s@]+)/(?P<name>[^:@\s]+)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
    r"(?:@sha256:(?P<hex>[0-9a-f]{64}))?\Z"
)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to a policy in a registry: `oci://HOST/REPOSITORY[:TAG][@sha256:…]`."""

    host: str
    name: str
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"oci://{self.host}/{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


class Pulled(msgspec.Struct, frozen=True):
    """A release that was fetched and accepted, and the file that has it now."""

    release: Release
    place: Place
    path: Path


def parse_place(text: str) -> Place:
    """Parse a reference.

    Raises:
        UsageError: it is none.
    """
    found = _REFERENCE.match(text)
    if not found:
        raise UsageError(
            f"not a place in a registry: {text[:120]!r}", hint="oci://HOST/REPOSITORY:TAG, or …@sha256:<hex>"
        )
    digest = Digest(found["hex"]) if found["hex"] else None
    return Place(host=found["host"], name=found["name"], tag=found["tag"] or "", digest=digest)


def open_repository(place: Place, auth: Path | None) -> Repository:
    """Open the repository of a place.

    Raises:
        UsageError: a name that registries do not have.
        ConfigError: see `load_credentials`.
    """
    return Repository(Http(place.host, load_credentials(auth, place.host, place.name)), place.name)


def push_release(packed: Packed, place: Place, repository: Repository) -> Place:
    """Push a policy under a tag, then its signature as a referrer; gives the place with its digest.

    Raises:
        UsageError: no tag is given, or the registry does not allow it.
        InfrastructureError: it refused, or does not answer.
    """
    if not place.tag or place.digest is not None:
        raise UsageError(f"{place}: pushing needs a tag, and no digest", hint="oci://HOST/REPOSITORY:TAG")
    for digest, data in blobs(packed).items():
        described = Descriptor(media_type="", digest=digest, size=len(data))
        if not repository.has_blob(described):
            repository.push_blob(described, io.BytesIO(data))
    artifact = packed.artifact
    referrer = signature_manifest(artifact, packed.signature)
    # The signature first, by its own digest: whoever finds the tag finds the signature.
    described = Descriptor(media_type=MANIFEST, digest=sha256_bytes(referrer), size=len(referrer))
    repository.put_manifest(described, referrer)
    repository.push_manifest(place.tag, artifact.data, MANIFEST)
    return msgspec.structs.replace(place, digest=artifact.descriptor.digest)


def pull_release(
    place: Place, repository: Repository, accepted: Accepted, *, at: datetime, home: Path
) -> Pulled:
    """Pull a policy and its signatures, verify, and only then keep it, as one archive in the state directory.

    Of several signatures the first that is accepted counts; anybody may attach more to what is public.

    Raises:
        UsageError: nothing is there.
        EvidenceInvalidError: it is no policy, not signed by whom it must be, expired, or not what is pinned.
        InfrastructureError: the registry does not answer.
    """
    described, data = repository.manifest(place.digest or place.tag)
    what = str(place)
    if oci_media_type(described.media_type) != MANIFEST:
        raise MalformedError(f"{what} is no policy, but {described.media_type[:80]!r}")
    artifact = parse_artifact(data, what)
    found = msgspec.structs.replace(place, digest=described.digest)
    if accepted.digest is not None and not artifact.policy.digest.matches(accepted.digest):
        raise EvidenceInvalidError(
            f"{what}: it holds policy {artifact.policy.digest}, where {accepted.digest} is pinned",
            hint="look what changed before you pin another: pratique policy diff",
        )
    signatures = fetch_bundles(repository, artifact.descriptor.digest)
    if not signatures:
        raise unsigned(what)
    policy = repository.content(artifact.policy, MAX_ARCHIVE_BYTES)
    refused: list[PratiqueError] = []
    for signature in signatures:
        packed = Packed(artifact=artifact, policy=policy, signature=signature.bundle)
        try:
            release = accept(packed, accepted, at=at, what=what)
        except EvidenceInvalidError as error:
            refused.append(error)
            continue
        path = pulled_file(home, artifact.policy.digest)
        write_atomic(path, pack(packed))
        return Pulled(release, found, path)
    raise refused[0]
