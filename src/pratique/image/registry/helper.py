"""Docker credential helpers: programs that keep passwords (docker-credential-helpers, README "Development").

A helper is a program `docker-credential-NAME` on the PATH, called by the user's own configuration, never by
what a registry says. It gets the registry on its standard input; the password comes on its output and goes
nowhere else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Final

from pratique.errors import ConfigError, MalformedError
from pratique.image.registry.challenge import Credentials
from pratique.model.strict_json import parse_json_object

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_SECONDS: Final = 60
_NOT_FOUND: Final = "credentials not found"


def ask_helper(name: object, server: str, *, where: str) -> Credentials | None:
    """Ask a helper for the credentials of a registry; None when it has none (I/O: runs a program).

    Args:
        name: as the configuration has it.
        server: the registry, or Docker Hub's URL.
        where: the configuration, for errors.

    Raises:
        ConfigError: no such helper, or it fails.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise ConfigError(f"{where}: not a credential helper's name: {str(name)[:80]!r}")
    program = shutil.which(f"docker-credential-{name}")
    if program is None:
        raise ConfigError(
            f"{where}: the password for {server} is with docker-credential-{name}, which is not on the PATH",
            hint="install it, or name another file in $REGISTRY_AUTH_FILE",
        )
    try:
        done = subprocess.run(
            [program, "get"], input=server.encode(), capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{program}: {type(error).__name__} while asking for {server}") from error
    if done.returncode:
        said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        if _NOT_FOUND in said:
            return None
        raise ConfigError(f"{program}: gives no password for {server}: {said[:200]!a}")
    try:
        answer = parse_json_object(done.stdout, what=program)
    except MalformedError as error:
        raise ConfigError(f"{program}: its answer is no JSON object") from error
    user, secret = answer.get("Username"), answer.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str) or not secret:
        raise ConfigError(f"{program}: its answer has no Username and Secret")
    return Credentials(identity_token=secret) if user == "<token>" else Credentials(user, secret)
