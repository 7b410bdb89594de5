"""Libraries that only some signers need: imported when they are used, and named when they are missing."""

from __future__ import annotations

import importlib
from typing import Any

from pratique.errors import ConfigError


def extra(module: str, name: str) -> Any:
    """Import a module of an optional dependency.

    Args:
        module: what to import.
        name: the extra of `pratique` that brings it.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"keys of this kind need {module}, which is not installed", hint=f"pip install 'pratique[{name}]'"
        ) from error
