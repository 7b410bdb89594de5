"""Where a finding's subject is: what in the artifact, in its build or on its runner a result is about.

A rule says it (`locations`), or names a package URL in its term, which is found again in the bills of
materials that stand, with the files they saw it in. What has no place is about the artifact as a whole.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.predicate import SBOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pratique.policy.evidence import Evidence

MOST: Final = 10
"""Places of one finding; a component may be seen in any number of files."""
_PURL: Final = "pkg:"


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, order=True):
    """One place. What says nothing is left out.

    Attributes:
        component: package URL.
        input: URI or name of an input of the build.
        check: id of a check, of the runner or of the image.
        part: what is no file, as the evidence calls it: `config.User`, `layer 2`.
        member: path in the artifact.
        file: path in the source, or on the machine that built.
        line: in the file or member, from 1; 0 where it is not known.
    """

    component: str = ""
    input: str = ""
    check: str = ""
    part: str = ""
    member: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        what = " ".join(text for text in (self.component, self.input, self.check, self.part) if text)
        path = self.member or self.file
        where = f"{path}:{self.line}" if path and self.line else path
        return f"{what} in {where}" if what and where else what or where


class _Wire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    component: str = ""
    input: str = ""
    check: str = ""
    part: str = ""
    member: str = ""
    file: str = ""
    line: int = 0


def parse_places(value: Any) -> tuple[Place, ...]:
    """Read what a rule says under `locations`: a list of objects with members of `Place`.

    Raises:
        MalformedError: another shape.
    """
    try:
        wires = msgspec.convert(value, tuple[_Wire, ...])
    except msgspec.ValidationError as error:
        raise MalformedError(f"locations: {error}") from error
    if any(wire.line < 0 for wire in wires):
        raise MalformedError("locations: a line counts from 1")
    return limited(Place(**msgspec.structs.asdict(wire)) for wire in wires)


def limited(places: Iterable[Place]) -> tuple[Place, ...]:
    """Sort places, without repetition and empty ones, and leave the first `MOST`."""
    return tuple(sorted({place for place in places if str(place)}))[:MOST]


def counted(line: object) -> int:
    """Give a line of others' counting, or 0 where it is no number from 1 on."""
    return line if isinstance(line, int) and not isinstance(line, bool) and line > 0 else 0


class Places:
    """What the evidence that stands knows of places; looked into only when something is found."""

    def __init__(self, standing: Mapping[str, tuple[Evidence, ...]]) -> None:
        self._standing = standing

    def of(self, term: Iterable[str], said: tuple[Place, ...]) -> tuple[Place, ...]:
        """Give the places of a finding: what its rule says, else the components that its term names."""
        named = said or [Place(component=text) for text in term if text.startswith(_PURL)]
        return limited(place for one in named for place in self._seen_in(one))

    def _seen_in(self, place: Place) -> list[Place]:
        if place != Place(component=place.component):
            return [place]
        bare = place.component.partition("?")[0]  # an input's qualifiers are not those of a bill of materials
        found = self._seen.get(place.component) or self._seen.get(bare) or [place]
        return [msgspec.structs.replace(one, component=place.component) for one in found]

    @cached_property
    def _seen(self) -> dict[str, list[Place]]:
        """Where the bills of materials saw each component (CycloneDX, `evidence.occurrences`)."""
        found: dict[str, list[Place]] = {}
        for items in self._standing.values():
            for item in items:
                if item.predicate_type != SBOM:
                    continue
                for component in _objects(item.predicate.get("components")):
                    purl, evidence = component.get("purl"), component.get("evidence")
                    occurrences = evidence.get("occurrences") if isinstance(evidence, dict) else None
                    places = [_occurrence(purl, entry) for entry in _objects(occurrences)]
                    if isinstance(purl, str) and places:
                        found.setdefault(purl, []).extend(places)
        return found


def _occurrence(purl: Any, entry: dict[str, Any]) -> Place:
    path = entry.get("location")
    if not isinstance(path, str) or not path:
        return Place(component=str(purl))
    return Place(component=str(purl), member=path, line=counted(entry.get("line")))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
