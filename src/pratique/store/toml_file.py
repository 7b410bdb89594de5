"""Configuration files: TOML tables that somebody wrote by hand."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 1024 * 1024


def read_toml(path: Path, *, hint: str = "") -> dict[str, Any]:
    """Read one file (I/O).

    Args:
        path: the file.
        hint: what to do where it cannot be read.

    Raises:
        ConfigError: unreadable, too long, or not TOML.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=hint) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
