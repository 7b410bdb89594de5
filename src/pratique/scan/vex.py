"""VEX documents in whichever of the three formats: OpenVEX, CSAF, CycloneDX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.scan.openvex import MAX_STATEMENTS, Statement, statements_of
from pratique.scan.vex_csaf import read_csaf
from pratique.scan.vex_cyclonedx import read_cyclonedx_vex

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Vex(msgspec.Struct, frozen=True):
    """A document's statements, and what of it could not be used, with the reason."""

    format: str
    statements: tuple[Statement, ...]
    skipped: tuple[str, ...] = ()


def read_vex(data: bytes, *, what: str, products: Mapping[str, str] | None = None) -> Vex:
    """Read a VEX document.

    Args:
        data: the document.
        what: names it in errors.
        products: package URLs or digests of products that the document only has ids of its own for.

    Raises:
        MalformedError: not strict JSON, or not VEX in a format that is read.
    """
    document = parse_json_object(data, what=what)
    if document.get("bomFormat") == "CycloneDX":
        return _sorted("CycloneDX", read_cyclonedx_vex(document, products or {}, what=what), what)
    if isinstance(document.get("document"), dict) and "csaf_version" in document["document"]:
        return _sorted("CSAF", read_csaf(document, products or {}, what=what), what)
    if "@context" in document:
        return Vex("OpenVEX", statements_of(document, what=what))
    raise MalformedError(f"{what}: neither OpenVEX nor CSAF nor a CycloneDX document")


def _sorted(written: str, found: Iterable[Statement | str], what: str) -> Vex:
    statements: list[Statement] = []
    skipped: list[str] = []
    for item in found:
        if isinstance(item, Statement):
            statements.append(item)
        else:
            skipped.append(item)
        if len(statements) + len(skipped) > MAX_STATEMENTS:
            raise MalformedError(f"{what}: more than {MAX_STATEMENTS} statements")
    return Vex(written, tuple(statements), tuple(skipped))
