"""CycloneDX VEX: what a document says of vulnerabilities (`vulnerabilities[].analysis`, 1.4 to 1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import msgspec

from pratique.errors import MalformedError
from pratique.scan.bill import named
from pratique.scan.openvex import Statement, Status, sha256_identity, vex_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
_STATES: Final = {
    "resolved": Status.FIXED,
    "resolved_with_pedigree": Status.FIXED,
    "exploitable": Status.AFFECTED,
    "in_triage": Status.UNDER_INVESTIGATION,
    "false_positive": Status.NOT_AFFECTED,
    "not_affected": Status.NOT_AFFECTED,
}
_JUSTIFICATIONS: Final = {
    "code_not_present": "vulnerable_code_not_present",
    "code_not_reachable": "vulnerable_code_not_in_execute_path",
    "protected_by_compiler": "inline_mitigations_already_exist",
    "protected_at_runtime": "inline_mitigations_already_exist",
    "protected_at_perimeter": "inline_mitigations_already_exist",
    "protected_by_mitigating_control": "inline_mitigations_already_exist",
}
"""What OpenVEX has a word for; the rest (`requires_…`) is kept as text."""


def read_cyclonedx_vex(document: Json, known: Mapping[str, str], *, what: str) -> Iterator[Statement | str]:
    """Give each statement, or why one cannot be used; `known` says what some references stand for.

    Raises:
        MalformedError: `vulnerabilities` is not a list of objects.
    """
    entries = document.get("vulnerabilities")
    if not isinstance(entries, list) or not all(isinstance(item, dict) for item in entries):
        raise MalformedError(f"{what}: it holds no list of vulnerabilities, and so no VEX statements")
    products = _products(document) | dict(known)
    metadata = document.get("metadata")
    written = metadata.get("timestamp") if isinstance(metadata, dict) else None
    for number, item in enumerate(entries):
        label = f"{item.get('id') or 'an unnamed vulnerability'} ({number})"
        try:
            said = _said(item, f"{document.get('serialNumber') or ''}#{number}", written)
        except MalformedError as error:
            yield f"{label}: {error.message}"
            continue
        affects = item.get("affects")
        for place, entry in enumerate(affects if isinstance(affects, list) else []):
            for found in _affected(entry, products, said.status):
                if isinstance(found, str):
                    yield f"{label}: {found}"
                    continue
                product, status = found
                reason = said.reason if status is said.status else "not an affected version"
                yield msgspec.structs.replace(
                    said, id=f"{said.id}/{place}", product=product, status=status, reason=reason
                )


def _said(item: Json, identifier: str, written: object) -> Statement:
    """Read all but the product.

    Raises:
        MalformedError: nobody says anything, or not what has to be said.
    """
    analysis = item.get("analysis")
    status = _STATES.get(str(analysis.get("state"))) if isinstance(analysis, dict) else None
    if not isinstance(analysis, dict) or status is None:
        raise MalformedError("no analysis state, so nobody says anything of it")
    references = item.get("references")
    listed = references if isinstance(references, list) else []
    others = [entry.get("id") for entry in listed if isinstance(entry, dict)]
    names = [name for name in (item.get("id"), *others) if isinstance(name, str) and name]
    if not names:
        raise MalformedError("it names no vulnerability")
    reason = _reason(analysis)
    if status is Status.NOT_AFFECTED and not reason:
        raise MalformedError("not_affected without a justification or detail")
    own = (analysis.get("lastUpdated"), analysis.get("firstIssued"))
    return Statement(
        id=identifier,
        vulnerabilities=tuple(dict.fromkeys(names)),
        product="",
        status=status,
        reason=reason,
        moment=vex_moment(*own, item.get("updated"), item.get("published"), written),
    )


def _reason(analysis: Json) -> str:
    detail, justification = analysis.get("detail"), analysis.get("justification")
    if isinstance(detail, str) and detail.strip():
        return detail.strip()
    if isinstance(justification, str) and justification:
        return _JUSTIFICATIONS.get(justification, justification)
    return "false positive" if analysis.get("state") == "false_positive" else ""


def _affected(entry: object, products: dict[str, str], status: Status) -> Iterator[tuple[str, Status] | str]:
    """Give what is meant: the product as it is named, or each version that is listed one by one."""
    reference = entry.get("ref") if isinstance(entry, dict) else None
    product = _product(reference, products)
    if not isinstance(entry, dict) or not product:
        yield f"{str(reference)[:120]} is nothing with a package URL or digest here"
        return
    listed = entry.get("versions")
    if not isinstance(listed, list) or not listed or not product.startswith("pkg:") or "@" in product:
        yield product, status
        return
    for version in listed:
        number = version.get("version") if isinstance(version, dict) else None
        purl = named(f"{product}@{number}") if isinstance(number, str) and number else ""
        said = version.get("status", "affected") if isinstance(version, dict) else ""
        if not purl:
            yield f"a range of versions of {product}, which is not read"
        elif said == "affected":
            yield purl, status
        elif said == "unaffected":
            yield purl, Status.NOT_AFFECTED


def _products(document: Json) -> dict[str, str]:
    """Give what each reference stands for: the digest of the product itself, the package URL of a part."""
    metadata = document.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    found: dict[str, str] = {}
    listed = document.get("components")
    pending: list[Any] = [root, *(listed if isinstance(listed, list) else [])]
    while pending:
        item = pending.pop()
        if not isinstance(item, dict):
            continue
        inner = item.get("components")
        pending += inner if isinstance(inner, list) else []
        identity = (_digest(item) if root is not None and item is root else "") or named(item.get("purl"))
        if identity and isinstance(item.get("bom-ref"), str):
            found[item["bom-ref"]] = identity
    return found


def _digest(item: Mapping[str, Any]) -> str:
    hashes = item.get("hashes")
    return next(
        (
            sha256_identity(entry.get("content"))
            for entry in (hashes if isinstance(hashes, list) else [])
            if isinstance(entry, dict) and entry.get("alg") == "SHA-256"
        ),
        "",
    )


def _product(reference: object, products: dict[str, str]) -> str:
    """Follow a reference: within the document, or one that is a package URL, in another too (BOM-Link)."""
    if not isinstance(reference, str):
        return ""
    inner = unquote(reference.partition("#")[2]) if reference.startswith("urn:cdx:") else reference
    return products.get(reference) or named(inner)
