"""The short way to RFC 8785: of plain values, a fast encoder writes the very same bytes.

What makes canonical JSON more than sorted keys is how it writes floats, that it sorts keys by UTF-16 code
units, and what it refuses. A value of strings, small integers, fractions of common size, booleans, null,
lists and objects with ASCII keys touches none of that (RFC 8785 §3.2.2, §3.2.3): the keys' order is that of
their bytes, and a fraction is its shortest decimal digits. Whether a value is that plain is decided by exact
type; everything else takes the long way.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_MAX_INT: Final = 2**53 - 1
_LONG: Final = b"0" * len(str(_MAX_INT))
_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
_CONTAINERS: Final = frozenset({dict, list, tuple})
_ENCODE: Final = msgspec.json.Encoder(order="deterministic").encode
_ENCODE_AS_IT_IS: Final = msgspec.json.Encoder().encode
_DECODE: Final = msgspec.json.Decoder().decode


def write_plain(value: Any, max_depth: int) -> bytes | None:
    """Write the canonical form of a plain value; None for any other, which need not be JSON at all."""
    try:
        return _ENCODE(value) if _is_plain(value, max_depth) else None
    except (UnicodeEncodeError, TypeError):  # a lone surrogate, a key that is no text
        return None


def write_as_is(value: Any) -> bytes:
    """Write JSON unseen; of text in lists and objects with ASCII keys it is the canonical form."""
    return _ENCODE(value)


def read_plain(data: bytes, max_depth: int) -> Any:
    """Read JSON that holds a plain container in the one way to write it, white space and order apart.

    None stands for all other bytes. Nothing else has to be looked for where writing the value again gives
    these bytes: no key was there twice, no number was rounded and no byte was left over.
    """
    try:
        value = _DECODE(data)
        if type(value) not in _CONTAINERS:
            return None
        written = _ENCODE_AS_IT_IS(value)
        if (written == data or written == msgspec.json.format(data, indent=-1)) and (
            _is_surely_small(written, max_depth) or _is_plain(value, max_depth)
        ):
            return value
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError):
        pass
    return None


def _is_surely_small(data: bytes, max_depth: int) -> bool:
    """Whether there are too few brackets for too much depth, and too few digits for too large a number."""
    return data.count(b"{") + data.count(b"[") <= max_depth and _LONG not in data.translate(_AS_ZEROS)


def _is_plain(value: Any, depth: int) -> bool:
    """Look at every value; the recursion ends where `depth` levels of containers are used up.

    Written for speed, as it is most of what writing and reading cost.

    Raises:
        TypeError: a key that is no text.
    """
    kind = type(value)
    if kind is int:
        return bool(-_MAX_INT <= value <= _MAX_INT)
    if kind is float:
        return _is_short(value)
    if kind not in _CONTAINERS:
        return kind is str or kind is bool or value is None
    if depth <= 0 or (kind is dict and not "".join(value).isascii()):
        return False
    for item in value.values() if kind is dict else value:
        if type(item) is not str and not _is_plain(item, depth - 1):
            return False
    return True


def _is_short(number: float) -> bool:
    """Whether a number is written with a point and no exponent, which leaves one way to write it shortest."""
    return 1e-3 <= abs(number) < 1e15 and not number.is_integer()  # noqa: PLR2004 - well within both limits
