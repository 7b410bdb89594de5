"""How complete a bill of materials is: CISA's minimum elements, counted (2025 Minimum Elements for an SBOM).

The data fields are those of CISA's public draft of August 2025: author, producer, name, version, identifiers,
hash, licence, dependencies, tool, timestamp and generation context. A field of the document is there or not;
a field of the components counts by the share of them that have it. The score is the mean of all, in percent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.scan.component import Component  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.scan.bill import Bill

_SHOWN: Final = 20


class Element(msgspec.Struct, frozen=True, kw_only=True):
    """One data field: how many have it, of how many, and which do not (the first of them)."""

    name: str
    present: int
    of: int
    lacking: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """What part has it; of nothing, none."""
        return self.present / self.of if self.of else 0.0


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """The elements in CISA's order."""

    elements: tuple[Element, ...]

    @property
    def score(self) -> float:
        """The mean of the shares, in percent."""
        return round(100 * sum(element.share for element in self.elements) / len(self.elements), 1)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lacking."""
        return all(element.present == element.of and element.of for element in self.elements)


def quality_of(bill: Bill) -> Quality:
    """Judge a bill of materials."""
    about = bill.about

    def stated(name: str, value: object) -> Element:
        return Element(name=name, present=int(bool(value)), of=1, lacking=() if value else ("the document",))

    def counted(name: str, has: Callable[[Component], object]) -> Element:
        lacking = [item.purl for item in bill.components if not has(item)] + list(bill.unnamed)
        of = len(bill.components) + len(bill.unnamed)
        return Element(name=name, present=of - len(lacking), of=of, lacking=tuple(lacking[:_SHOWN]))

    return Quality(
        elements=(
            stated("SBOM author", about.author),
            counted("software producer", lambda item: item.purl in about.produced),
            counted("component name", lambda item: item.name),
            counted("component version", lambda item: item.version),
            counted("software identifiers", lambda item: item.purl),
            counted("component hash", lambda item: item.hashes),
            counted("licence", lambda item: item.licence),
            counted("dependency relationship", lambda item: item.purl in about.related),
            stated("tool name", about.tool),
            stated("timestamp", about.created),
            stated("generation context", about.context),
        )
    )
