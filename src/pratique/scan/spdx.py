"""SPDX 2.3 JSON, written and read ("SPDX Specification 2.3", clauses 6 to 12)."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import pratique
from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.scan.bill import About, Bill, merged, named
from pratique.scan.component import Component
from pratique.scan.cyclonedx import catalog_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from pratique.model.digest import Digest
    from pratique.scan.component import Catalog

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://pratique.dev/spdx")
_TOOL: Final = f"Tool: pratique-{pratique.__version__}"
_ALGORITHM_OF_LENGTH: Final = {40: "SHA1", 64: "SHA256", 96: "SHA384", 128: "SHA512"}
_LENGTH_OF_ALGORITHM: Final = {name: length for length, name in _ALGORITHM_OF_LENGTH.items()}
_DOCUMENT, _ROOT = "SPDXRef-DOCUMENT", "SPDXRef-artifact"
_NOTHING: Final = {"", "NOASSERTION", "NONE"}
_OWN: Final = ("locations", "metadata_digests", "missing", "source", "source_version", "layer", "removed_by")
_HEX: Final = re.compile(r"[0-9a-f]*\Z")

Json = dict[str, Any]


def spdx_document(catalog: Catalog, *, name: str, digest: Digest | None, created: datetime) -> Json:
    """Write the SPDX 2.3 document of an artifact, with the arguments of `cyclonedx.sbom`.

    What SPDX has no member for (places, source packages) is an annotation of the package.
    """
    listed = (*catalog.components, *catalog.removed)
    identifiers = {item.purl: f"SPDXRef-{number}" for number, item in enumerate(listed, 1)}
    licences = sorted({item.licence for item in listed if not item.licence_is_spdx} - {""})
    references = {text: f"LicenseRef-{number}" for number, text in enumerate(licences, 1)}
    moment = format_time(created)
    identity = str(digest or catalog_digest(catalog))
    root = _package(name, "", _ROOT) | ({"checksums": [_checksum(digest.hex)]} if digest else {})
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": name,
        "documentNamespace": f"https://pratique.dev/spdx/{uuid.uuid5(_NAMESPACE, identity)}",
        "creationInfo": {"created": moment, "creators": [_TOOL]},
        "packages": [root] + [_written(item, identifiers[item.purl], references, moment) for item in listed],
        "hasExtractedLicensingInfos": [
            {"licenseId": references[text], "name": text, "extractedText": text} for text in licences
        ],
        "relationships": [_relation(_DOCUMENT, "DESCRIBES", _ROOT)]
        + [_relation(_ROOT, "CONTAINS", identifier) for identifier in identifiers.values()]
        + [
            _relation(identifiers[item.purl], "DEPENDS_ON", identifiers[target])
            for item in listed
            for target in item.requires
            if target in identifiers
        ],
    }


def read_spdx(data: bytes, *, what: str) -> Bill:
    """Read an SPDX 2.2 or 2.3 JSON document; the package it describes is not among the components.

    Raises:
        MalformedError: not strict JSON, or not such a document.
    """
    document = parse_json_object(data, what=what)
    version = document.get("spdxVersion")
    if version not in {"SPDX-2.2", "SPDX-2.3"}:
        raise MalformedError(f"{what}: not an SPDX 2.2 or 2.3 document")
    relations = [
        (item.get("spdxElementId"), item.get("relationshipType"), item.get("relatedSpdxElement"))
        for item in _objects(document, "relationships", what)
    ]
    described = {target for source, kind, target in relations if kind == "DESCRIBES" and source == _DOCUMENT}
    listed = document.get("documentDescribes")
    described |= {item for item in listed if isinstance(item, str)} if isinstance(listed, list) else set()
    packages = [item for item in _objects(document, "packages", what) if item.get("SPDXID") not in described]
    purls = {str(item.get("SPDXID")): _purl(item, what) for item in packages}
    if len(purls) != len(packages):
        raise MalformedError(f"{what}: two packages with one SPDXID, or without any")
    edges = _edges(relations, purls)
    extracted = {
        str(item.get("licenseId")): str(item.get("name") or item.get("extractedText") or "")
        for item in _objects(document, "hasExtractedLicensingInfos", what)
    }
    return Bill(
        format=str(version).replace("-", " "),
        components=merged(
            _read(item, purl, edges, extracted, what)
            for item in packages
            if (purl := purls[str(item.get("SPDXID"))])
        ),
        unnamed=tuple(
            sorted(
                f"{item.get('name') or ''} {item.get('versionInfo') or ''}".strip()
                for item in packages
                if not purls[str(item.get("SPDXID"))]
            )
        ),
        about=_about(document, described, purls, relations, what),
    )


def _about(
    document: Json,
    described: set[Any],
    purls: Mapping[str, str],
    relations: list[tuple[Any, Any, Any]],
    what: str,
) -> About:
    held = document.get("creationInfo")
    info: Json = held if isinstance(held, dict) else {}
    creators = _texts(info.get("creators"))
    packages = _objects(document, "packages", what)
    roots = [item for item in packages if item.get("SPDXID") in described]
    checksums = [entry for item in roots for entry in _objects(item, "checksums", what)]
    edges = [relation for relation in relations if "DEPEND" in str(relation[1])]
    ends = {str(end) for source, _, target in edges for end in (source, target)}
    return About(
        name=str(roots[0].get("name") or "") if roots else str(document.get("name") or ""),
        digest=next(
            (str(entry.get("checksumValue")) for entry in checksums if entry.get("algorithm") == "SHA256"), ""
        ),
        author=", ".join(text for text in creators if not text.startswith("Tool:")),
        tool=", ".join(text.removeprefix("Tool:").strip() for text in creators if text.startswith("Tool:")),
        created=str(info.get("created") or ""),
        context=str(info.get("comment") or ""),
        produced=frozenset(
            purls.get(str(item.get("SPDXID")), "")
            for item in packages
            if any(str(item.get(key) or "") not in _NOTHING for key in ("supplier", "originator"))
        ),
        related=frozenset(purls[end] for end in ends if purls.get(end)),
    )


def _package(name: str, version: str, identifier: str) -> Json:
    return {
        "SPDXID": identifier,
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
    } | ({"versionInfo": version} if version else {})


def _written(item: Component, identifier: str, references: Mapping[str, str], moment: str) -> Json:
    written = _package(item.name, item.version, identifier)
    written["externalRefs"] = [
        {
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": item.purl,
        }
    ]
    written["checksums"] = [_checksum(text) for text in item.hashes if len(text) in _ALGORITHM_OF_LENGTH]
    if item.licence:
        written["licenseDeclared"] = item.licence if item.licence_is_spdx else references[item.licence]
    own = {name: getattr(item, name) for name in _OWN if getattr(item, name)}
    if own:
        comment = canonical_json(own).decode()
        written["annotations"] = [
            {"annotationDate": moment, "annotationType": "OTHER", "annotator": _TOOL, "comment": comment}
        ]
    return written


def _checksum(text: str) -> Json:
    return {"algorithm": _ALGORITHM_OF_LENGTH[len(text)], "checksumValue": text}


def _relation(source: str, kind: str, target: str) -> Json:
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


def _objects(holder: Mapping[str, Any], key: str, what: str) -> list[Json]:
    found = holder.get(key) or []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise MalformedError(f"{what}: `{key}` is not a list of objects")
    return found


def _purl(item: Json, what: str) -> str:
    return next(
        (
            purl
            for reference in _objects(item, "externalRefs", what)
            if reference.get("referenceType") == "purl"
            if (purl := named(reference.get("referenceLocator")))
        ),
        "",
    )


def _edges(relations: Iterable[tuple[Any, Any, Any]], purls: Mapping[str, str]) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for source, kind, target in relations:
        pair = {"DEPENDS_ON": (source, target), "DEPENDENCY_OF": (target, source)}.get(str(kind))
        if pair:
            first, second = (purls.get(str(end), "") for end in pair)
            if first and second and first != second:
                edges.setdefault(first, set()).add(second)
    return edges


def _read(
    item: Json, purl: str, edges: Mapping[str, set[str]], extracted: Mapping[str, str], what: str
) -> Component:
    stated = next(
        (
            text
            for key in ("licenseDeclared", "licenseConcluded")
            if isinstance(text := item.get(key), str) and text not in _NOTHING
        ),
        "",
    )
    own = _annotated(item, what)
    return Component(
        purl=purl,
        name=str(item.get("name") or ""),
        version=str(item.get("versionInfo") or ""),
        licence=extracted.get(stated, stated),
        licence_is_spdx=bool(stated) and stated not in extracted,
        hashes=tuple(
            sorted(
                text
                for entry in _objects(item, "checksums", what)
                if (text := str(entry.get("checksumValue", "")).lower())
                if _LENGTH_OF_ALGORITHM.get(str(entry.get("algorithm"))) == len(text) and _HEX.match(text)
            )
        ),
        requires=tuple(sorted(edges.get(purl, ()))),
        locations=_texts(own.get("locations")),
        missing=_texts(own.get("missing")),
        metadata_digests=tuple(
            (str(pair[0]), str(pair[1]))
            for pair in own.get("metadata_digests", ())
            if isinstance(pair, list) and len(pair) == 2  # noqa: PLR2004 - a pair
        ),
        source=str(own.get("source", "")),
        source_version=str(own.get("source_version", "")),
        layer=str(own.get("layer", "")),
        removed_by=str(own.get("removed_by", "")),
    )


def _annotated(item: Json, what: str) -> Json:
    """Give what one of us said beyond SPDX; anybody's annotation that is something else is passed over."""
    for entry in _objects(item, "annotations", what):
        if str(entry.get("annotator", "")).startswith("Tool: pratique-"):
            try:
                return parse_json_object(str(entry.get("comment", "")).encode(), what=what)
            except (MalformedError, UnicodeEncodeError):
                continue
    return {}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
