"""Packagist versions: composer/semver's normal form, in the order of PHP's `version_compare`."""

from __future__ import annotations

import re
from typing import Final

from pratique.scan.orders.encoding import checked, integer, refused

# The possessive quantifiers keep a long row of digits from being split in every possible way.
_SUFFIX = r"(?:[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d++)*+)?)?([.-]?dev)?)?"
_MODIFIER = _SUFFIX + r"(?:\+[0-9A-Za-z.-]+)?\Z"
_CLASSIC = re.compile(r"v?(\d{1,5})(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?" + _MODIFIER, re.ASCII)
_DATE = re.compile(r"v?(\d{4}(?:[.:-]?\d{2}){1,6}(?:[.:-]?\d{1,3}){0,2})" + _MODIFIER, re.ASCII)
_NUMBERS = re.compile(r"\d+", re.ASCII)
_DEV, _END, _NUMBER = b"\x01", b"\x05", b"\x06"
_STABILITY: Final = {
    "a": b"\x02",
    "alpha": b"\x02",
    "b": b"\x03",
    "beta": b"\x03",
    "rc": b"\x04",
    "p": b"\x07",
    "pl": b"\x07",
    "patch": b"\x07",
}


def composer_key(text: str) -> bytes:
    """Give the sort key of a release; branches (`dev-main`, `1.x-dev`) have no place in the order.

    Raises:
        UnorderableError: a branch, or not a version.
    """
    folded = checked(text, "Composer").lower()
    if found := _CLASSIC.match(folded):
        numbers = [int(part or 0) for part in found.groups()[:4]]
    elif found := _DATE.match(folded):
        numbers = [int(part) for part in _NUMBERS.findall(found.group(1))]
    else:
        raise refused(text, "Composer")
    stability, counts, dev = found.groups()[-3:]
    key = b"".join(_NUMBER + integer(number) for number in numbers)
    key += _STABILITY.get(stability or "stable", b"")
    if stability and stability != "stable":
        key += b"".join(_NUMBER + integer(int(count)) for count in _NUMBERS.findall(counts or ""))
    return key + (_DEV if dev else b"") + _END
