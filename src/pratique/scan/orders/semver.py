"""Semantic Versioning 2.0.0 §11 (npm, Cargo, Go), and NuGet's four-part, case-blind form of it."""

from __future__ import annotations

import re

from pratique.scan.orders.encoding import checked, integer, refused, word

_SEMVER = re.compile(
    r"v?(0|[1-9]\d{0,599})\.(0|[1-9]\d{0,599})\.(0|[1-9]\d{0,599})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?\Z",
    re.ASCII,
)
_NUGET = re.compile(
    r"(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?\Z",
    re.ASCII,
)


def semver_key(text: str) -> bytes:
    """Give the sort key of a semantic version; a leading `v` and build metadata carry no order.

    Raises:
        UnorderableError: not a semantic version.
    """
    found = _SEMVER.match(text)
    if not found:
        raise refused(text, "semantic")
    return b"".join(integer(int(part)) for part in found.groups()[:3]) + _pre_release(found.group(4))


def nuget_key(text: str) -> bytes:
    """Give the sort key of a NuGet version: absent parts are 0, letters have no case.

    Raises:
        UnorderableError: not a NuGet version.
    """
    found = _NUGET.match(checked(text, "NuGet"))
    if not found:
        raise refused(text, "NuGet")
    numbers = b"".join(integer(int(part or 0)) for part in found.groups()[:4])
    return numbers + _pre_release(found.group(5) and found.group(5).lower())


def _pre_release(text: str | None) -> bytes:
    if text is None:
        return b"\xff"
    key = b""
    for part in text.split("."):
        key += b"\x01" + integer(int(part)) if part.isdigit() else b"\x02" + word(part)
    return key + b"\x00"
