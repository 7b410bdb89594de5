"""OpenVEX v0.2.0 (openvex/spec, OPENVEX-SPEC.md), also reading its first form: statements on findings.

A statement is somebody's word. Whose word counts is for the caller to decide, who verifies a document's
signature before it is read here; no statement ever hides a finding.
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.strict_json import parse_json_object
from pratique.scan.purl import parse_purl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pratique.scan.purl import Purl

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
JUSTIFICATIONS: Final = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")
MAX_STATEMENTS: Final = 100_000

Json = dict[str, Any]


class Status(StrEnum):
    """What a statement says of a vulnerability in a product."""

    NOT_AFFECTED = "not_affected"
    AFFECTED = "affected"
    FIXED = "fixed"
    UNDER_INVESTIGATION = "under_investigation"

    @property
    def suppresses(self) -> bool:
        """Whether it says that there is nothing to fear."""
        return self in {Status.NOT_AFFECTED, Status.FIXED}


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about one product.

    Attributes:
        id: its own id, or the document's with its place in it.
        vulnerabilities: every name of the vulnerability.
        product: the purl or digest of what it is about.
        subcomponents: purls of what is meant inside the product; empty means the product itself.
        status: what it says.
        reason: justification or impact statement; `not_affected` has one.
        moment: when it was said: of two on one matter, the later holds.
    """

    id: str
    vulnerabilities: tuple[str, ...]
    product: str
    subcomponents: tuple[str, ...] = ()
    status: Status
    reason: str = ""
    moment: datetime


def read_openvex(data: bytes, *, what: str) -> tuple[Statement, ...]:
    """Read a document's statements, one for each product that they name.

    Raises:
        MalformedError: not strict JSON, not OpenVEX, or a statement that the specification forbids.
    """
    return statements_of(parse_json_object(data, what=what), what=what)


def statements_of(document: Json, *, what: str) -> tuple[Statement, ...]:
    """Read a parsed document's statements, as `read_openvex` does.

    Raises:
        MalformedError: not OpenVEX, or a statement that the specification forbids.
    """
    context = document.get("@context")
    if not isinstance(context, str) or not context.startswith("https://openvex.dev/ns"):
        raise MalformedError(f"{what}: not an OpenVEX document")
    statements = document.get("statements")
    if not isinstance(statements, list) or not all(isinstance(item, dict) for item in statements):
        raise MalformedError(f"{what}: `statements` is not a list of objects")
    if len(statements) > MAX_STATEMENTS:
        raise MalformedError(f"{what}: more than {MAX_STATEMENTS} statements")
    found: list[Statement] = []
    for number, item in enumerate(statements):
        found += _statements(item, document, f"{what}: statement {number}", number)
    return tuple(found)


def openvex_document(
    statements: Sequence[Statement], *, identifier: str, author: str, created: datetime
) -> Json:
    """Write statements as an OpenVEX document."""
    return {
        "@context": CONTEXT,
        "@id": identifier,
        "author": author,
        "timestamp": format_time(created),
        "version": 1,
        "statements": [
            {
                "@id": item.id,
                "vulnerability": {"name": item.vulnerabilities[0], "aliases": list(item.vulnerabilities[1:])},
                "products": [
                    _product(item.product)
                    | (
                        {"subcomponents": [{"@id": purl} for purl in item.subcomponents]}
                        if item.subcomponents
                        else {}
                    )
                ],
                "status": item.status.value,
                "timestamp": format_time(item.moment),
            }
            | (
                {"justification" if item.reason in JUSTIFICATIONS else "impact_statement": item.reason}
                if item.reason
                else {}
            )
            for item in statements
        ],
    }


def _product(identity: str) -> Json:
    digest = identity.removeprefix("sha256:")
    return {"@id": identity} | ({"hashes": {"sha-256": digest}} if digest != identity else {})


def deciding(
    statements: Iterable[Statement],
    purl: str,
    names: Iterable[str],
    *,
    artifact: frozenset[str],
    now: datetime,
) -> tuple[Statement, ...]:
    """Give the statements on one vulnerability of one component, the one that holds last.

    Args:
        statements: those whose authors are trusted.
        purl: the component.
        names: every id of the vulnerability.
        artifact: purls and digests of the artifact that the component was found in.
        now: what is said of later excuses nothing yet.
    """
    component, known = parse_purl(purl), set(names)
    about = [
        item
        for item in statements
        if not known.isdisjoint(item.vulnerabilities) and _concerns(item, component, artifact)
        if item.moment <= now or not item.status.suppresses
    ]
    # At one and the same moment, the graver word holds.
    return tuple(sorted(about, key=lambda item: (item.moment, not item.status.suppresses)))


def _concerns(statement: Statement, component: Purl, artifact: frozenset[str]) -> bool:
    if statement.product in artifact:
        parts = statement.subcomponents
        return not parts or any(_covers(purl, component) for purl in parts)
    return not statement.subcomponents and _covers(statement.product, component)


def _covers(text: str, component: Purl) -> bool:
    """Tell whether a purl means a component: what it leaves open (version, qualifiers) may be anything."""
    try:
        stated = parse_purl(text)
    except MalformedError:
        return False
    return (
        (stated.type, stated.namespace, stated.name) == (component.type, component.namespace, component.name)
        and (not stated.version or stated.version == component.version)
        and stated.qualifiers.items() <= component.qualifiers.items()
    )


def _statements(item: Json, document: Json, what: str, number: int) -> list[Statement]:
    try:
        status = Status(str(item.get("status")))
    except ValueError as error:
        raise MalformedError(f"{what}: the status {str(item.get('status'))[:40]!r}") from error
    impact, justification = item.get("impact_statement"), item.get("justification")
    reason = impact if isinstance(impact, str) else ""
    if not reason and justification in JUSTIFICATIONS:
        reason = str(justification)
    if status is Status.NOT_AFFECTED and not reason:
        raise MalformedError(f"{what}: not_affected without a justification")
    products = item.get("products")
    if not isinstance(products, list) or not products:
        raise MalformedError(f"{what}: it names no product")
    names = _vulnerabilities(item.get("vulnerability"))
    if not names:
        raise MalformedError(f"{what}: it names no vulnerability")
    try:
        moment = vex_moment(item.get("last_updated"), item.get("timestamp"), document.get("timestamp"))
    except MalformedError as error:
        raise MalformedError(f"{what}: {error.message}") from error
    identifier = item.get("@id") or f"{document.get('@id') or ''}#{number}"
    old_form = item.get("subcomponents")
    return [
        Statement(
            id=str(identifier),
            vulnerabilities=names,
            product=_identity(product, what),
            subcomponents=_subcomponents(
                product.get("subcomponents") if isinstance(product, dict) else old_form, what
            ),
            status=status,
            reason=reason,
            moment=moment,
        )
        for product in products
    ]


def _subcomponents(value: object, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise MalformedError(f"{what}: `subcomponents` is not a list")
    return tuple(_identity(inner, what) for inner in value)


def _vulnerabilities(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, dict):
        return ()
    aliases = value.get("aliases")
    texts = [value.get("name"), *(aliases if isinstance(aliases, list) else ())]
    return tuple(text for text in texts if isinstance(text, str) and text)


def _identity(value: object, what: str) -> str:
    """Give a product's SHA-256, else its purl, else its own id."""
    if isinstance(value, dict):
        identifiers: Mapping[str, Any] = inner if isinstance(inner := value.get("identifiers"), dict) else {}
        hashes = inner if isinstance(inner := value.get("hashes"), dict) else {}
        value = sha256_identity(hashes.get("sha-256")) or identifiers.get("purl") or value.get("@id")
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{what}: a product without an id")
    return value


def sha256_identity(value: object) -> str:
    """Give the identity `sha256:<hex>` of what has this digest, or empty where it is none."""
    return f"sha256:{value.lower()}" if isinstance(value, str) and _SHA256.match(value.lower()) else ""


def vex_moment(*texts: object) -> datetime:
    """Give the first time there is: when a statement was made.

    Raises:
        MalformedError: none of them is a time with its zone.
    """
    text = next((text for text in texts if text), None)
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise MalformedError("no time that it was said at") from error
    if moment.tzinfo is None:
        raise MalformedError("a time without its zone")
    return moment
