"""Passphrases and PINs: from a file named in the environment, or the terminal; never the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pratique.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pratique.trust.signers.port import Secret

VARIABLES = {"passphrase": "PRATIQUE_PASSPHRASE_FILE", "PIN": "PRATIQUE_PIN_FILE"}

KEY_HELP = "Your private key: a file, or a key URI such as ssh:PATH or pkcs11:… (docs/signing.md)."
key_option = click.option("--key", required=True, metavar="KEY", help=KEY_HELP)


def new_passphrase() -> bytes:
    """Get the passphrase for a key about to be made; a person types it twice.

    Raises:
        UsageError: an empty one.
    """
    passphrase = _from_file("passphrase")
    if passphrase is None:
        passphrase = _ask("passphrase for the new key", "passphrase", confirm=True)
    if not passphrase:
        raise UsageError("an empty passphrase protects nothing")
    return passphrase.encode()


def ask_secret(secret: Secret) -> bytes:
    """Get a passphrase or a PIN.

    Raises:
        ConfigError: it is in a file that cannot be read.
        UsageError: nobody is there to ask.
    """
    given = _from_file(secret.kind)
    return (_ask(f"{secret.kind} of {secret.of}", secret.kind) if given is None else given).encode()


def _ask(question: str, kind: str, *, confirm: bool = False) -> str:
    if not sys.stdin or not sys.stdin.isatty():
        raise UsageError(
            f"{question}: there is no terminal to ask on",
            hint=f"put it into a file of yours, and name it in ${VARIABLES[kind]}",
        )
    return str(click.prompt(question, hide_input=True, confirmation_prompt=confirm, err=True))


def _from_file(kind: str) -> str | None:
    variable = VARIABLES[kind]
    name = os.environ.get(variable)
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(
            f"{name}: the {kind} cannot be read: {reason}", hint=f"${variable} names the file"
        ) from error
