"""Debian versions, as dpkg orders them (deb-version(7), "Sorting algorithm"; Debian Policy 5.6.12)."""

from __future__ import annotations

import re
from typing import Final

from pratique.scan.orders.encoding import checked, integer, refused

_VERSION = re.compile(r"(?:(\d{1,9}):)?([0-9A-Za-z.+~:-]+?)(?:-([0-9A-Za-z.+~]+))?\Z", re.ASCII)
_PAIR = re.compile(r"(\D*)(\d*)", re.ASCII)
# `~` sorts before the end of a part, the end before letters, and letters before everything else.
_END: Final = 0x02
_WEIGHT: Final = {"~": 0x01} | {
    chr(code): code if chr(code).isalpha() else code + 0x80 for code in range(0x21, 0x7E)
}


def debian_key(text: str) -> bytes:
    """Give the sort key of `[epoch:]upstream[-revision]`.

    Raises:
        UnorderableError: characters that a Debian version cannot have.
    """
    found = _VERSION.match(checked(text, "Debian"))
    if not found:
        raise refused(text, "Debian")
    epoch, upstream, revision = found.groups()
    return integer(int(epoch or 0)) + _part(upstream) + _part(revision or "")


def _part(text: str) -> bytes:
    """Write alternating non-digits and digits; an absent number counts as 0, an absent text as nothing."""
    key = bytearray()
    for found in _PAIR.finditer(text or "0"):
        if found.group():
            key += bytes(_WEIGHT[character] for character in found.group(1))
            key.append(_END)
            key += integer(int(found.group(2) or 0))
    key.append(_END)
    return bytes(key)
