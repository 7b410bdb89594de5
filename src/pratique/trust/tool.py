"""Runs a tool that signs or verifies: an argument list, a small environment, a time limit, no shell."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT: Final = ("PATH", "HOME", "USER", "LOGNAME", "TERM", "LANG")
SECONDS: Final = 60.0
_SAID: Final = 300


def run_tool(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    *,
    keep: Sequence[str] = (),
    stdin: bytes = b"",
    package: str,
    seconds: float = SECONDS,
) -> subprocess.CompletedProcess[bytes]:
    """Run a tool to its end; its exit code is the caller's business.

    Args:
        arguments: the tool's name and its arguments; never a secret.
        environ: where the variables come from.
        keep: variables that it gets besides the usual ones.
        stdin: what it reads.
        package: what to install where the tool is missing.
        seconds: how long it may take.

    Raises:
        ConfigError: it is not installed.
        InfrastructureError: it did not end in time; it was killed.
    """
    program = shutil.which(arguments[0], path=environ.get("PATH"))
    if program is None:
        raise ConfigError(f"{arguments[0]} is not installed", hint=f"install the package {package}")
    kept = {name: environ[name] for name in (*_KEPT, *keep) if name in environ}
    try:
        return subprocess.run(
            [program, *arguments[1:]],
            env={**kept, "LC_ALL": "C.UTF-8"},
            input=stdin,
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(
            f"{arguments[0]} did not answer within {seconds:g} seconds",
            hint="is it waiting for a touch, a PIN or an agent that hangs? Try again",
        ) from error


def said(done: subprocess.CompletedProcess[bytes]) -> str:
    """Give the last lines of what a tool complained about, for a message."""
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return (
        "; ".join(line.strip() for line in lines[-3:] if line.strip())[:_SAID]
        or f"exit code {done.returncode}"
    )
