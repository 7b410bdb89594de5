"""Package URLs in their one canonical form (purl-spec 1.0, with the rules of its package types).

packageurl-python parses; what it does not do yet is done here: a slash in a qualifier is encoded, names
without case are folded, and parts that a package type requires or forbids are checked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from pratique.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packageurl import PackageURL

PLAIN: Final = re.compile(
    r"pkg:(?P<type>pypi|npm|cargo|gem|deb|apk|golang)/"
    r"(?P<namespace>(?:(?<!pypi/)(?:%40)?[a-z0-9][a-z0-9._~-]*/)*)"
    r"(?P<name>(?:(?<=pypi/)[a-z0-9-]+|(?<!pypi/)[a-z0-9][a-z0-9._~-]*))"
    r"@(?P<version>[0-9A-Za-z][0-9A-Za-z._~:-]*)\Z"
)
"""Package URLs that are canonical already, as nearly all are: the library takes long over them."""
_MAX_LENGTH: Final = 4096
_FOLDED: Final = {"brew", "git"}
_NEEDS_NAMESPACE: Final = {"swift", "vscode-extension", "composer"}
_HAS_NO_NAMESPACE: Final = {"otp", "vcpkg", "chrome-extension"}
_NEEDS_QUALIFIER: Final = {"julia": "uuid"}
_NAMES: Final = {
    "chrome-extension": re.compile(r"[a-p]{32}\Z"),
    "cpan": re.compile(r"(?!.*::)"),
}
_VERSIONS: Final = {"chrome-extension": re.compile(r"\d+(?:\.\d+){0,3}\Z")}


class Purl(NamedTuple):
    """A package URL's parts, decoded; what is absent is empty."""

    type: str
    namespace: str
    name: str
    version: str
    qualifiers: Mapping[str, str]
    subpath: str


def parse_purl(text: str) -> Purl:
    """Parse a package URL from outside.

    Raises:
        MalformedError: not a package URL, or one that its package type forbids.
    """
    if len(text) > _MAX_LENGTH:
        raise MalformedError(f"{text[:80]!r}…: a package URL of {len(text)} characters")
    if plain := PLAIN.match(text):
        kind, namespace, name, version = plain.groups()
        return Purl(kind, namespace.rstrip("/").replace("%40", "@"), name, version, {}, "")
    from packageurl import PackageURL  # noqa: PLC0415 - takes as long to load as matching a thousand

    try:
        return _checked(PackageURL.from_string(text))
    except ValueError as error:
        raise MalformedError(f"{text[:120]!r}: not a package URL: {error}") from error


def build_purl(
    kind: str,
    name: str,
    version: str = "",
    *,
    namespace: str = "",
    qualifiers: Mapping[str, str] | None = None,
    subpath: str = "",
) -> str:
    """Write a package URL in canonical form; empty parts and qualifiers are left out.

    Raises:
        MalformedError: parts that make no package URL, or that the package type forbids.
    """
    from packageurl import PackageURL  # noqa: PLC0415 - as above

    try:
        parts = PackageURL(
            type=kind,
            namespace=namespace or None,
            name=name,
            version=version or None,
            qualifiers=dict(qualifiers or {}),
            subpath=subpath or None,
        )
        return canonical_purl(_checked(parts))
    except ValueError as error:
        raise MalformedError(f"no package URL of type {kind} for {name[:120]!r}: {error}") from error


def canonical_purl(purl: Purl) -> str:
    """Write a parsed package URL in canonical form."""
    names = purl.name.split("/") if purl.type == "git" else [purl.name]
    path = [*purl.namespace.split("/"), *names]
    text = f"pkg:{purl.type}/" + "/".join(_encoded(segment) for segment in path if segment)
    if purl.version:
        text += "@" + _encoded(purl.version)
    if qualifiers := sorted(purl.qualifiers.items()):
        text += "?" + "&".join(f"{key}={_encoded(value)}" for key, value in qualifiers)
    if purl.subpath:
        text += "#" + "/".join(map(_encoded, purl.subpath.split("/")))
    return text


def _encoded(text: str) -> str:
    return quote(text, safe="").replace("%3A", ":")


def _checked(found: PackageURL) -> Purl:
    purl = Purl(
        found.type,
        found.namespace or "",
        found.name,
        found.version or "",
        dict(found.qualifiers),
        found.subpath or "",
    )
    if purl.type in _NEEDS_NAMESPACE and not purl.namespace:
        raise ValueError(f"type {purl.type} needs a namespace")
    if purl.type in _HAS_NO_NAMESPACE and purl.namespace:
        raise ValueError(f"type {purl.type} has no namespace")
    needed = _NEEDS_QUALIFIER.get(purl.type)
    if needed and needed not in purl.qualifiers:
        raise ValueError(f"type {purl.type} needs the qualifier {needed}")
    for what, rules, value in (("name", _NAMES, purl.name), ("version", _VERSIONS, purl.version)):
        if value and purl.type in rules and not rules[purl.type].match(value):
            raise ValueError(f"not a {what} of type {purl.type}: {value[:80]!r}")
    if purl.type in _FOLDED:
        return purl._replace(name=purl.name.lower(), namespace=purl.namespace.lower())
    return purl
