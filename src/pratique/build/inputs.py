"""Inputs: a lock and a directory of files become verified files; nothing unlocked gets in."""

from __future__ import annotations

import platform
from pathlib import Path  # noqa: TC003 - msgspec resolves field types at run time
from typing import TYPE_CHECKING, Literal

import msgspec
from packaging.tags import sys_tags
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.model.digest import Digest, sha256_file
from pratique.model.purl import python_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

    from pratique.build.lock import Lock, Locked

Kind = Literal["wheel", "sdist"]


class Input(msgspec.Struct, frozen=True):
    """A file that a lock names, found and verified."""

    name: str
    version: str
    path: Path
    digest: Digest
    purl: str
    kind: Kind


def interpreter_tags() -> tuple[Tag, ...]:
    """Give the wheel tags that this interpreter accepts, best first."""
    return tuple(sys_tags())


def rank(filename: str, entry: Locked, kind: Kind, tags: Sequence[Tag]) -> int | None:
    """Say how well a file name serves a lock entry: 0 is best, `None` is not at all.

    The name comes from outside: anything but a plain, well-formed distribution file name is `None`.
    """
    if "/" in filename or "\0" in filename or filename.startswith("."):
        return None
    try:
        if kind == "wheel":
            name, version, _, its_tags = parse_wheel_filename(filename)
            places = [index for index, tag in enumerate(tags) if tag in its_tags]
            place = min(places, default=None)
        else:
            name, version = parse_sdist_filename(filename)
            place = 0 if filename.endswith(".tar.gz") else None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    fits = canonicalize_name(name) == entry.name and version == Version(entry.version)
    return place if fits else None


def find_input(entry: Locked, directory: Path, kind: Kind, tags: Sequence[Tag]) -> Input | None:
    """Find the best file of a directory for a lock entry, verified; nothing when there is no such file.

    Raises:
        EvidenceInvalidError: a file has the right name, and content that the lock does not know.
    """
    candidates = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        place = rank(path.name, entry, kind, tags)
        if place is not None and path.is_file() and not path.is_symlink():
            candidates.append((place, path))
    stranger = None
    for _, path in sorted(candidates):
        digest = sha256_file(path)
        if any(digest.matches(allowed) for allowed in entry.digests):
            purl = python_purl(entry.name, entry.version)
            return Input(entry.name, entry.version, path, digest, purl, kind)
        stranger = stranger or f"{path} is {digest}"
    if stranger:
        raise EvidenceInvalidError(
            f"not the file that was locked for {entry.name} {entry.version}: {stranger}",
            hint="delete the file and fetch it again; if that does not help, the lock or index has changed",
        )
    return None


def load_inputs(lock: Lock, directory: Path, *, kind: Kind = "wheel") -> tuple[Input, ...]:
    """Find and verify the file of every applicable entry of a lock.

    Raises:
        ConfigError: a file is missing; the hint says which.
        EvidenceInvalidError: a file is not the locked one.
    """
    tags = interpreter_tags()
    found = {entry: find_input(entry, directory, kind, tags) for entry in lock.applicable}
    if missing := [f"{entry.name}=={entry.version}" for entry, item in found.items() if item is None]:
        raise ConfigError(
            f"no locked {kind} in {directory} for {', '.join(missing)}, fitting Python "
            f"{platform.python_version()} on {platform.machine()}",
            hint="fetch the locked files first: pratique build fetch",
        )
    return tuple(item for item in found.values() if item is not None)


def require(inputs: Iterable[Input], name: str) -> Input:
    """Pick the input of that name.

    Raises:
        ConfigError: the lock does not have it.
    """
    for item in inputs:
        if item.name == name:
            return item
    raise ConfigError(
        f"the build lock does not name {name}", hint=f"add {name} to the lock of the build tools"
    )
