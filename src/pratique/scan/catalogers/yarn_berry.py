"""yarn.lock of Yarn 2 and later ("Berry"): YAML, one entry for each resolution (yarnpkg.com, lexicon)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.scan.catalogers.base import File, UnreadableError, connected, table

if TYPE_CHECKING:
    from pratique.scan.component import Component

_METADATA: Final = "__metadata"
_LOCATOR = re.compile(r"((?:@[^/@]+/)?[^/@]+)@(.+)\Z", re.DOTALL)
_LOCAL: Final = ("workspace:", "link:", "portal:")


def read_yarn_berry_lock(file: File) -> list[Component]:
    """Read every locked package; its checksums are of Yarn's own archives, and so nobody else's digests.

    Raises:
        UnreadableError: not such a lock file, or an entry without a name and version.
    """
    document = file.yaml()
    if "version" not in table(document, _METADATA):
        raise UnreadableError("neither a lock file of Yarn 1 nor of Yarn 2 and later")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for key, entry in document.items():
        if key == _METADATA:
            continue
        locator = _LOCATOR.match(str(entry.get("resolution"))) if isinstance(entry, dict) else None
        if not locator:
            raise UnreadableError(f"an entry without its resolution: {key[:120]!r}")
        if locator[2].startswith(_LOCAL):
            continue
        namespace, _, name = locator[1].rpartition("/")
        component = file.component("npm", name, entry.get("version"), namespace=namespace, shown=locator[1])
        required = table(entry, "dependencies")
        found.append((component, [f"{name}@{wanted}" for name, wanted in required.items()]))
        for specifier in key.split(", "):
            # before Yarn 4 a dependency's range stands without the protocol that the key has
            for spelling in {specifier, specifier.replace("@npm:", "@", 1)}:
                targets.setdefault(spelling, []).append(component.purl)
    return connected(found, targets)
