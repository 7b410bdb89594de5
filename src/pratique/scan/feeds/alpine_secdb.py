"""Alpine's secdb: which package version fixed which vulnerability, one JSON for a release and repository."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterator

_RELEASE = re.compile(r"v?(\d+\.\d+|edge)\Z")
_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:-[0-9A-Za-z]+)+")


def read_alpine_secdb(data: bytes, *, what: str) -> Iterator[dict[str, Any]]:
    """Give an OSV record for each vulnerability that a file names; "0" says that no version is affected.

    Raises:
        MalformedError: not such a file.
    """
    document = parse_json_object(data, what=what)
    release = _RELEASE.match(str(document.get("distroversion", "")))
    packages = document.get("packages")
    if not release or not isinstance(packages, list):
        raise MalformedError(f"{what}: not a secdb: it has no `distroversion`, or no `packages`")
    ecosystem = f"Alpine:v{release[1]}" if release[1] != "edge" else "Alpine:edge"
    repository = str(document.get("reponame", ""))
    found: dict[str, tuple[set[str], list[dict[str, Any]]]] = {}
    for entry in packages:
        package = entry.get("pkg") if isinstance(entry, dict) else None
        fixes = package.get("secfixes") if isinstance(package, dict) else None
        if (
            not isinstance(package, dict)
            or not isinstance(fixes, dict)
            or not isinstance(package.get("name"), str)
        ):
            raise MalformedError(f"{what}: a package without a name and its fixes")
        for version, names in fixes.items():
            if version == "0" or not isinstance(names, list):
                continue
            events = [{"introduced": "0"}, {"fixed": version}]
            affected = {
                "package": {"ecosystem": ecosystem, "name": package["name"]},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
            for line in names:
                for first, others in _named(str(line)):
                    aliases, packages_affected = found.setdefault(first, (set(), []))
                    aliases.update(others)
                    packages_affected.append(affected)
    for name, (aliases, packages_affected) in found.items():
        yield {
            "id": f"{ecosystem}/{repository}:{name}",
            "aliases": sorted({name, *aliases}),
            "affected": packages_affected,
        }


def _named(line: str) -> list[tuple[str, list[str]]]:
    """Give each vulnerability of a line with its other names; several CVEs are several vulnerabilities."""
    names = _NAME.findall(line)
    several = [name for name in names if name.startswith("CVE-")]
    if len(several) == 1:
        return [(several[0], names)]
    return [(name, []) for name in names]
