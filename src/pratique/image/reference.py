"""References to images, by the names that skopeo and podman use (containers-transports(5)) (pure).

    oci:FOLDER[:NAME][@DIGEST]          an OCI layout in a folder
    oci-archive:FILE[:NAME][@DIGEST]    one in a tar file
    docker://HOST/NAME[:TAG][@DIGEST]   a registry

A path has no colon, as with these tools.

Without a prefix, what begins with a host (it has a dot or a port, or is `localhost`) and goes on after a
slash is in a registry; all else is a path: a layout's folder or archive. What is on the disk has no say.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import msgspec

from pratique.errors import UsageError
from pratique.model.digest import Digest

_HINT: Final = (
    "write oci:FOLDER[:NAME], oci-archive:FILE[:NAME] or HOST/NAME[:TAG], each with @sha256:… if you like"
)
_DIGEST = re.compile(r"(?P<rest>.*)@sha256:(?P<hex>[0-9a-f]{64})\Z", re.DOTALL)
_HOST = re.compile(
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+:\d{1,5}|\[[0-9a-f:]+\](?::\d{1,5})?)/"
)
_TAGGED = re.compile(r"(?P<name>.+):(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127})\Z", re.DOTALL)

_NAME: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_MAX_NAME: Final = 255


def is_repository_name(text: str) -> bool:
    """Say whether a repository may have this name (distribution-spec 1.1, "Pulling manifests")."""
    return len(text) <= _MAX_NAME and bool(_NAME.match(text))


def is_tag(text: str) -> bool:
    """Say whether a manifest may have this tag (as above)."""
    return bool(_TAG.match(text))


class Kind(StrEnum):
    """What a reference leads into."""

    LAYOUT = "oci"
    ARCHIVE = "oci-archive"
    REGISTRY = "docker"
    PATH = "path"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A place for images, and which one there.

    Attributes:
        kind: see `Kind`; a `PATH` is a layout's folder or archive, whichever it is.
        place: path, or registry and repository.
        name: tag or reference name; may be empty.
        digest: beside or in place of a name.
    """

    kind: Kind
    place: str
    name: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        prefix = {Kind.REGISTRY: "", Kind.PATH: ""}.get(self.kind, f"{self.kind}:")
        name = f":{self.name}" if self.name else ""
        return f"{prefix}{self.place}{name}{f'@{self.digest}' if self.digest else ''}"

    @property
    def host(self) -> str:
        """A registry's host and port."""
        return self.place.partition("/")[0]

    @property
    def repository(self) -> str:
        """The repository's name in its registry."""
        return self.place.partition("/")[2]


def parse_reference(text: str) -> Reference:
    """Parse a reference.

    Raises:
        UsageError: it is none.
    """
    prefix, colon, rest = text.partition(":")
    if text.startswith("docker://"):
        kind, rest = Kind.REGISTRY, text.removeprefix("docker://")
    elif colon and prefix in {"oci", "oci-archive"} and not rest.startswith("//"):
        kind = Kind(prefix)
    else:
        kind, rest = Kind.REGISTRY if _HOST.match(text) else Kind.PATH, text
    digest = None
    if found := _DIGEST.match(rest):
        rest, digest = found["rest"], Digest(found["hex"])
    name = ""
    if found := _TAGGED.match(rest):
        rest, name = found["name"], found["tag"]
    if not rest or "\0" in rest or (kind is Kind.REGISTRY and not rest.partition("/")[2]) or "@sha" in rest:
        raise UsageError(f"not a reference to an image: {text[:120]!r}", hint=_HINT)
    if kind is Kind.REGISTRY and rest.startswith("docker.io/") and rest.count("/") == 1:
        rest = rest.replace("/", "/library/")
    return Reference(kind=kind, place=rest, name=name, digest=digest)
