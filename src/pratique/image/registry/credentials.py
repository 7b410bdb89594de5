"""Credentials from the file that container tools keep them in: containers-auth.json(5), Docker's config.json.

Only the form with the password in the file is read; helpers are programs, and are not run.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError, MalformedError
from pratique.image.registry.http import Credentials
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES: Final = 1 << 20


def auth_file(environment: Mapping[str, str]) -> Path | None:
    """Find the file: `$REGISTRY_AUTH_FILE`, or `config.json` in `$DOCKER_CONFIG`, if either is set."""
    if given := environment.get("REGISTRY_AUTH_FILE"):
        return Path(given)
    folder = environment.get("DOCKER_CONFIG")
    return Path(folder) / "config.json" if folder else None


def load_credentials(path: Path | None, registry: str, repository: str) -> Credentials | None:
    """Load what the file has for a repository: the entry for the longest part of its name wins (I/O).

    Args:
        path: the file; None gives none.
        registry: host and port.
        repository: its name there.

    Raises:
        ConfigError: the file cannot be read or understood, or names a helper for this registry.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            table = parse_json_object(stream.read(_MAX_BYTES + 1), what=str(path), max_bytes=_MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except MalformedError as error:
        raise ConfigError(error.message) from error
    known = table.get("auths")
    parts = repository.split("/")
    for count in range(len(parts), -1, -1):
        entry = known.get("/".join((registry, *parts[:count]))) if isinstance(known, dict) else None
        if isinstance(entry, dict) and isinstance(text := entry.get("auth"), str):
            return _parse(text, path)
    helpers = table.get("credHelpers")
    if table.get("credsStore") or (isinstance(helpers, dict) and registry in helpers):
        raise ConfigError(
            f"{path}: the password for {registry} is with a credential helper, which is not run",
            hint="log in with a tool that writes it to a file, and name that in $REGISTRY_AUTH_FILE",
        )
    return None


def _parse(text: str, path: Path) -> Credentials:
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = user = password = ""
    if not colon or not user:
        raise ConfigError(f"{path}: an entry under auths is not the base64 of USER:PASSWORD")
    return Credentials(user, password)
