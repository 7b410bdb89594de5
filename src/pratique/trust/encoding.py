"""Base64 in one spelling: two texts that decode to one value are how a verifier and its cache disagree."""

from __future__ import annotations

import binascii

from pratique.errors import MalformedError


def b64encode(data: bytes) -> str:
    """Write standard base64 with padding (RFC 4648 §4)."""
    return b64bytes(data).decode("ascii")


def b64bytes(data: bytes) -> bytes:
    """Write the same as ASCII bytes."""
    return binascii.b2a_base64(data, newline=False)


def b64decode(text: object, *, what: str) -> bytes:
    """Read standard base64, only as `b64encode` would have written it (RFC 4648 §3.5).

    Args:
        text: the value found where base64 belongs; anything but a string is refused.
        what: names the field in errors.

    Raises:
        MalformedError: not a string, the URL-safe alphabet, line breaks, missing padding, stray bits.
    """
    if not isinstance(text, str):
        raise MalformedError(f"{what}: base64 text is missing")
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise MalformedError(f"{what}: not standard base64: {error}") from error
    if b64encode(data) != text:
        raise MalformedError(f"{what}: base64 that is not in its one canonical spelling")
    return data
