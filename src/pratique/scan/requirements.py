"""Turn `Requires-Dist` lines into edges between the components of one artifact (PEP 508)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec
from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pratique.scan.component import Component


def resolve_requirements(
    raw: Iterable[tuple[Component, tuple[str, ...]]], environment: Mapping[str, str] | None
) -> tuple[Component, ...]:
    """Merge copies of one package, and fill in `requires` and `missing`.

    A requirement counts when its marker holds in `environment`, or holds for an extra that some other
    component asks for. A requirement is met by name alone: which version is right was the resolver's matter.
    """
    merged: dict[str, Component] = {}
    lines: dict[str, set[str]] = {}
    for component, requirements in raw:
        held = merged.get(component.purl)
        merged[component.purl] = _merge(held, component) if held else component
        lines.setdefault(component.purl, set()).update(requirements)
    parsed = {purl: [_parse(line) for line in sorted(lines[purl])] for purl in merged}
    by_name: dict[str, list[str]] = {}
    for purl, component in sorted(merged.items()):
        by_name.setdefault(canonicalize_name(component.name), []).append(purl)
    applying = _applying(parsed, by_name, environment)
    return tuple(
        msgspec.structs.replace(
            component,
            requires=tuple(
                sorted({target for name in applying[purl] for target in by_name.get(name, ())} - {purl})
            ),
            missing=tuple(sorted(name for name in applying[purl] if name not in by_name)),
        )
        for purl, component in sorted(merged.items())
    )


def _applying(
    parsed: Mapping[str, list[Requirement | str]],
    by_name: Mapping[str, list[str]],
    environment: Mapping[str, str] | None,
) -> dict[str, set[str]]:
    """Give the names each component requires, following the extras that are asked for until none is new."""
    values = cast("dict[str, str]", dict(environment or default_environment()))
    extras: dict[str, set[str]] = {purl: {""} for purl in parsed}
    applying: dict[str, set[str]] = {purl: set() for purl in parsed}
    pending = list(parsed)
    while pending:
        purl = pending.pop()
        for requirement in parsed[purl]:
            if isinstance(requirement, str):
                applying[purl].add(requirement)
                continue
            if requirement.marker and not any(
                requirement.marker.evaluate(values | {"extra": extra}) for extra in extras[purl]
            ):
                continue
            name = canonicalize_name(requirement.name)
            applying[purl].add(name)
            for target in by_name.get(name, ()):
                if not requirement.extras <= extras[target]:
                    extras[target] |= requirement.extras
                    pending.append(target)
    return applying


def _parse(line: str) -> Requirement | str:
    """Give the requirement, or the line itself where it is not PEP 508, which then counts as missing."""
    try:
        return Requirement(line)
    except InvalidRequirement:
        return line


def _merge(first: Component, second: Component) -> Component:
    return msgspec.structs.replace(
        first,
        locations=tuple(sorted({*first.locations, *second.locations})),
        metadata_digests=tuple(sorted({*first.metadata_digests, *second.metadata_digests})),
    )
