"""Maven versions (Maven's "Version Order Specification", POM reference; `ComparableVersion` of Maven 3.9).

A version is a row of tokens, each after a dot or a hyphen, and a change between letters and digits is a
hyphen. Tokens that mean nothing (0, ga, final, release) are dropped from the end and before each hyphen.
"""

from __future__ import annotations

import re
from typing import Final

from pratique.scan.orders.encoding import checked, integer, word

_TOKEN = re.compile(r"([.-]?)(\d+|[^\d.-]+|)", re.ASCII)
_BEFORE: Final = {"alpha": b"\x01", "beta": b"\x02", "milestone": b"\x03", "rc": b"\x04", "snapshot": b"\x05"}
_END, _RELEASE = b"\x06\x01", b"\x06\x02"  # a release in the middle weighs nothing, but is not yet the end
_SP, _OTHER, _HYPHEN_NUMBER, _DOT_NUMBER = b"\x07", b"\x08", b"\x09", b"\x0a"
_NOTHING: Final = {"", "ga", "final", "release"}
_SHORT: Final = {"a": "alpha", "b": "beta", "m": "milestone"}


def maven_key(text: str) -> bytes:
    """Give the sort key of a Maven version: any text has one.

    Raises:
        UnorderableError: empty, overlong or not ASCII.
    """
    kept: list[tuple[str, int | str]] = []
    for separator, value in _tokens(checked(text, "Maven").lower()):
        if separator == "-":
            _trim(kept)
        kept.append((separator, value))
    _trim(kept)
    return b"".join(_write(separator, value) for separator, value in kept) + _END


def _tokens(text: str) -> list[tuple[str, int | str]]:
    found: list[tuple[str, int | str]] = []
    matches = [match.groups() for match in _TOKEN.finditer(text) if match.group()]
    for position, (separator, value) in enumerate(matches):
        follows = matches[position + 1] if position + 1 < len(matches) else (None, "")
        if not value:  # nothing between two separators is a zero
            found.append((separator or ".", 0))
        elif value.isdigit():
            found.append((separator or ("-" if found else "."), int(value)))
        else:
            name = _SHORT.get(value, value) if follows[0] == "" else value
            # `.x` and `-x` are the same for every x that is a word
            found.append(("-", "rc" if name == "cr" else name))
    if matches and matches[0][0]:
        found.insert(0, (".", 0))
    return found


def _trim(kept: list[tuple[str, int | str]]) -> None:
    while kept and (kept[-1][1] == 0 or kept[-1][1] in _NOTHING):
        kept.pop()


def _write(separator: str, value: int | str) -> bytes:
    if isinstance(value, int):
        return (_DOT_NUMBER if separator == "." else _HYPHEN_NUMBER) + integer(value)
    if value in _NOTHING:
        return _RELEASE
    return _BEFORE.get(value) or (_SP if value == "sp" else _OTHER + word(value))
