"""Credentials from the files that container tools keep them in.

containers-auth.json(5) and Docker's config.json.

A file has the password itself, or names a credential helper that has it (I/O).
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, MalformedError
from pratique.image.registry.challenge import Credentials
from pratique.image.registry.helper import ask_helper
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_BYTES: Final = 1 << 20
_DOCKER_HUB: Final = ("docker.io", "https://index.docker.io/v1/", "index.docker.io")


def auth_file(environment: Mapping[str, str]) -> Path | None:
    """Find the file that container tools would use; None when there is none.

    `$REGISTRY_AUTH_FILE`, `config.json` in `$DOCKER_CONFIG`, `$XDG_RUNTIME_DIR/containers/auth.json`,
    `~/.config/containers/auth.json`, `~/.docker/config.json`. The first two count when they are set.
    """
    if given := environment.get("REGISTRY_AUTH_FILE"):
        return Path(given)
    if folder := environment.get("DOCKER_CONFIG"):
        return Path(folder) / "config.json"
    places = [Path(environment["XDG_RUNTIME_DIR"], "containers")] if "XDG_RUNTIME_DIR" in environment else []
    if home := environment.get("HOME"):
        config = Path(environment.get("XDG_CONFIG_HOME") or Path(home, ".config"))
        places.append(config / "containers")
    files = [place / "auth.json" for place in places]
    files += [Path(home, ".docker", "config.json")] if home else []
    return next((file for file in files if file.is_file()), None)


def load_credentials(path: Path | None, registry: str, repository: str) -> Credentials | None:
    """Load what the file has for a repository: the entry for the longest part of its name wins (I/O).

    Args:
        path: the file; None gives none.
        registry: host and port.
        repository: its name there.

    Raises:
        ConfigError: the file cannot be read or understood, or the helper it names fails.
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
    keys = _keys(registry, repository)
    helpers = _object(table, "credHelpers")
    named = next((helpers[key] for key in keys if key in helpers), None)
    if named is None:
        known = _object(table, "auths")
        entry: dict[str, Any] = next((known[key] for key in keys if isinstance(known.get(key), dict)), {})
        if isinstance(token := entry.get("identitytoken"), str) and token:
            return Credentials(identity_token=token)
        if isinstance(text := entry.get("auth"), str) and text:
            return _parse(text, path)
        named = table.get("credsStore") or None
    if named is None:
        return None
    server = "https://index.docker.io/v1/" if registry == "docker.io" else registry
    return ask_helper(named, server, where=str(path))


def _keys(registry: str, repository: str) -> list[str]:
    parts = repository.split("/")
    hosts = _DOCKER_HUB if registry == "docker.io" else (registry, f"https://{registry}")
    names = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [f"{host.rstrip('/')}/{name}" for name in names for host in hosts] + list(hosts)


def _object(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = table.get(name)
    return found if isinstance(found, dict) else {}


def _parse(text: str, path: Path) -> Credentials:
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = user = password = ""
    if not colon or not user:
        raise ConfigError(f"{path}: an entry under auths is not the base64 of USER:PASSWORD")
    return Credentials(user, password)
