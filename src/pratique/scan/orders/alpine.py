"""Alpine versions, as apk-tools orders them (apk-tools `src/version.c`; APKBUILD(5), "pkgver").

At each place a pre-release suffix sorts before the end, and the end before a revision, a commit hash, the
number of a suffix, a post-release suffix, a letter and a further number, in that order.
"""

from __future__ import annotations

import re
from typing import Final

from pratique.scan.orders.encoding import checked, integer, refused, word

_VERSION = re.compile(
    r"(\d+)((?:\.\d+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)\d*)*)(?:~([0-9a-f]+))?(?:-r(\d+))?\Z",
    re.ASCII,
)
_SUFFIX = re.compile(r"_([a-z]+)(\d*)")
_BEFORE_END: Final = {"alpha": b"\x01", "beta": b"\x02", "pre": b"\x03", "rc": b"\x04"}
_END, _REVISION, _HASH, _SUFFIX_NUMBER = b"\x05", b"\x06", b"\x07", b"\x08"
_AFTER_END: Final = {"cvs": b"\x09", "svn": b"\x0a", "git": b"\x0b", "hg": b"\x0c", "p": b"\x0d"}
_LETTER, _DIGITS = b"\x0e", b"\x0f"


def alpine_key(text: str) -> bytes:
    """Give the sort key of `number{.number}[letter]{_suffix[number]}[~hash][-r#]`.

    Raises:
        UnorderableError: not an Alpine version.
    """
    found = _VERSION.match(checked(text, "Alpine"))
    if not found:
        raise refused(text, "Alpine")
    first, rest, letter, suffixes, commit, revision = found.groups()
    key = integer(int(first))
    for digits in rest.split(".")[1:]:
        key += _DIGITS + _component(digits)
    if letter:
        key += _LETTER + letter.encode()
    for name, number in _SUFFIX.findall(suffixes):
        key += _BEFORE_END.get(name) or _AFTER_END[name]
        if number:
            key += _SUFFIX_NUMBER + integer(int(number))
    if commit:
        key += _HASH + word(commit)
    if revision:
        key += _REVISION + integer(int(revision))
    return key + _END


def _component(digits: str) -> bytes:
    """Write a number after a dot: one with a leading zero is a decimal fraction, compared as text."""
    return b"\x01" + word(digits) if digits.startswith("0") else b"\x02" + integer(int(digits))
