"""yarn.lock of Yarn 1, a format of its own; `yarn_berry` reads what later ones write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pratique.scan.catalogers.base import File, UnreadableError, connected, integrity_digests
from pratique.scan.catalogers.yarn_berry import read_yarn_berry_lock

if TYPE_CHECKING:
    from pratique.scan.component import Component

_MAX_LINE = 20_000
_HEADER = "# yarn lockfile v1"
_SPECIFIER = re.compile(r'"?((?:npm:)?(@[^/@"]+/)?([^@"/]+)@[^",]*)"?(?:,\s*|\Z)')
_FIELD = re.compile(r'  (version|resolved|integrity)\s+"?([^"\s]+)"?\Z')
_REQUIRED = re.compile(r'    "?([^"\s]+)"?\s+"?([^"]+)"?\Z')


def read_yarn_lock(file: File) -> list[Component]:
    """Read every locked package.

    Raises:
        UnreadableError: of another format, or an entry that is not understood.
    """
    text = file.text()
    if _HEADER not in text[:500]:
        return read_yarn_berry_lock(file)
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for block in re.split(r"\n{2,}", text.replace("\r\n", "\n")):
        lines = [line for line in block.split("\n") if line and not line.startswith("#")]
        if not lines:
            continue
        if len(lines[0]) > _MAX_LINE:
            raise UnreadableError(f"an entry of {len(lines[0])} characters")
        specifiers = list(_SPECIFIER.finditer(lines[0].removesuffix(":")))
        if not specifiers or not lines[0].endswith(":"):
            raise UnreadableError(f"an entry that is not understood: {lines[0][:120]!r}")
        fields = {match[1]: match[2] for line in lines[1:] if (match := _FIELD.match(line))}
        namespace, name = (specifiers[0][2] or "").removesuffix("/"), specifiers[0][3]
        component = file.component(
            "npm",
            name,
            fields.get("version"),
            namespace=namespace,
            shown=f"{namespace}/{name}" if namespace else name,
            hashes=integrity_digests(fields.get("integrity")),
        )
        required = [f"{match[1]}@{match[2]}" for line in lines[1:] if (match := _REQUIRED.match(line))]
        found.append((component, required))
        for specifier in specifiers:
            targets.setdefault(specifier[1], []).append(component.purl)
    return connected(found, targets)
