"""Lock files of Python project tools, all TOML with `[[package]]`: uv.lock, poetry.lock, pdm.lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from pratique.scan.catalogers.base import File, UnreadableError, connected, entries, sha256_digests, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pratique.scan.component import Component

_LOCAL = frozenset({"virtual", "editable", "directory", "path"})
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def read_python_lock(file: File) -> list[Component]:
    """Read every locked package but the project's own, which the lock names by its folder.

    Raises:
        UnreadableError: not such a lock file, or an entry without name and version.
    """
    document = file.toml()
    if "package" not in document and not {"version", "metadata"} & set(document):
        raise UnreadableError("neither packages nor a version of the lock format")
    old_files = table(table(document, "metadata"), "files")
    found = [
        (_component(file, package, old_files), list(_required(package)))
        for package in entries(document, "package")
        if not _is_local(package)
    ]
    targets: dict[str, list[str]] = {}
    for component, _ in found:
        targets.setdefault(canonicalize_name(component.name), []).append(component.purl)
    return connected(found, targets)


def _is_local(package: Mapping[str, Any]) -> bool:
    source = package.get("source")
    if package.get("path") is not None:  # pdm
        return True
    return isinstance(source, dict) and bool(
        _LOCAL & set(source) or source.get("type") in {"directory", "file"}
    )


def _component(file: File, package: Mapping[str, Any], old_files: Mapping[str, Any]) -> Component:
    name = package.get("name")
    files = [
        *_tables(package.get("files")),
        *_tables(package.get("wheels")),
        *_tables([package.get("sdist")]),
    ]
    files += _tables(old_files.get(name) if isinstance(name, str) else None)
    return file.component(
        "pypi",
        canonicalize_name(name) if isinstance(name, str) else name,
        package.get("version"),
        shown=name,
        hashes=sha256_digests(item.get("hash") for item in files),
    )


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _required(package: Mapping[str, Any]) -> Iterator[str]:
    """Give the names required: uv writes tables, poetry one table, pdm requirement lines."""
    required = package.get("dependencies") or []
    for item in required if isinstance(required, (list, dict)) else ():
        name = item.get("name") if isinstance(item, dict) else item
        if isinstance(name, str) and (match := _NAME.match(name)):
            yield canonicalize_name(match[1])
