"""RPM versions, as rpm orders them (rpm-version(7); `rpmio/rpmvercmp.cc`)."""

from __future__ import annotations

import re

from pratique.scan.orders.encoding import checked, integer, refused, word

_VERSION = re.compile(
    r"(?:(\d{0,9}):)?([0-9A-Za-z._+~^%{}][0-9A-Za-z._+~^%{}-]*?)(?:-([0-9A-Za-z._+~^%{}]+))?\Z", re.ASCII
)
_SEGMENT = re.compile(r"\d+|[A-Za-z]+|[~^]", re.ASCII)
_TILDE, _END, _CARET, _LETTERS, _DIGITS = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"


def rpm_key(text: str) -> bytes:
    """Give the sort key of `[epoch:]version[-release]`; separators have no weight of their own.

    Raises:
        UnorderableError: not a version that rpm would take.
    """
    found = _VERSION.match(checked(text, "RPM"))
    if not found:
        raise refused(text, "RPM")
    epoch, version, release = found.groups()
    return integer(int(epoch or 0)) + _part(version) + _part(release or "")


def _part(text: str) -> bytes:
    key = b""
    for segment in _SEGMENT.findall(text):
        if segment == "~":
            key += _TILDE
        elif segment == "^":
            key += _CARET
        elif segment.isdigit():
            key += _DIGITS + integer(int(segment))
        else:
            key += _LETTERS + word(segment)
    return key + _END
