"""Rules about the layers as archives: whether every reader sees the same image, and nothing outside of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, Rule, Seen
from pratique.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MAX_LAYERS: Final = 127  # what overlay file systems mount (Docker's own limit)
_WASTE: Final = 10 << 20


def _noted(rule: str) -> Callable[[Facts], list[Seen]]:
    """Make a rule of what `gather` noted under its id."""
    return lambda facts: facts.problems.get(rule, [])


def _many(facts: Facts) -> Iterator[Seen]:
    if len(facts.manifest.layers) > _MAX_LAYERS:
        yield Seen("layers", f"{len(facts.manifest.layers)}, more than the {_MAX_LAYERS} that engines mount")


def _elsewhere(facts: Facts) -> Iterator[Seen]:
    for number, layer in enumerate(facts.manifest.layers, 1):
        if layer.urls or "nondistributable" in layer.media_type or ".foreign." in layer.media_type:
            yield Seen(f"layer {number}", "is fetched from a place outside of the registry")


def _waste(facts: Facts) -> Iterator[Seen]:
    wasted: dict[int, int] = {}
    for _, node in facts.removed:
        wasted[node.layer] = wasted.get(node.layer, 0) + node.member.size
    for layer, size in wasted.items():
        if size > _WASTE:
            yield Seen(f"layer {layer + 1}", f"{size} bytes of it are deleted or replaced above")


def _layer_rule(number: int, severity: Severity, title: str, fix: str) -> Rule:
    name = f"IMG-LAY-{number:02}"
    return Rule(id=name, severity=severity, title=title, fix=fix, look=_noted(name), needs_files=True)


_REBUILD: Final = "do not use the image; build the layer again with a builder you trust"

RULES: Final = (
    Rule(
        id="IMG-LAY-01",
        severity=Severity.CRITICAL,
        title="Layers are what manifest and configuration say",
        fix=_REBUILD,
        look=_noted("IMG-LAY-01"),
        needs_files=True,
    ),
    _layer_rule(2, Severity.CRITICAL, "Layers are whole and unambiguous archives", _REBUILD),
    _layer_rule(3, Severity.CRITICAL, "No decompression bombs", _REBUILD),
    _layer_rule(4, Severity.CRITICAL, "No member leads out of the image", _REBUILD),
    _layer_rule(5, Severity.LOW, "Member names are relative", "build the layer with relative names"),
    _layer_rule(6, Severity.MEDIUM, "Each path is in a layer once", _REBUILD),
    _layer_rule(
        7, Severity.MEDIUM, "No member lies below a symbolic link", "write to where the link leads instead"
    ),
    _layer_rule(8, Severity.HIGH, "Hard links lead to files of the image", _REBUILD),
    _layer_rule(9, Severity.MEDIUM, "Names are plain text", "rename the files"),
    Rule(
        id="IMG-LAY-10",
        severity=Severity.MEDIUM,
        title="Engines can mount all layers",
        fix="build with fewer layers",
        look=_many,
    ),
    Rule(
        id="IMG-LAY-11",
        severity=Severity.HIGH,
        title="All layers come with the image",
        fix="copy the layers into the registry, by digest",
        look=_elsewhere,
    ),
    Rule(
        id="IMG-LAY-12",
        severity=Severity.LOW,
        title="Little is shipped that nobody sees",
        fix="remove files in the layer that adds them",
        look=_waste,
    ),
)
