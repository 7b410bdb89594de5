"""Cargo.lock (The Cargo Book, "Cargo.toml vs Cargo.lock"; format versions 1 to 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.scan.catalogers.base import File, UnreadableError, connected, entries, table

if TYPE_CHECKING:
    from pratique.scan.component import Component

_SHA256_HEX = 64


def read_cargo_lock(file: File) -> list[Component]:
    """Read every locked crate but the workspace's own, which have no source.

    Raises:
        UnreadableError: not a Cargo.lock.
    """
    document = file.toml()
    if "package" not in document and "version" not in document:
        raise UnreadableError("neither packages nor a version of the lock format")
    old_checksums = table(document, "metadata")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for package in entries(document, "package"):
        name, version, source = package.get("name"), package.get("version"), package.get("source")
        if source is None:
            continue
        checksum = package.get("checksum") or old_checksums.get(f"checksum {name} {version} ({source})")
        component = file.component(
            "cargo",
            name,
            version,
            hashes=(checksum,) if isinstance(checksum, str) and len(checksum) == _SHA256_HEX else (),
            qualifiers={"vcs_url": source} if str(source).startswith("git+") else {},
        )
        required = package.get("dependencies") or []
        names = [item for item in required if isinstance(item, str)] if isinstance(required, list) else []
        # "name", "name version" or "name version (source)": the shortest that is unambiguous
        found.append((component, [" ".join(item.split()[:2]) for item in names]))
        for key in (component.name, f"{component.name} {component.version}"):
            targets.setdefault(key, []).append(component.purl)
    return connected(found, targets)
