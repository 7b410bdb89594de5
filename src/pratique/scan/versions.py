"""Version keys: bytes that sort as an ecosystem orders its versions, computed once and compared for ever.

PyPI follows PEP 440 ("Version Scheme", summary of permitted suffixes and relative ordering); Go, npm and
crates.io follow Semantic Versioning 2.0.0 §11. Whatever else an ecosystem does is not guessed at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Callable

LOWEST: Final = b""
_MAX_INT_BYTES = 250
_SEMVER = re.compile(
    r"v?(0|[1-9]\d{0,599})\.(0|[1-9]\d{0,599})\.(0|[1-9]\d{0,599})"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?\Z",
    re.ASCII,
)
_PRE = {"a": b"\x01", "b": b"\x02", "rc": b"\x03"}


class UnorderableError(ValueError):
    """A version that its ecosystem's rules cannot order."""


def pep440_key(text: str) -> bytes:
    """Give the sort key of a PEP 440 version, local segment included.

    Raises:
        UnorderableError: not a PEP 440 version.
    """
    try:
        version = Version(text)
    except InvalidVersion as error:
        raise UnorderableError(f"{text[:80]!r} is not a PEP 440 version") from error
    release = list(version.release)
    while release and release[-1] == 0:
        release.pop()
    key = _integer(version.epoch) + b"".join(map(_integer, release)) + b"\x00"
    if version.pre:
        key += _PRE[version.pre[0]] + _integer(version.pre[1])
    else:  # a bare development release comes before the pre-releases, a final release after them
        key += b"\x00" if version.post is None and version.dev is not None else b"\xff"
    key += b"\x00" if version.post is None else _integer(version.post)
    key += b"\xff" if version.dev is None else _integer(version.dev)
    for segment in version.local.split(".") if version.local else ():
        key += b"\x02" + _integer(int(segment)) if segment.isdigit() else b"\x01" + segment.encode() + b"\x00"
    return key + b"\x00"


def semver_key(text: str) -> bytes:
    """Give the sort key of a semantic version; a leading `v` and build metadata carry no order.

    Raises:
        UnorderableError: not a semantic version.
    """
    found = _SEMVER.match(text)
    if not found:
        raise UnorderableError(f"{text[:80]!r} is not a semantic version")
    key = b"".join(_integer(int(part)) for part in found.groups()[:3])
    if found.group(4) is None:
        return key + b"\xff"
    for part in found.group(4).split("."):
        key += b"\x01" + _integer(int(part)) if part.isdigit() else b"\x02" + part.encode() + b"\x00"
    return key + b"\x00"


def without_local(text: str) -> str:
    """Give the public part of a PEP 440 version: `2.1+cu118` → `2.1`; any other text as it is."""
    try:
        return Version(text).public
    except InvalidVersion:
        return text


VERSION_KEYS: Final[dict[str, Callable[[str], bytes]]] = {
    "PyPI": pep440_key,
    "Go": semver_key,
    "npm": semver_key,
    "crates.io": semver_key,
}
"""The ecosystems whose versions we can order, by their OSV names."""

ECOSYSTEM_SPELLINGS: Final = {name.lower(): name for name in VERSION_KEYS}
ECOSYSTEM_OF_PURL_TYPE: Final = {"pypi": "PyPI", "golang": "Go", "npm": "npm", "cargo": "crates.io"}


def package_key(ecosystem: str, name: str) -> str:
    """Give the one spelling under which an ecosystem's package is stored and looked up."""
    if ecosystem == "PyPI":
        return canonicalize_name(name)
    # purl-spec lower-cases `pkg:golang`, so both sides meet there.
    return name.lower() if ecosystem == "Go" else name


def _integer(value: int) -> bytes:
    """Write a natural number so that bytes sort as numbers do: length first, never 0 or 255."""
    length = (value.bit_length() + 7) // 8
    if length > _MAX_INT_BYTES:
        raise UnorderableError("a version with a number too large to be one")
    return bytes([length + 1]) + value.to_bytes(length, "big")
