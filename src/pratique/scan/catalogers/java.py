"""Java: what Maven leaves inside jars, Gradle's lock files, and those of the maven-lockfile plugin."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pratique.scan.catalogers.base import File, UnreadableError, connected, entries

if TYPE_CHECKING:
    from pratique.scan.component import Component

_MAX_DEPENDENCIES: Final = 100_000
_ALGORITHMS: Final = {"SHA-1": 40, "SHA-256": 64, "SHA-384": 96, "SHA-512": 128}
_HEX = re.compile(r"[0-9a-f]+\Z")
_PROPERTY = re.compile(r"\s*([A-Za-z]+)\s*[=:]\s*(.*?)\s*\Z")


def read_pom_properties(file: File) -> list[Component]:
    """Read what a jar says it was made from (Maven Archiver, `META-INF/maven/G/A/pom.properties`).

    Raises:
        UnreadableError: without group, artifact and version.
    """
    text = file.data.decode("latin-1")  # java.util.Properties
    fields = {match[1]: match[2] for line in text.splitlines() if (match := _PROPERTY.match(line))}
    return [_artifact(file, fields.get("groupId"), fields.get("artifactId"), fields.get("version"))]


def read_gradle_lock(file: File) -> list[Component]:
    """Read `gradle.lockfile` ("Locking Versions": one `group:artifact:version=configurations` a line).

    Raises:
        UnreadableError: a line that is none.
    """
    found: list[Component] = []
    for raw in file.text().splitlines():
        line = raw.strip()
        if not line or line.startswith(("#", "empty=")):
            continue
        parts = line.partition("=")[0].split(":")
        if len(parts) != 3:  # noqa: PLR2004 - group, artifact, version
            raise UnreadableError(f"a line that is not understood: {line[:120]!r}", found)
        found.append(_artifact(file, *parts))
    return found


def read_maven_lock(file: File) -> list[Component]:
    """Read `lockfile.json` of the maven-lockfile plugin, its tree of dependencies as edges.

    Raises:
        UnreadableError: not such a file.
    """
    document = file.json()
    if not isinstance(document.get("dependencies"), list) or "artifactId" not in str(document)[:100_000]:
        raise UnreadableError("a lockfile.json that is not the maven-lockfile plugin's")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    pending = [*entries(document, "dependencies")]
    while pending:
        entry = pending.pop()
        children = entries(entry, "children")
        pending += children
        if len(found) >= _MAX_DEPENDENCIES:
            raise UnreadableError(f"more than {_MAX_DEPENDENCIES} dependencies")
        component = _artifact(
            file, entry.get("groupId"), entry.get("artifactId"), entry.get("version"), hashes=_checksum(entry)
        )
        found.append((component, [_key(child) for child in children]))
        targets[_key(entry)] = [component.purl]
    return connected(found, targets)


def _key(entry: dict[str, Any]) -> str:
    return ":".join(str(entry.get(name)) for name in ("groupId", "artifactId", "version"))


def _checksum(entry: dict[str, Any]) -> tuple[str, ...]:
    text = str(entry.get("checksum", "")).lower()
    wanted = _ALGORITHMS.get(str(entry.get("checksumAlgorithm")))
    return (text,) if len(text) == wanted and _HEX.match(text) else ()


def _artifact(file: File, group: object, artifact: object, version: object, **members: Any) -> Component:
    if not isinstance(group, str) or not group:
        raise UnreadableError(f"an artifact without its group: {str(artifact)[:80]!r}")
    return file.component("maven", artifact, version, namespace=group, shown=f"{group}:{artifact}", **members)
