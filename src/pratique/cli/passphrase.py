"""Passphrases: from a file named in the environment, or from the terminal; never from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from pratique.errors import ConfigError, UsageError

VARIABLE = "PRATIQUE_PASSPHRASE_FILE"


def new_passphrase() -> bytes:
    """Get the passphrase for a key about to be made; a person types it twice.

    Raises:
        UsageError: an empty one.
    """
    passphrase = _from_file()
    if passphrase is None:
        passphrase = _ask("passphrase for the new key", confirm=True)
    if not passphrase:
        raise UsageError("an empty passphrase protects nothing")
    return passphrase.encode()


def passphrase_for(path: Path) -> bytes:
    """Get the passphrase of an encrypted key.

    Raises:
        ConfigError: it is in a file that cannot be read.
        UsageError: nobody is there to ask.
    """
    passphrase = _from_file()
    return (_ask(f"passphrase of {path}") if passphrase is None else passphrase).encode()


def _ask(question: str, *, confirm: bool = False) -> str:
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError(
            f"{question}: there is no terminal to ask on",
            hint=f"put it into a file of yours, and name it in ${VARIABLE}",
        )
    return str(click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True))


def _from_file() -> str | None:
    name = os.environ.get(VARIABLE)
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(
            f"{name}: the passphrase cannot be read: {reason}", hint=f"${VARIABLE} names the file"
        ) from error
