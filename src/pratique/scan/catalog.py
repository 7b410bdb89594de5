"""Catalogue the packages of an artifact from the records they were installed with, or are locked in.

Python's `*.dist-info/METADATA` (Core Metadata 2.x, PyPA "Recording installed projects"), `*.egg-info` and
an sdist's `PKG-INFO` are read here, wherever they lie: a package vendored inside another is shipped just the
same. Every other kind of record has a module in `catalogers`.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.metadata import RawMetadata, parse_email
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from pratique.errors import CouldNotCheckError, MalformedError
from pratique.model.purl import python_purl
from pratique.scan import members
from pratique.scan.bill import merged
from pratique.scan.catalogers.golang import Executables
from pratique.scan.catalogers.records import read_records
from pratique.scan.catalogers.table import RECOGNISED, limit_of
from pratique.scan.component import Catalog, Component, Uninspected
from pratique.scan.members import INSIDE, read_members
from pratique.scan.requirements import resolve_requirements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pratique.scan.members import Members

_METADATA = re.compile(
    r"(?:.*/)?(?:[^/]+\.dist-info/METADATA|[^/]+\.egg-info/PKG-INFO|[^/]+\.egg-info|EGG-INFO/PKG-INFO)\Z"
)
_SDIST_METADATA = re.compile(r"[^/]+/PKG-INFO\Z")
_RECORD = re.compile(r"(?:.*/)?[^/]+\.dist-info/RECORD\Z")
_WANTED = re.compile(
    "|".join(pattern.pattern for pattern in (_METADATA, _RECORD, _SDIST_METADATA, RECOGNISED))
)
"""All in one, as this is asked of every file."""
_DIST_INFO = re.compile(r"(?:.*/)?([^/]+)-([^/-]+)\.dist-info/METADATA\Z")
_MAX_LICENCE_NAME = 80
NO_POM = "a jar without Maven's record of what it was made from"


def catalog(
    path: Path,
    *,
    hashes: Mapping[str, tuple[str, ...]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Catalog:
    """Catalogue a wheel, a source distribution, another archive, a directory or a root file system.

    Args:
        path: the archive or directory.
        hashes: purl → sha256 hex digests of distribution files, from the lock it was built with.
        environment: PEP 508 marker values to judge requirements by; those of this interpreter by default.

    Raises:
        CouldNotCheckError: nothing was recognised, so that nothing can be said about what is inside.
        MalformedError: a broken or hostile archive, or metadata that contradicts itself.
    """
    if path.name == "node_modules":
        raise CouldNotCheckError(
            f"{path}: which packages are installed shows from the folder above",
            hint=f"scan {path.absolute().parent}",
        )
    return catalog_members(
        read_members(path, wanted, Executables()), str(path), hashes=hashes, environment=environment
    )


def catalog_members(
    held: Members,
    what: str,
    *,
    hashes: Mapping[str, tuple[str, ...]] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Catalog:
    """Catalogue what was read of an artifact; see `catalog`.

    Raises:
        CouldNotCheckError: nothing was recognised, so that nothing can be said about what is inside.
        MalformedError: metadata that contradicts itself.
    """
    installed = [
        _component(what, name, data, held.contents, hashes or {})
        for name, data in sorted(held.contents.items())
        if _METADATA.match(name) or _SDIST_METADATA.match(name)
    ]
    found, unread = read_records(held)
    unread += [Uninspected(name, reason) for name, reason in held.unopened.items()]
    unread += [Uninspected(name, NO_POM) for name in _nameless_jars(held)]
    if not installed and not found:
        raise CouldNotCheckError(
            f"{what}: no component was recognised among {len(held.names)} files, so its contents are unknown"
            + "".join(f"; {item.path}: {item.reason}" for item in unread[:3]),
            hint="packages are recognised by their records (docs/scan.md): scan the built artifact",
        )
    return Catalog(
        components=merged([*resolve_requirements(installed, environment), *found]),
        uninspected=tuple(sorted(unread)),
        members=len(held.names),
    )


def wanted(name: str, /) -> int:
    """Say how many bytes of a member are read: 0 of what is no package record."""
    if not _WANTED.match(name):
        return 0
    return limit_of(name) or members.MAX_FILE_BYTES


def _nameless_jars(held: Members) -> list[str]:
    """Give the jars with classes that do not say what they were made from."""
    mark = f"{INSIDE}META-INF/maven/"
    speaking = {name.rpartition(mark)[0] for name in held.contents if name.endswith("/pom.properties")}
    full = {name.rpartition(INSIDE)[0] for name in held.names if INSIDE in name and name.endswith(".class")}
    return sorted(jar for jar in full - speaking if jar.lower().endswith(".jar"))


def _component(
    what: str,
    name: str,
    data: bytes,
    contents: Mapping[str, bytes],
    hashes: Mapping[str, tuple[str, ...]],
) -> tuple[Component, tuple[str, ...]]:
    """Read one metadata file into a component and its `Requires-Dist` lines."""
    try:
        metadata, _ = parse_email(data)
    except ValueError as error:
        raise MalformedError(f"{what}: {name}: not package metadata: {error}") from error
    project, version = metadata.get("name", ""), metadata.get("version", "")
    if not project or not version:
        raise MalformedError(f"{what}: {name}: package metadata without a name and version")
    _check_folder(what, name, project, version)
    purl = python_purl(project, version)
    record = name.removesuffix("METADATA") + "RECORD"
    evidence = [file for file in (name, record) if file in contents]
    licence, is_spdx = _licence(metadata)
    component = Component(
        purl=purl,
        name=project,
        version=version,
        licence=licence,
        licence_is_spdx=is_spdx,
        locations=(name,),
        metadata_digests=tuple((file, hashlib.sha256(contents[file]).hexdigest()) for file in evidence),
        hashes=tuple(sorted(hashes.get(purl, ()))),
    )
    return component, tuple(metadata.get("requires_dist", ()))


def _check_folder(what: str, name: str, project: str, version: str) -> None:
    """Refuse metadata that contradicts its folder's name: tools that trust either would differ."""
    found = _DIST_INFO.match(name)
    if found and (
        canonicalize_name(found.group(1)) != canonicalize_name(project)
        or _comparable(found.group(2)) != _comparable(version)
    ):
        raise MalformedError(f"{what}: {name} says it is {project} {version}")


def _comparable(version: str) -> str | Version:
    try:
        return Version(version)
    except InvalidVersion:
        return version.replace("-", "_")


def _licence(metadata: RawMetadata) -> tuple[str, bool]:
    """Give the licence and whether it is a valid SPDX expression (PEP 639 before the older fields)."""
    for text in (metadata.get("license_expression", ""), metadata.get("license", "")):
        try:
            return canonicalize_license_expression(text), True
        except InvalidLicenseExpression:
            continue
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get("classifiers", ())
        if line.startswith("License ::")
    ]
    named = " ".join((metadata.get("license_expression") or metadata.get("license") or "").split())
    # Some projects put the whole licence text into the field for its name.
    return (named if 0 < len(named) <= _MAX_LICENCE_NAME else ", ".join(classifiers)), False
