"""Typing of our own configuration: a key nobody reads is an error that names the key probably meant.

A misspelt setting that is silently ignored leaves a policy weaker than its author believes.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from pratique.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")
_UNKNOWN_KEY = re.compile(r"unknown field `([^`]*)`")


def typed(value: Any, kind: type[_T], *, what: str, known: Iterable[str] = ()) -> _T:
    """Convert parsed TOML or JSON into a struct that forbids unknown fields.

    Args:
        value: the parsed document.
        kind: the struct type.
        what: names the document in errors.
        known: every key that occurs anywhere in the document type, for the nearest valid name.

    Raises:
        ConfigError: an unknown key, a missing one, or a value of the wrong type or range.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message = str(error).replace("Object ", "the table ").replace(" - at `$`", "").replace("`$.", "`")
        found = _UNKNOWN_KEY.search(str(error))
        raise ConfigError(f"{what}: {message}", hint=nearest(found[1], known) if found else "") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """Name the valid choice nearest to a misspelt one, or list them all."""
    choices = sorted(set(known))
    close = difflib.get_close_matches(name, choices, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid names: {', '.join(choices)}" if choices else ""


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay one nested table over another: tables merge, everything else is replaced whole."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged
