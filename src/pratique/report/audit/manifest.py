"""The manifest of an audit package, and the names its members may have (docs/spec/audit-package.md)."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Annotated, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.report.chain import LogHead  # noqa: TC001 - msgspec reads the annotations at run time

FORMAT: Final = "https://pratique.dev/audit-package/v1"
MANIFEST: Final = "manifest.json"
TRUSTED_ROOT: Final = "trusted_root.json"
CHECKPOINT: Final = "checkpoint"
CONSISTENCY: Final = "seal.consistency.json"
SEAL: Final = "seal.sigstore.json"
SHA256: Final = "SHA256"
MAX_MANIFEST_BYTES: Final = 32 * 1024 * 1024
MAX_ARTIFACTS: Final = 4096

# The listed members, in the order of the file; the manifest itself, the seal and SHA256 stand around them.
_LISTED: Final = re.compile(
    r"(?P<root>trusted_root\.json)|(?P<roots>roots/[0-9a-f]{64}\.(?:sigstore\.)?json)|(?P<checkpoint>checkpoint)|(?P<entries>entries/[0-9]{12})"
    r"|(?P<evidence>evidence/[0-9a-f]{64}\.sigstore\.json)|(?P<blobs>blobs/[0-9a-f]{64})"
)
_ORDER: Final = ("root", "roots", "checkpoint", "entries", "evidence", "blobs")

Sha256Text = Annotated[str, msgspec.Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
Size = Annotated[int, msgspec.Meta(ge=0)]


class ListedMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member as the manifest lists it; `size` in bytes."""

    name: str
    size: Size
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Tool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What wrote the package."""

    name: str
    version: str


class Manifest(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="type",
    tag=FORMAT,
    forbid_unknown_fields=True,
):
    """What is sealed.

    Attributes:
        tool: what wrote the package.
        trust_root: fingerprint of `trusted_root.json`.
        checkpoint: the tree head over the entries.
        artifacts: digests of the artifacts whose chains the package proves, sorted.
        members: every listed member, in the order of the file.
    """

    tool: Tool
    trust_root: Sha256Text
    checkpoint: LogHead
    artifacts: Annotated[tuple[Sha256Text, ...], msgspec.Meta(min_length=1, max_length=MAX_ARTIFACTS)]
    members: tuple[ListedMember, ...]

    def encode(self) -> bytes:
        """Write canonical JSON."""
        return canonical_json(msgspec.to_builtins(self))


def list_member(name: str, data: bytes) -> ListedMember:
    """List a member."""
    return ListedMember(name, len(data), sha256_bytes(data).hex)


def parse_manifest(data: bytes) -> Manifest:
    """Parse a manifest.

    Raises:
        MalformedError: another format, an unknown member, another spelling than canonical JSON, or members or
            artifacts that are unsorted, doubled or have a name that no listed member has.
    """
    document = parse_json_object(data, what=MANIFEST, max_bytes=MAX_MANIFEST_BYTES)
    try:
        manifest = msgspec.convert(document, Manifest)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{MANIFEST}: {error}") from error
    if manifest.encode() != data:
        raise MalformedError(f"{MANIFEST}: not in canonical JSON")
    ranks = [order_of(member.name) for member in manifest.members]
    if any(before >= after for before, after in pairwise(ranks)):
        raise MalformedError(f"{MANIFEST}: members out of order, or one listed twice")
    if any(before >= after for before, after in pairwise(manifest.artifacts)):
        raise MalformedError(f"{MANIFEST}: artifacts out of order, or one listed twice")
    return manifest


def seal_predicate(manifest: Manifest) -> dict[str, Any]:
    """Give the audit-seal predicate for a manifest (docs/spec/audit-seal.md)."""
    return {
        "format": FORMAT,
        "trustRoot": manifest.trust_root,
        "checkpoint": msgspec.to_builtins(manifest.checkpoint),
        "artifacts": list(manifest.artifacts),
    }


def order_of(name: str) -> tuple[int, str]:
    """Give a listed member's place: by kind, then by name.

    Raises:
        MalformedError: no listed member has such a name.
    """
    found = _LISTED.fullmatch(name)
    if found is None:
        raise MalformedError(f"a member of unknown name: {name[:100]!r}")
    return _ORDER.index(found.lastgroup or ""), name


def evidence_name(digest: Digest) -> str:
    """Name the member that carries a bundle."""
    return f"evidence/{digest.hex}.sigstore.json"


def former_names(digest: Digest) -> tuple[str, str]:
    """Name the members that carry a former root, and the bundle in which it names its successor."""
    return f"roots/{digest.hex}.json", f"roots/{digest.hex}.sigstore.json"


def blob_name(digest: Digest) -> str:
    """Name the member that carries a blob."""
    return f"blobs/{digest.hex}"
