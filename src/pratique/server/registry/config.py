"""`registry.toml`: where the registry listens, who may do what, how much it keeps."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import ConfigError
from pratique.policy.settings import typed
from pratique.server.config import TlsConfig, is_local
from pratique.server.registry.access import Action, Client
from pratique.store.toml_file import read_toml

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "registry.toml"
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class RegistryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file; without one, everything is as by default.

    Attributes:
        listen: `HOST:PORT`.
        storage: folder, by default `registry` beside the file.
        tls: the server's certificate; needed beyond loopback.
        clients: who may do what; needed beyond loopback.
        anonymous: what somebody without a token may do.
        max_blob_bytes: longest blob that is taken.
        connections: open at the same time.
        body_seconds: how long a body may be silent.
    """

    listen: str = "127.0.0.1:5000"
    storage: str = "registry"
    tls: TlsConfig | None = None
    clients: tuple[Client, ...] = ()
    anonymous: tuple[Action, ...] = ()
    max_blob_bytes: int = 16 << 30
    connections: int = 256
    body_seconds: float = 30.0

    def hosts(self) -> tuple[str, ...]:
        """Give the names by which it may be called; any, where TLS says which those are."""
        return () if self.tls else _LOOPBACK_NAMES


class Settings(msgspec.Struct, frozen=True):
    """A configured registry: the folder against which paths are resolved, and what the file says."""

    folder: Path
    config: RegistryConfig

    def path(self, name: str) -> Path:
        """Resolve a path of the file."""
        return self.folder / name


def load_settings(path: Path, *, required: bool) -> Settings:
    """Load one configuration file (I/O).

    Args:
        path: the file.
        required: whether it has to be there; else its absence means the defaults.

    Raises:
        ConfigError: unreadable, not TOML, a key or value that does not belong, or a registry
            that is open to a network.
    """
    table = read_toml(path, hint="see docs/serve.md") if required or path.exists() else {}
    return Settings(path.parent.absolute(), parse_settings(table, what=str(path)))


def parse_settings(table: dict[str, object], *, what: str) -> RegistryConfig:
    """Type a parsed file, and refuse a registry that is open to a network.

    Raises:
        ConfigError: see `load_settings`.
    """
    config = typed(table, RegistryConfig, what=what, known=_KNOWN)
    local = is_local(config.listen)
    if config.tls is None and not local:
        raise ConfigError(
            f"{what}: {config.listen} without [tls]: tokens and images would cross a network in clear"
        )
    if not config.clients and not local:
        raise ConfigError(
            f"{what}: {config.listen} without [[clients]]: anybody could write there",
            hint="see docs/serve.md for how to make a token",
        )
    if config.anonymous and not config.clients:
        raise ConfigError(f"{what}: anonymous says what is open, and without [[clients]] everything is")
    for client in config.clients:
        if not client.name or ":" in client.name or not _HEX.match(client.token_sha256):
            raise ConfigError(
                f"{what}: client {client.name!r}: a name without a colon, and token_sha256 as 64 hex digits",
                hint="printf %s TOKEN | sha256sum",
            )
    tokens = [client.token_sha256 for client in config.clients]
    if len(set(tokens)) != len(tokens):
        raise ConfigError(f"{what}: two clients have the same token")
    if config.max_blob_bytes < 1 or config.connections < 1 or config.body_seconds <= 0:
        raise ConfigError(f"{what}: a limit is empty or negative")
    return config


_KNOWN = sorted({field for table in (RegistryConfig, TlsConfig, Client) for field in table.__struct_fields__})
