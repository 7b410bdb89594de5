"""Passphrases: from a file named in the environment, or from the terminal; never from the command line."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pratique.errors import ConfigError, UsageError

VARIABLE = "PRATIQUE_PASSPHRASE_FILE"


def new_passphrase() -> bytes:
    """Get the passphrase for a key about to be made; a person types it twice.

    Raises:
        UsageError: an empty one.
    """
    passphrase = _from_file() or str(
        click.prompt("passphrase for the new key", hide_input=True, confirmation_prompt=True, err=True)
    )
    if not passphrase:
        raise UsageError("an empty passphrase protects nothing")
    return passphrase.encode()


def passphrase_for(path: Path) -> bytes:
    """Get the passphrase of an encrypted key."""
    return (_from_file() or str(click.prompt(f"passphrase of {path}", hide_input=True, err=True))).encode()


def _from_file() -> str | None:
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"${VARIABLE}: {name} cannot be read as text") from error
