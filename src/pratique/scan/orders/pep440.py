"""PEP 440 versions ("Version Scheme", summary of permitted suffixes and relative ordering)."""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from pratique.scan.orders.encoding import MAX_TEXT, checked, integer, refused, word

_PRE = {"a": b"\x01", "b": b"\x02", "rc": b"\x03"}


def pep440_key(text: str) -> bytes:
    """Give the sort key of a PEP 440 version, local segment included.

    Raises:
        UnorderableError: not a PEP 440 version.
    """
    try:
        version = Version(checked(text, "PEP 440"))
    except InvalidVersion as error:
        raise refused(text, "PEP 440") from error
    release = list(version.release)
    while release and release[-1] == 0:
        release.pop()
    key = integer(version.epoch) + b"".join(map(integer, release)) + b"\x00"
    if version.pre:
        key += _PRE[version.pre[0]] + integer(version.pre[1])
    else:  # a bare development release comes before the pre-releases, a final release after them
        key += b"\x00" if version.post is None and version.dev is not None else b"\xff"
    key += b"\x00" if version.post is None else integer(version.post)
    key += b"\xff" if version.dev is None else integer(version.dev)
    for segment in version.local.split(".") if version.local else ():
        key += b"\x02" + integer(int(segment)) if segment.isdigit() else b"\x01" + word(segment)
    return key + b"\x00"


def without_local(text: str) -> str:
    """Give the public part of a PEP 440 version: `2.1+cu118` → `2.1`; any other text as it is."""
    if len(text) > MAX_TEXT:
        return text
    try:
        return Version(text).public
    except InvalidVersion:
        return text
