"""npm: `package-lock.json` of lockfile versions 2 and 3, and installed `node_modules` trees."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pratique.scan.catalogers.base import (
    File,
    UnreadableError,
    connected,
    integrity_digests,
    licence,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pratique.scan.component import Component

_MAX_PATH = 4096
_INSTALLED = re.compile(r"(?:.*/)?node_modules/((?:@[^/]+/)?[^/@][^/]*)\Z")


def read_package_lock(file: File) -> list[Component]:
    """Read every locked package; links and the workspace's own folders are the project itself.

    Raises:
        UnreadableError: not of lockfile version 2 or 3.
    """
    document = file.json()
    if not isinstance(document.get("packages"), dict):
        raise UnreadableError(
            "a lock file of npm before version 7, which does not say what is installed where"
        )
    found: dict[str, tuple[Component, Mapping[str, Any]]] = {}
    for place, entry in document["packages"].items():
        if not isinstance(entry, dict) or len(place) > _MAX_PATH:
            raise UnreadableError(f"the entry {place[:120]!r} is not an object, or too long")
        match = _INSTALLED.match(place)
        if match and not entry.get("link"):
            component = _component(file, entry.get("name", match[1]), entry)
            found[place] = component, entry
    return _resolved(found)


def read_installed(file: File) -> list[Component]:
    """Read the `package.json` of one installed package."""
    document = file.json()
    match = _INSTALLED.match(file.folder.removesuffix("/"))
    return [_component(file, document.get("name", match[1] if match else None), document)]


def read_tree(files: Iterable[File]) -> tuple[list[Component], list[tuple[str, str]]]:
    """Read all installed packages together, as their edges follow from where they lie."""
    found: dict[str, tuple[Component, Mapping[str, Any]]] = {}
    problems = []
    for file in files:
        try:
            (component,) = read_installed(file)
            found[file.folder.removesuffix("/")] = component, file.json()
        except UnreadableError as error:
            problems.append((file.name, str(error)))
    return _resolved(found), problems


def _component(file: File, name: object, entry: Mapping[str, Any]) -> Component:
    if not isinstance(name, str) or name.count("/") > 1 or ("/" in name and not name.startswith("@")):
        raise UnreadableError(f"an entry with the name {str(name)[:80]!r}")
    stated = entry.get("license")
    namespace, _, bare = name.rpartition("/")
    return file.component(
        "npm",
        bare,
        entry.get("version"),
        namespace=namespace,
        shown=name,
        hashes=integrity_digests(entry.get("integrity")),
        **licence(stated.get("type") if isinstance(stated, dict) else stated),
    )


def _resolved(found: Mapping[str, tuple[Component, Mapping[str, Any]]]) -> list[Component]:
    """Find each dependency where Node.js would: in the nearest `node_modules` upwards."""
    edges: list[tuple[Component, list[str]]] = []
    for place, (component, entry) in found.items():
        names = [
            name
            for key in ("dependencies", "optionalDependencies")
            for name in (entry.get(key) if isinstance(entry.get(key), dict) else {}) or {}
        ]
        edges.append((component, [nearest for name in names if (nearest := _nearest(found, place, name))]))
    return connected(edges, {place: [component.purl] for place, (component, _) in found.items()})


def _nearest(found: Mapping[str, object], place: str, name: str) -> str | None:
    folder = place
    while True:
        candidate = f"{folder}/node_modules/{name}" if folder else f"node_modules/{name}"
        if candidate in found:
            return candidate
        if not folder:
            return None
        folder = folder.rpartition("/node_modules/")[0] if "/node_modules/" in folder else ""
