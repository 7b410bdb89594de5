"""Write CycloneDX 1.6 and 1.7 (ECMA-424): one catalogue of one artifact gives one document, byte for byte."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

import pratique
from pratique.model.clock import format_time
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pratique.model.digest import Digest
    from pratique.scan.component import Catalog, Component

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pratique.dev/sbom")
_ROOT: Final = "artifact"
HASH_OF_LENGTH: Final = {40: "SHA-1", 64: "SHA-256", 96: "SHA-384", 128: "SHA-512"}
SOURCE_PACKAGE: Final = "pratique:source-package"
METADATA_DIGEST: Final = "pratique:metadata-sha256"
MISSING: Final = "pratique:missing-requirement"
LAYER: Final = "pratique:layer"
REMOVED_BY: Final = "pratique:removed-by-layer"


def sbom(
    catalog: Catalog,
    *,
    name: str,
    own: Component | None = None,
    digest: Digest | None,
    created: datetime,
    kind: str = "application",
    author: str = "",
    phase: str = "post-build",
    version: Literal["1.6", "1.7"] = "1.6",
) -> dict[str, Any]:
    """Write the SBOM of an artifact.

    Args:
        catalog: what was found in it.
        name: the artifact's file name.
        own: the component that the artifact is the distribution of, where it is one's; the artifact's digest
            is a hash of it.
        digest: its digest, which also determines the serial number; a directory has none.
        created: time to state; the same time every run for a reproducible document.
        kind: CycloneDX component type of the artifact: `application`, `library`, `container`, …
        author: organisation on whose behalf the document is written.
        phase: stage of the product's life at which its parts were listed.
        version: of the specification.
    """
    root: dict[str, Any] = {
        "type": kind,
        "bom-ref": _ROOT,
        "name": name,
    }
    if digest:
        root["hashes"] = [{"alg": "SHA-256", "content": digest.hex}]
    if own:
        root |= {"version": own.version, "purl": own.purl}
    complete = not catalog.uninspected and not any(item.missing for item in catalog.components)
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{version}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, str(digest or catalog_digest(catalog)))}",
        "version": 1,
        "metadata": {
            "timestamp": format_time(created),
            "lifecycles": [{"phase": phase}],
            "tools": {
                "components": [
                    {"type": "application", "name": "pratique", "version": pratique.__version__},
                ]
            },
            **({"manufacturer": {"name": author}} if author else {}),
            "component": root,
            "properties": [
                {"name": "pratique:uninspected", "value": f"{member.path}: {member.reason}"}
                for member in catalog.uninspected
            ],
        },
        "components": [
            _component(
                component,
                (digest.hex,) if digest and own and component.purl == own.purl else component.hashes,
            )
            for component in (*catalog.components, *catalog.removed)
        ],
        "dependencies": _dependencies(catalog),
        # What is not Python metadata (linked libraries, assets) is beyond this catalogue, so the list of
        # parts never claims to be complete; the edges may.
        "compositions": [
            {"aggregate": "incomplete", "assemblies": [_ROOT]},
            {"aggregate": "complete" if complete else "incomplete", "dependencies": [_ROOT]},
        ],
    }


def catalog_digest(catalog: Catalog) -> Digest:
    """Give the digest of what was found, which stands for that of an artifact without one."""
    return sha256_bytes(msgspec.json.encode((catalog.components, catalog.removed)))


def purls(document: Mapping[str, Any]) -> frozenset[str]:
    """Give the package URLs that an SBOM lists, to compare with a lock file's or with another SBOM's."""
    components = document.get("components")
    return frozenset(
        purl
        for component in (components if isinstance(components, list) else ())
        if isinstance(component, dict) and isinstance(purl := component.get("purl"), str)
    )


def _component(component: Component, hashes: tuple[str, ...]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "type": "library",
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "purl": component.purl,
        "evidence": {"occurrences": [{"location": location} for location in component.locations]},
        "properties": [
            {"name": METADATA_DIGEST, "value": f"{path} {hex_digest}"}
            for path, hex_digest in component.metadata_digests
        ]
        + [{"name": MISSING, "value": name} for name in component.missing]
        + (
            [{"name": SOURCE_PACKAGE, "value": f"{component.source} {component.source_version}".strip()}]
            if component.source
            else []
        )
        + [
            {"name": name, "value": value}
            for name, value in ((LAYER, component.layer), (REMOVED_BY, component.removed_by))
            if value
        ],
    }
    if component.removed_by:
        written["scope"] = "excluded"
    if hashes:
        written["hashes"] = [
            {"alg": HASH_OF_LENGTH[len(hex_digest)], "content": hex_digest}
            for hex_digest in hashes
            if len(hex_digest) in HASH_OF_LENGTH
        ]
    if component.licence:
        written["licenses"] = [
            {"expression": component.licence, "acknowledgement": "declared"}
            if component.licence_is_spdx
            else {"license": {"name": component.licence, "acknowledgement": "declared"}}
        ]
    return written


def _dependencies(catalog: Catalog) -> list[dict[str, Any]]:
    listed = (*catalog.components, *catalog.removed)
    purls = {component.purl for component in listed}
    edges = {component.purl: [purl for purl in component.requires if purl in purls] for component in listed}
    return [{"ref": _ROOT, "dependsOn": _tops(edges)}] + [
        {"ref": purl, "dependsOn": list(targets)} for purl, targets in sorted(edges.items())
    ]


def _tops(edges: Mapping[str, Iterable[str]]) -> list[str]:
    """Give components from which all others can be reached: those nobody requires, and one per ring."""
    required = {target for targets in edges.values() for target in targets}
    tops = sorted(set(edges) - required)
    reached: set[str] = set()
    for start in [*tops, *sorted(required)]:
        if start in reached:
            continue
        if start in required:
            tops.append(start)
        pending = [start]
        while pending:
            purl = pending.pop()
            if purl not in reached:
                reached.add(purl)
                pending.extend(edges[purl])
    return sorted(tops)
