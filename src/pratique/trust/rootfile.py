"""A trusted root as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError
from pratique.trust.root import TrustedRoot, parse_root

if TYPE_CHECKING:
    from pathlib import Path

ROOT_FILE: Final = "trusted_root.json"
INIT_HINT: Final = "make one with `pratique trust init`"


def load_root(path: Path) -> TrustedRoot:
    """Load a trusted root (I/O).

    Raises:
        ConfigError: there is none.
        MalformedError: it does not parse.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: no trusted root: {error.strerror}", hint=INIT_HINT) from error
    return parse_root(data)
