"""Ecosystems: which of `orders` sorts their versions, how they spell names, and where a purl belongs.

A version key is bytes that sort as the ecosystem orders its versions, computed once and compared for ever.
An ecosystem that is not in the table is not guessed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.scan.orders.alpine import alpine_key
from pratique.scan.orders.composer import composer_key
from pratique.scan.orders.debian import debian_key
from pratique.scan.orders.encoding import UnorderableError
from pratique.scan.orders.maven import maven_key
from pratique.scan.orders.pep440 import pep440_key, without_local
from pratique.scan.orders.rpm import rpm_key
from pratique.scan.orders.rubygems import rubygems_key
from pratique.scan.orders.semver import nuget_key, semver_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.scan.purl import Purl

__all__ = [
    "ECOSYSTEM_SPELLINGS",
    "LOWEST",
    "VERSION_KEYS",
    "UnorderableError",
    "base_ecosystem",
    "ecosystem_of",
    "package_key",
    "package_name",
    "pep440_key",
    "releases_of",
    "semver_key",
    "stored_ecosystem",
    "without_local",
]

LOWEST: Final = b""
_SEPARATORS: Final = re.compile(r"[-_.]+")

_CARGO: Final = "crates" + ".io"  # OSV's name of the ecosystem; no address is meant

VERSION_KEYS: Final[dict[str, Callable[[str], bytes]]] = {
    "PyPI": pep440_key,
    "Go": semver_key,
    "npm": semver_key,
    _CARGO: semver_key,
    "Debian": debian_key,
    "Ubuntu": debian_key,
    "Alpine": alpine_key,
    "Red Hat": rpm_key,
    "Rocky Linux": rpm_key,
    "AlmaLinux": rpm_key,
    "Maven": maven_key,
    "NuGet": nuget_key,
    "RubyGems": rubygems_key,
    "Packagist": composer_key,
}
"""The ecosystems whose versions we can order, by their OSV names."""

ECOSYSTEM_SPELLINGS: Final = {name.lower(): name for name in VERSION_KEYS}
_OF_PURL_TYPE: Final = {
    "pypi": "PyPI",
    "golang": "Go",
    "npm": "npm",
    "cargo": _CARGO,
    "maven": "Maven",
    "nuget": "NuGet",
    "gem": "RubyGems",
    "composer": "Packagist",
}
_OF_DISTRIBUTION: Final = {
    ("deb", "debian"): "Debian",
    ("deb", "ubuntu"): "Ubuntu",
    ("apk", "alpine"): "Alpine",
    ("rpm", "redhat"): "Red Hat",
    ("rpm", "rocky"): "Rocky Linux",
    ("rpm", "almalinux"): "AlmaLinux",
}
_BY_RELEASE: Final = frozenset(_OF_DISTRIBUTION.values())


def ecosystem_of(purl: Purl) -> str:
    """Give a package's ecosystem by its OSV name, or the purl's type where we know none."""
    distribution = _OF_DISTRIBUTION.get((purl.type, purl.namespace))
    return distribution or _OF_PURL_TYPE.get(purl.type, purl.type)


def base_ecosystem(ecosystem: str) -> str:
    """Give an OSV ecosystem without its release: `Debian:12` → `Debian`."""
    return ecosystem.partition(":")[0]


def stored_ecosystem(text: str) -> str:
    """Give the spelling under which an advisory's ecosystem is stored; releases stay where they matter."""
    base, separator, release = text.partition(":")
    base = ECOSYSTEM_SPELLINGS.get(base.lower(), base)
    return f"{base}{separator}{release}" if base in _BY_RELEASE and release else base


def releases_of(purl: Purl) -> tuple[str, ...] | None:
    """Give the stored ecosystems that speak of a package; None where it does not say of which release it is.

    A fix has another version in every release of a distribution, so guessing one would be wrong either way.
    """
    ecosystem = ecosystem_of(purl)
    if ecosystem not in _BY_RELEASE:
        return (ecosystem,)
    release = purl.qualifiers.get("distro", "").rpartition("-")[2]
    if not release or not release[0].isdigit():
        return None
    match ecosystem:
        case "Debian":
            names = [release.partition(".")[0]]
        case "Ubuntu":
            names = [release, f"{release}:LTS"]
        case "Alpine":
            names = ["v" + ".".join(release.split(".")[:2])]
        case "Red Hat":
            return None  # its OSV releases are CPEs
        case _:
            names = [release.partition(".")[0]]
    return (*(f"{ecosystem}:{name}" for name in names), ecosystem)


def package_key(ecosystem: str, name: str) -> str:
    """Give the one spelling under which an ecosystem's package is stored and looked up."""
    if ecosystem == "PyPI":
        return _SEPARATORS.sub("-", name).lower()  # PEP 503; the library's function takes 50 ms to load
    # purl-spec lower-cases `pkg:golang` and `pkg:composer`, NuGet ids have no case: both sides meet there.
    return name.lower() if ecosystem in {"Go", "NuGet", "Packagist"} else name


def package_name(purl: Purl) -> str:
    """Give the name that OSV knows a package by."""
    if not purl.namespace or (purl.type, purl.namespace) in _OF_DISTRIBUTION:
        return purl.name
    return f"{purl.namespace}{':' if purl.type == 'maven' else '/'}{purl.name}"
