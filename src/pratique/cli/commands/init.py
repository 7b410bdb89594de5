"""`pratique init`: a pratique.toml to start from."""

from __future__ import annotations

import re

import click

from pratique.cli.session import Session, session_options
from pratique.errors import UsageError

_TEMPLATE = """\
# What this project is built from, what it must prove, and where it goes.
[project]
name = "{name}"

[build]
recipe = "python-app"              # or "python-wheel": the wheel alone
tools = "build.lock"               # hashed requirements of pip and the build backend
dependencies = "requirements.lock" # hashed requirements of the application
inputs = "inputs"                  # filled by: pratique build fetch

[build.source]
directory = "."

[[scan.advisories]]                # OSV records you have downloaded: a folder, .zip or .tar.xz
name = "OSV PyPI"
path = "advisories/all.zip"
date = {date}                  # when you downloaded them
licence = "CC-BY-4.0"

[environments.production]
kind = "directory"
path = "deployed/{name}"  # below the state directory
quorum = [{{ role = "approver", count = 2 }}]

# [environments.production.service] # runs in the release's folder
# command = ["{{python}}", "-S", "-m", "your_package"]
# environment = {{ PYTHONPATH = "lib" }}
# port = 8080
# health = "/healthz"
"""


@click.command("init")
@session_options
def command(session: Session) -> None:
    """Write a pratique.toml to start from; an existing one is left alone."""
    from pratique.flow.config import FILE_NAME  # noqa: PLC0415 - pulls in msgspec
    from pratique.model.clock import system_clock  # noqa: PLC0415

    folder = session.folder.resolve()
    path = folder / FILE_NAME
    name = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:64] or "project"
    text = _TEMPLATE.format(name=name, date=system_clock().date().isoformat())
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} is there already", hint="edit it; nothing was changed") from error
    path.chmod(0o644)

    def human() -> None:
        click.echo(f"wrote {path}")
        click.echo("next: edit it, then pratique trust init · pratique build fetch · pratique ship")

    session.emit({"file": str(path)}, human)
