"""Parts that version keys are made of: numbers and texts written so that bytes sort as the values do."""

from __future__ import annotations

from typing import Final

MAX_TEXT: Final = 400
"""Longer versions are refused: no real one comes near, and a key must stay cheap."""


class UnorderableError(ValueError):
    """A version that its ecosystem's rules cannot order."""


def checked(text: str, what: str) -> str:
    """Give the text back where it is ASCII and of sane length.

    Raises:
        UnorderableError: it is not.
    """
    if not text or len(text) > MAX_TEXT or not text.isascii():
        raise refused(text, what)
    return text


def refused(text: str, what: str) -> UnorderableError:
    """Make the error that says a text is no version of a kind."""
    return UnorderableError(f"{text[:80]!r} is not a {what} version")


def integer(value: int) -> bytes:
    """Write a natural number so that bytes sort as numbers do: length first, never 0 or 255.

    Raises:
        UnorderableError: a number of more than some six hundred digits.
    """
    length = (value.bit_length() + 7) // 8
    if length > _MAX_INT_BYTES:
        raise UnorderableError("a version with a number too large to be one")
    return bytes([length + 1]) + value.to_bytes(length, "big")


def descending(value: int) -> bytes:
    """Write a natural number so that bytes sort the other way round."""
    return bytes(255 - byte for byte in integer(value))


def word(text: str) -> bytes:
    """Write ASCII text without NUL so that a prefix sorts before what it begins."""
    return text.encode("ascii") + b"\x00"


_MAX_INT_BYTES = 250
