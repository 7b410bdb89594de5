"""Linux distributions: dpkg's status (distroless' `status.d` too) and the installed database of Alpine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.scan.catalogers.base import File, UnreadableError, connected, distribution, licence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.scan.component import Component

_SOURCE = re.compile(r"(\S+)(?:\s+\(([^)]+)\))?\Z")
_RELATION = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9.+-]*)")


def read_dpkg(file: File) -> list[Component]:
    """Read the installed packages (deb822(5); dpkg's `Status` is absent in distroless images).

    Raises:
        UnreadableError: a paragraph without package, version or architecture.
    """
    root = re.sub(r"var/lib/dpkg/(?:status|status\.d/[^/]+)\Z", "", file.name)
    vendor, release = distribution(file, root, "debian")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for fields in _paragraphs(file.text()):
        if not fields.get("status", "install ok installed").endswith(" installed"):
            continue  # removed, and only its configuration is left
        source = _SOURCE.match(fields.get("source", ""))
        component = file.component(
            "deb",
            fields.get("package"),
            fields.get("version"),
            namespace=vendor,
            qualifiers={"arch": fields.get("architecture", ""), "distro": release},
            source=source[1] if source else fields.get("package", ""),
            source_version=(source[2] or "") if source else "",
        )
        related = ",".join((fields.get("pre-depends", ""), fields.get("depends", "")))
        names = [match[1] for part in re.split(r"[,|]", related) if (match := _RELATION.match(part))]
        found.append((component, names))
        provided = [
            match[1] for part in fields.get("provides", "").split(",") if (match := _RELATION.match(part))
        ]
        for name in (component.name, *provided):
            targets.setdefault(name, []).append(component.purl)
    return connected(found, targets)


def read_apk(file: File) -> list[Component]:
    """Read the installed packages (apk-tools, "Installed database v2").

    Raises:
        UnreadableError: a paragraph without name and version.
    """
    root = re.sub(r"(?:usr/)?lib/apk/db/installed\Z", "", file.name)
    vendor, release = distribution(file, root, "alpine")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for paragraph in re.split(r"\n\n+", file.text().strip()):
        # Within the list of files that ends a paragraph, one-letter fields mean other things.
        head = re.split(r"^F:", paragraph, maxsplit=1, flags=re.MULTILINE)[0]
        fields = {line[0]: line[2:] for line in head.splitlines() if line[1:2] == ":"}
        if not fields:
            continue
        component = file.component(
            "apk",
            fields.get("P"),
            fields.get("V"),
            namespace=vendor,
            qualifiers={"arch": fields.get("A", ""), "distro": release},
            source=fields.get("o", ""),
            **licence(fields.get("L")),
        )
        found.append((component, [re.split(r"[<>=~]", name)[0] for name in fields.get("D", "").split()]))
        for name in (component.name, *(re.split(r"[<>=~]", item)[0] for item in fields.get("p", "").split())):
            targets.setdefault(name, []).append(component.purl)
    return connected(found, targets)


def _paragraphs(text: str) -> Iterator[dict[str, str]]:
    fields: dict[str, str] = {}
    name = ""
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if not name:
                raise UnreadableError(f"a line that continues nothing: {line[:80]!r}")
        else:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or name in fields:
                raise UnreadableError(f"not a field, or one that is there already: {line[:80]!r}")
            fields[name] = value.strip()
