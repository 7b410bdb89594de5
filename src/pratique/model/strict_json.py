"""The one reader for JSON that came from outside, and the one writer for JSON that gets signed.

The standard library's parser accepts what others refuse or read differently: duplicate keys (the last
wins), NaN, floats that overflow to infinity, lone surrogates. Two parties that read one signed document
differently is how policy is bypassed, so all of that is refused here (RFC 8259 §4, §8; RFC 7493 I-JSON §2).
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

import rfc8785

from pratique.errors import MalformedError
from pratique.model.plain_json import read_plain, write_as_is, write_plain

MAX_BYTES = 64 * 1024 * 1024
MAX_DEPTH = 64
MAX_INT = 2**53 - 1
_MAX_INT_DIGITS = len(str(MAX_INT))
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes, *, what: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Parse one JSON document from outside.

    Args:
        data: the bytes as they arrived.
        what: names the document in errors, for example `"bundle /tmp/a.json"`.
        max_bytes: refuse longer input before looking at it.
        max_depth: refuse deeper nesting.

    Raises:
        MalformedError: not JSON, or JSON that two parsers could read differently.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"{what}: {len(data)} bytes of JSON, more than the {max_bytes} allowed")
    if (plain := read_plain(data, max_depth)) is not None:
        return plain
    if data.startswith(b"\xef\xbb\xbf"):
        raise MalformedError(f"{what}: JSON starts with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what}: JSON is not UTF-8: {error.reason} at byte {error.start}") from error
    if _depth(text) > max_depth:
        raise MalformedError(f"{what}: JSON nested deeper than {max_depth} levels")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_object,
            parse_constant=_refuse_constant,
            parse_float=_finite_float,
            parse_int=_safe_int,
        )
    except _RefusedError as error:
        raise MalformedError(f"{what}: {error}") from error
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"{what}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    if "\\u" in text:
        _refuse_surrogates(value, what)
    return value


def parse_json_object(data: bytes, *, what: str, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Parse a document whose top level must be an object.

    Raises:
        MalformedError: as `parse_json`, or another kind of value.
    """
    value = parse_json(data, what=what, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: the top level is not a JSON object")
    return value


def canonical_json(value: Any, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Write JSON in the one form of RFC 8785 (JCS): for what is hashed or signed by us.

    Args:
        value: of JSON's types.
        max_depth: refuse deeper nesting.

    Raises:
        MalformedError: a value that has no canonical form (NaN, an integer beyond 2^53-1, a non-string key),
            or is nested deeper than anybody would read it.
    """
    if (plain := write_plain(value, max_depth)) is not None:
        return plain
    if _nested(value, max_depth + 1) > max_depth:
        raise MalformedError(f"JSON nested deeper than {max_depth} levels")
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise MalformedError(f"no canonical JSON form: {error}") from error


def json_of_read(value: Any) -> bytes:
    """Write what is made of text and of parts of JSON that was read, for a reader in the same machine.

    It is not looked at again, and its numbers need not be as RFC 8785 has them.
    """
    return write_as_is(value)


class _RefusedError(ValueError):
    pass


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"duplicate key {twice[:80]!r}")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is not JSON")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _RefusedError(f"number out of range: {text[:40]}")
    return value


def _safe_int(text: str) -> int:
    if len(text.lstrip("-")) > _MAX_INT_DIGITS or abs(value := int(text)) > MAX_INT:
        raise _RefusedError(f"integer beyond 2^53-1: {text[:40]}")
    return value


def _depth(text: str) -> int:
    """Deepest bracket nesting, strings skipped; counted before parsing, as the parser recurses."""
    deepest = depth = 0
    for token in _STRUCTURE.finditer(text):
        match token.group()[0]:
            case "{" | "[":
                depth += 1
                deepest = max(deepest, depth)
            case "}" | "]":
                depth -= 1
            case _:
                pass
    return deepest


_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\]]', re.DOTALL)


def _nested(value: Any, enough: int) -> int:
    """Measure a value's nesting level by level, no further than is enough."""
    level, depth = [value], 0
    while depth < enough and (level := [item for item in level if isinstance(item, dict | list | tuple)]):
        level = [below for item in level for below in (item.values() if isinstance(item, dict) else item)]
        depth += 1
    return depth


def _refuse_surrogates(value: Any, what: str) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str) and _SURROGATE.search(item):
            raise MalformedError(f"{what}: a string with a lone surrogate")
