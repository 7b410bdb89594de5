"""TOML from outside, within bounds."""

from __future__ import annotations

import re
import tomllib
from typing import Any

_MAX_KEY_PARTS = 200
_NO_KEY = re.compile(r"[^A-Za-z0-9_.\"'-]")


def parse_toml(text: str) -> dict[str, Any]:
    """Parse a TOML document.

    Raises:
        ValueError: not TOML, or with a key of too many parts.
    """
    # The library's time grows with the square of a dotted key's parts.
    runs = _NO_KEY.split(text.replace(" ", "").replace("\t", ""))
    if max(run.count(".") for run in runs) > _MAX_KEY_PARTS:
        raise ValueError(f"a key of more than {_MAX_KEY_PARTS} parts")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"not TOML: {str(error)[:200]}") from error
