"""Read CycloneDX JSON, 1.2 to 1.7, whoever wrote it (ECMA-424): components, digests, purls, dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.scan.bill import About, Bill, merged, named
from pratique.scan.component import Component
from pratique.scan.cyclonedx import (
    HASH_OF_LENGTH,
    LAYER,
    METADATA_DIGEST,
    MISSING,
    REMOVED_BY,
    SOURCE_PACKAGE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

VERSIONS: Final = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
_LENGTH_OF_HASH: Final = {name: length for length, name in HASH_OF_LENGTH.items()}
_AUTHORS: Final = ("authors", "manufacturer", "manufacture", "supplier")
_SHA256: Final = 64
_MAX_COMPONENTS: Final = 500_000
_HEX: Final = frozenset("0123456789abcdef")

Json = dict[str, Any]


def read_cyclonedx(data: bytes, *, what: str) -> Bill:
    """Read a CycloneDX document; the component it describes is not among its components.

    Args:
        data: the document.
        what: names it in errors.

    Raises:
        MalformedError: not strict JSON, or not CycloneDX of a version we know.
    """
    document = parse_json_object(data, what=what)
    if document.get("bomFormat") != "CycloneDX":
        raise MalformedError(f"{what}: not a CycloneDX document")
    if document.get("specVersion") not in VERSIONS:
        raise MalformedError(f"{what}: CycloneDX {document.get('specVersion')!r} is not a version we read")
    listed = list(_flat(document, what))
    purls = {id(item): named(item.get("purl")) for item in listed}
    references = {
        reference: purls[id(item)] for item in listed if isinstance(reference := item.get("bom-ref"), str)
    }
    edges = _edges(document, references, what)
    return Bill(
        format=f"CycloneDX {document['specVersion']}",
        components=merged(
            _component(item, purls[id(item)], edges, what) for item in listed if purls[id(item)]
        ),
        unnamed=tuple(sorted(_label(item) for item in listed if not purls[id(item)])),
        statements=len(_objects(document, "vulnerabilities", what)),
        about=_about(document, listed, purls, references, what),
    )


def _about(
    document: Json, listed: list[Json], purls: Mapping[int, str], references: Mapping[str, str], what: str
) -> About:
    found = document.get("metadata")
    metadata: Json = found if isinstance(found, dict) else {}
    held = metadata.get("component")
    root: Json = held if isinstance(held, dict) else {}
    listed_tools = metadata.get("tools")  # before 1.5 a list
    holder = listed_tools if isinstance(listed_tools, dict) else {"components": listed_tools}
    phases = [item.get("phase") or item.get("name") for item in _objects(metadata, "lifecycles", what)]
    related = {references.get(str(item.get("ref")), "") for item in _objects(document, "dependencies", what)}
    digests = map(_digest, _objects(root, "hashes", what))
    made = (*_AUTHORS, "publisher", "author")
    return About(
        name=str(root.get("name") or ""),
        digest=next((text for text in digests if len(text) == _SHA256), ""),
        author=next(filter(None, (_author(metadata, key, what) for key in _AUTHORS)), ""),
        tool=", ".join(str(item.get("name") or "") for item in _objects(holder, "components", what)),
        created=str(metadata.get("timestamp") or ""),
        context=", ".join(map(str, phases)),
        produced=frozenset(purls[id(item)] for item in listed if any(item.get(key) for key in made)),
        related=frozenset(related - {""}),
    )


def _author(metadata: Json, key: str, what: str) -> str:
    held = metadata.get(key)
    named = [held] if isinstance(held, dict) else _objects(metadata, key, what)
    return ", ".join(str(item.get("name") or item.get("email") or "") for item in named)


def _flat(document: Json, what: str) -> Iterator[Json]:
    """Give every component, also those inside others; the depth of JSON is bounded already."""
    metadata = document.get("metadata")
    root = metadata.get("component") if isinstance(metadata, dict) else None
    pending = [*_objects(document, "components", what)]
    pending += _objects(root, "components", what) if isinstance(root, dict) else []
    count = 0
    while pending:
        item = pending.pop()
        count += 1
        if count > _MAX_COMPONENTS:
            raise MalformedError(f"{what}: more than {_MAX_COMPONENTS} components")
        pending += _objects(item, "components", what)
        yield item


def _objects(holder: Mapping[str, Any], key: str, what: str) -> list[Json]:
    found = holder.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not {dict}.issuperset(map(type, found)):
        raise MalformedError(f"{what}: `{key}` is not a list of objects")
    return found


def _edges(document: Json, references: Mapping[str, str], what: str) -> dict[str, set[str]]:
    edges: dict[str, set[str]] = {}
    for item in _objects(document, "dependencies", what):
        targets, source = item.get("dependsOn") or [], item.get("ref")
        if (
            not isinstance(targets, list)
            or not isinstance(source, str)
            or not {str}.issuperset(map(type, targets))
        ):
            raise MalformedError(f"{what}: a dependency that is not one")
        purl = references.get(source)
        if purl:
            led = edges.setdefault(purl, set())
            led.update(references[target] for target in targets if target in references)
            led -= {"", purl}
    return edges


def _component(item: Json, purl: str, edges: Mapping[str, set[str]], what: str) -> Component:
    licence, is_spdx = _licence(item, what) if "licenses" in item else ("", False)
    evidence = item.get("evidence")
    occurrences = _objects(evidence, "occurrences", what) if isinstance(evidence, dict) else ()
    hashes = _objects(item, "hashes", what)
    return Component(
        purl=purl,
        name=_label(item, version=False),
        version=str(item.get("version") or ""),
        licence=licence,
        licence_is_spdx=is_spdx,
        locations=_sorted(entry.get("location") for entry in occurrences) if occurrences else (),
        hashes=_sorted(map(_digest, hashes)) if hashes else (),
        requires=tuple(sorted(edges.get(purl, ()))),
        **(_own(item, what) if item.get("properties") else {}),
    )


def _own(item: Json, what: str) -> dict[str, Any]:
    """Give what one of us said beyond CycloneDX's own members."""
    properties = [
        (entry.get("name"), entry["value"])
        for entry in _objects(item, "properties", what)
        if isinstance(entry.get("value"), str)
    ]
    single = dict(reversed(properties))  # of several with one name, the first
    source, _, source_version = single.get(SOURCE_PACKAGE, "").partition(" ")
    return {
        "metadata_digests": tuple(
            sorted(
                (path, digest)
                for name, value in properties
                if name == METADATA_DIGEST
                for path, _, digest in [value.rpartition(" ")]
            )
        ),
        "missing": _sorted(value for name, value in properties if name == MISSING),
        "source": source,
        "source_version": source_version,
        "layer": single.get(LAYER, ""),
        "removed_by": single.get(REMOVED_BY, ""),
    }


def _sorted(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if isinstance(value, str) and value}))


def _label(item: Json, *, version: bool = True) -> str:
    group, name = item.get("group"), str(item.get("name") or "")
    text = f"{group}/{name}" if isinstance(group, str) and group else name
    return f"{text} {item.get('version') or ''}".strip() if version else text


def _digest(entry: Json) -> str:
    content = str(entry.get("content", "")).lower()
    known = _LENGTH_OF_HASH.get(str(entry.get("alg")))
    return content if known == len(content) and _HEX.issuperset(content) else ""


def _licence(item: Json, what: str) -> tuple[str, bool]:
    """Give the licence as one text; several are all of them, which is what most writers mean."""
    texts: list[str] = []
    is_spdx = True
    for entry in _objects(item, "licenses", what):
        inner = entry.get("license")
        inner = inner if isinstance(inner, dict) else {}
        identifier = entry.get("expression") or inner.get("id")
        is_spdx = is_spdx and bool(identifier)
        texts.append(str(identifier or inner.get("name") or ""))
    texts = [text for text in texts if text]
    if len(texts) > 1 and is_spdx:
        return " AND ".join(f"({text})" if " " in text else text for text in texts), True
    return ", ".join(texts), is_spdx and bool(texts)
