"""CSAF 2.0 and 2.1 as VEX (OASIS CSAF, "Profile 5: VEX"): statements on products of a product tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.scan.bill import named
from pratique.scan.openvex import JUSTIFICATIONS, Statement, Status, vex_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]
_STATUS: Final = {
    "known_not_affected": Status.NOT_AFFECTED,
    "fixed": Status.FIXED,
    "first_fixed": Status.FIXED,
    "known_affected": Status.AFFECTED,
    "first_affected": Status.AFFECTED,
    "last_affected": Status.AFFECTED,
    "under_investigation": Status.UNDER_INVESTIGATION,
}
_MAX_PRODUCTS: Final = 500_000

Product = tuple[str, str]
"""What a product is known by, and the component meant inside it or empty."""


def read_csaf(document: Json, known: Mapping[str, str], *, what: str) -> Iterator[Statement | str]:
    """Give each statement, or why one cannot be used; `known` says what some product ids stand for.

    Raises:
        MalformedError: not a CSAF document, or one without its date.
    """
    tracking = _object(_object(document, "document"), "tracking")
    moment = vex_moment(tracking.get("current_release_date"), tracking.get("initial_release_date"))
    products = _products(document, known, what)
    groups = {
        str(group.get("group_id")): _texts(group.get("product_ids"))
        for group in _objects(_object(document, "product_tree"), "product_groups")
    }
    for number, item in enumerate(_objects(document, "vulnerabilities")):
        names = _names(item)
        label = f"{names[0] if names else 'an unnamed vulnerability'} ({number})"
        if not names:
            yield f"{label}: it has neither a CVE nor another id"
            continue
        reasons = _reasons(item, groups)
        for status, product_id in _stated(item):
            product = products.get(product_id)
            reason = reasons.get(product_id, "")
            if product is None:
                yield f"{label}: {product_id} has neither a package URL nor a SHA-256"
            elif status is Status.NOT_AFFECTED and not reason:
                yield f"{label}: {product_id} is not affected, without a flag or an impact"
            else:
                yield Statement(
                    id=f"{tracking.get('id') or ''}#{number}/{product_id}",
                    vulnerabilities=names,
                    product=product[0],
                    subcomponents=(product[1],) if product[1] else (),
                    status=status,
                    reason=reason,
                    moment=moment,
                )


def _names(item: Json) -> tuple[str, ...]:
    ids = [entry.get("text") for entry in _objects(item, "ids")]
    return tuple(dict.fromkeys(name for name in (item.get("cve"), *ids) if isinstance(name, str) and name))


def _stated(item: Json) -> Iterator[tuple[Status, str]]:
    statuses = _object(item, "product_status")
    for key, status in _STATUS.items():
        for product_id in _texts(statuses.get(key)):
            yield status, product_id


def _reasons(item: Json, groups: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Give why a product is not affected: what somebody wrote, else the flag."""
    found: dict[str, str] = {}
    told = [
        (entry, str(entry.get("label")))
        for entry in _objects(item, "flags")
        if entry.get("label") in JUSTIFICATIONS
    ]
    told += [
        (entry, entry["details"])
        for entry in _objects(item, "threats")
        if entry.get("category") == "impact" and isinstance(entry.get("details"), str)
    ]
    for entry, reason in told:
        grouped = [product for group in _texts(entry.get("group_ids")) for product in groups.get(group, ())]
        for product_id in (*_texts(entry.get("product_ids")), *grouped):
            found[product_id] = reason
    return found


def _products(document: Json, known: Mapping[str, str], what: str) -> dict[str, Product]:
    tree = _object(document, "product_tree")
    found: dict[str, Product] = {}
    pending = [*_objects(tree, "branches")]
    listed = [*_objects(tree, "full_product_names")]
    while pending:
        branch = pending.pop()
        pending += _objects(branch, "branches")
        if isinstance(branch.get("product"), dict):
            listed.append(branch["product"])
        if len(listed) > _MAX_PRODUCTS:
            raise MalformedError(f"{what}: more than {_MAX_PRODUCTS} products")
    for product in listed:
        if identity := _identity(product):
            found[str(product.get("product_id"))] = identity, ""
    found |= {product_id: (identity, "") for product_id, identity in known.items()}
    for relation in _objects(tree, "relationships"):
        part = found.get(str(relation.get("product_reference")))
        whole = found.get(str(relation.get("relates_to_product_reference")))
        made = _object(relation, "full_product_name")
        if part and whole and not part[1] and not whole[1]:
            found[str(made.get("product_id"))] = whole[0], part[0]
    return found


def _identity(product: Json) -> str:
    helper = _object(product, "product_identification_helper")
    for hashes in _objects(helper, "hashes"):
        for entry in _objects(hashes, "file_hashes"):
            if entry.get("algorithm") == "sha256" and isinstance(entry.get("value"), str):
                return f"sha256:{entry['value'].lower()}"
    several = helper.get("purls")
    return next(
        filter(None, map(named, (helper.get("purl"), *(several if isinstance(several, list) else ())))), ""
    )


def _object(holder: Json, key: str) -> Json:
    found = holder.get(key)
    return found if isinstance(found, dict) else {}


def _objects(holder: Json, key: str) -> list[Json]:
    found = holder.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()
