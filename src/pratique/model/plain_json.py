"""The short way to RFC 8785: for values without floats, a fast encoder writes the very same bytes.

What makes canonical JSON more than sorted keys is how it writes floats, that it sorts keys by UTF-16 code
units, and what it refuses. A value of strings, small integers, booleans, null, lists and objects with ASCII
keys touches none of that (RFC 8785 §3.2.2, §3.2.3): the keys' order is that of their bytes. Whether a value
is that plain is decided by exact type, container by container; everything else takes the long way.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_MAX_INT: Final = 2**53 - 1
_LEAVES: Final = frozenset({str, bool, type(None)})
_CONTAINERS: Final = frozenset({dict, list, tuple})
_ENCODE: Final = msgspec.json.Encoder(order="deterministic").encode
_DECODE: Final = msgspec.json.Decoder().decode


def write_plain(value: Any, max_depth: int) -> bytes | None:
    """Write the canonical form of a plain value; None for any other, which need not be JSON at all."""
    try:
        return _ENCODE(value) if _is_plain(value, max_depth) else None
    except UnicodeEncodeError:  # a lone surrogate
        return None


def write_text(value: dict[str, Any]) -> bytes:
    """Write the canonical form of text in lists and objects with ASCII keys; the caller knows it is that."""
    return _ENCODE(value)


def read_plain(data: bytes, max_depth: int) -> Any:
    """Read JSON that is the canonical form of a plain container; None for all other bytes.

    Nothing else has to be looked for then: that the value's form is these bytes means that no key was there
    twice, no number was rounded and no byte was left over.
    """
    try:
        value = _DECODE(data)
        if type(value) in _CONTAINERS and _ENCODE(value) == data and _is_plain(value, max_depth):
            return value
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    return None


def _is_plain(value: Any, max_depth: int) -> bool:
    """Look at a value level by level, so that no depth is too much."""
    keys: set[Any] = set()
    level: list[Any] = [[value]]
    for _ in range(max_depth + 1):
        below = _below(level, keys)
        if below is None:
            return False
        if not below:
            return {type(key) for key in keys} <= {str} and "".join(keys).isascii()
        level = below
    return False


def _below(level: list[Any], keys: set[Any]) -> list[Any] | None:
    """Give the containers in a level's containers; None if something is not plain.

    Most containers hold leaves only, and are judged at once.
    """
    below = []
    for container in level:
        items = container
        if type(container) is dict:
            keys.update(container)
            items = container.values()
        if _LEAVES.issuperset(map(type, items)):
            continue
        for item in items:
            kind = type(item)
            if kind in _CONTAINERS:
                below.append(item)
            elif kind not in _LEAVES and (kind is not int or not -_MAX_INT <= item <= _MAX_INT):
                return None
    return below
