"""Components: the packages found inside an artifact."""

from __future__ import annotations

import re

import msgspec


class Component(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One package of an artifact.

    Attributes:
        purl: package URL with its version; the identity of the component inside one catalogue.
        name: name as its own metadata writes it.
        version: version as its own metadata writes it.
        licence: SPDX expression where the metadata has a valid one, else its free text, else empty.
        licence_is_spdx: whether `licence` is a valid SPDX expression.
        locations: paths of the metadata files inside the artifact, sorted.
        metadata_digests: `(path, sha256 hex)` of the metadata and RECORD files, sorted by path; RECORD
            in turn holds the digest of each file of the package.
        hashes: hex digests of the files it is distributed as, where a lock told us: SHA-1 or SHA-2, told
            apart by their length.
        requires: purls of the components of this catalogue that it depends on, sorted.
        missing: requirements that apply here, but that nothing in this catalogue meets, sorted.
        source: name of the source package it was built from, where a distribution states one.
        source_version: that source package's version, where it is not the component's own.
        layer: digest of the image layer (uncompressed) that brought it, where it is in an image.
        removed_by: digest of the layer that took it away again; its bytes are still shipped below.
    """

    purl: str
    name: str
    version: str
    licence: str = ""
    licence_is_spdx: bool = False
    locations: tuple[str, ...] = ()
    metadata_digests: tuple[tuple[str, str], ...] = ()
    hashes: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    source: str = ""
    source_version: str = ""
    layer: str = ""
    removed_by: str = ""


class Uninspected(msgspec.Struct, frozen=True, order=True):
    """A file of the artifact whose packages are unknown, and why."""

    path: str
    reason: str = "an archive inside the artifact that was not opened"


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """All that was recognised in one artifact, and what was seen but not looked into.

    Attributes:
        components: sorted by purl, never empty.
        removed: what a lower layer of an image has and a higher one took away, sorted by purl.
        uninspected: what holds or lists packages and was not read, such as archives inside, sorted.
        members: how many files the artifact holds.
    """

    components: tuple[Component, ...]
    uninspected: tuple[Uninspected, ...] = ()
    members: int = 0
    removed: tuple[Component, ...] = ()

    def own(self, file_name: str) -> Component | None:
        """Find the component whose distribution a file is by its name, `<name>-<version>` and more."""
        stem = _normal(file_name)
        return next(
            (
                item
                for item in self.components
                if stem.startswith(f"{_normal(f'{item.name}-{item.version}')}-")
            ),
            None,
        )


def _normal(text: str) -> str:
    """Fold the spellings that file names and metadata use for one name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", text).lower()
