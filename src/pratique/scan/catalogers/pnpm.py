"""pnpm-lock.yaml, lockfile versions 5 to 9 (pnpm/spec, lockfile)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from pratique.scan.catalogers.base import File, UnreadableError, connected, integrity_digests, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pratique.scan.component import Component

_VERSIONS: Final = {"5", "6", "7", "9"}
# `@scope/name@1.0.0`, before version 6 `/@scope/name/1.0.0`
_AT = re.compile(r"/?((?:@[^/@]+/)?[^/@]+)@(.+)\Z")
_SLASH = re.compile(r"/((?:@[^/@]+/)?[^/@]+)/([^/]+)\Z")
_PLAIN_VERSION = re.compile(r"\d[0-9A-Za-z.+-]*\Z")


def read_pnpm_lock(file: File) -> list[Component]:
    """Read every locked package; folders and links are the project itself.

    Raises:
        UnreadableError: of another version, or a package whose version it does not say.
    """
    document = file.yaml()
    version = str(document.get("lockfileVersion", "")).partition(".")[0]
    if version not in _VERSIONS:
        raise UnreadableError(f"a lock file of pnpm of version {version[:20]!r}, which is not read")
    packages = table(document, "packages")
    requiring = table(document, "snapshots") or packages
    found: dict[str, Component] = {}
    problems: list[str] = []
    for key, entry in packages.items():
        if not isinstance(entry, dict):
            raise UnreadableError(f"the entry {key[:120]!r} is not a table")
        resolution = table(entry, "resolution")
        if resolution.get("type") == "directory":
            continue
        name, shown = _named(key, entry)
        if not name or not shown:
            problems.append(f"{key[:120]!r} does not say which version it is")
            continue
        namespace, _, bare = name.rpartition("/")
        found[_place(key)] = file.component(
            "npm",
            bare,
            shown,
            namespace=namespace,
            shown=name,
            hashes=integrity_digests(resolution.get("integrity")),
        )
    components = connected(_merged(found, requiring), {place: [item.purl] for place, item in found.items()})
    if problems:
        raise UnreadableError("; ".join(problems[:5]), components)
    return components


def _merged(
    found: Mapping[str, Component], requiring: Mapping[str, Any]
) -> Iterator[tuple[Component, Iterable[str]]]:
    """Give each package once with all it requires, whatever peers it was resolved with."""
    required: dict[str, set[str]] = {place: set() for place in found}
    for key, entry in requiring.items():
        if isinstance(entry, dict) and (place := _place(key)) in required:
            required[place].update(_required(entry))
    for place, component in found.items():
        yield component, required[place]


def _required(entry: Mapping[str, Any]) -> Iterator[str]:
    for member in ("dependencies", "optionalDependencies"):
        names = entry.get(member)
        for name, version in names.items() if isinstance(names, dict) else ():
            if isinstance(version, str):
                # an alias names what it stands for in full
                whole = version if _split(_bare(version)) else f"{name}@{version}"
                yield _place(whole)


def _named(key: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    name, version = _split(_bare(key)) or ("", "")
    if not _PLAIN_VERSION.match(version):
        version = str(entry.get("version") or "")
    stated = entry.get("name")
    return stated if isinstance(stated, str) and stated else name, version


def _place(key: str) -> str:
    """Give the one spelling of a package's key in all versions, without the peers it was resolved with."""
    bare = _bare(key)
    parts = _split(bare)
    return f"{parts[0]}@{parts[1]}" if parts else bare


def _bare(key: str) -> str:
    return key.partition("(")[0]


def _split(key: str) -> tuple[str, str] | None:
    if match := _AT.match(key):
        return match[1], match[2].partition("_")[0] if key.startswith("/") else match[2]
    if match := _SLASH.match(key):
        return match[1], match[2].partition("_")[0]
    return None
