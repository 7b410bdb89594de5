"""Places of findings as SARIF locations (2.1.0, §3.28), over a list of artifacts (§3.24)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from pratique.policy.decision import Decision
    from pratique.policy.places import Place

_LOGICAL = ("component", "input", "check", "part")


class Artifacts:
    """The decision's artifact and, as they are named, the members of it; becomes a run's `artifacts`.

    A member is nested in the artifact (§3.24.5), so that nobody takes an image's `/etc/passwd` for their own.
    """

    def __init__(self, decision: Decision) -> None:
        self._members: dict[str, int] = {}
        self._whole = {"uri": quote(decision.name.lstrip("/")) or str(decision.subject), "index": 0}
        self.listed: list[dict[str, Any]] = [
            {"location": self._whole, "hashes": {"sha-256": decision.subject.hex}}
        ]

    def locations(self, places: tuple[Place, ...]) -> list[dict[str, Any]]:
        """Give a result's locations; without places it is the artifact."""
        return [self._location(place) for place in places] or [
            {"physicalLocation": {"artifactLocation": self._whole}}
        ]

    def _location(self, place: Place) -> dict[str, Any]:
        physical: dict[str, Any] = {"artifactLocation": self._artifact(place)}
        if place.line:
            physical["region"] = {"startLine": place.line}
        logical = [
            {"fullyQualifiedName": getattr(place, kind), "kind": kind}
            for kind in _LOGICAL
            if getattr(place, kind)
        ]
        return {"physicalLocation": physical} | ({"logicalLocations": logical} if logical else {})

    def _artifact(self, place: Place) -> dict[str, Any]:
        if place.member:
            uri = quote(place.member.lstrip("/")) or "."
            if uri not in self._members:
                self._members[uri] = len(self.listed)
                self.listed.append({"location": {"uri": uri, "index": len(self.listed)}, "parentIndex": 0})
            return {"uri": uri, "index": self._members[uri]}
        if place.file:
            return {"uri": f"file://{quote(place.file)}" if place.file.startswith("/") else quote(place.file)}
        return self._whole
