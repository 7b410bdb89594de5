"""What every verb shares: which project, which state directory, and how it speaks."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from pratique.errors import MalformedError, UsageError
from pratique.model.digest import parse_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.flow.config import Project
    from pratique.flow.progress import Progress
    from pratique.flow.workspace import Workspace
    from pratique.model.digest import Digest

ORGANISATION_VARIABLE: Final = "PRATIQUE_ORGANISATION_POLICY"
F = TypeVar("F", bound="Callable[..., Any]")


class Session:
    """One invocation of one verb."""

    def __init__(self, folder: Path, home: Path | None, *, as_json: bool) -> None:
        self.folder = folder
        self.as_json = as_json
        self._home = home

    @functools.cached_property
    def project(self) -> Project:
        """The project around the folder.

        Raises:
            ConfigError: there is none, or its file is wrong.
        """
        from pratique.flow.config import find_project  # noqa: PLC0415 - only verbs that need it pay for it

        return find_project(self.folder)

    @property
    def home(self) -> Path:
        """The state directory: --home, else $PRATIQUE_HOME, else `.pratique` beside pratique.toml."""
        if self._home is not None:
            return self._home.absolute()
        from pratique.flow.config import find_file  # noqa: PLC0415 - as above

        file = find_file(self.folder)
        return (file.parent if file else self.folder.resolve()) / ".pratique"

    @functools.cached_property
    def progress(self) -> Progress:
        """Progress goes to stderr, so that stdout carries the result alone."""
        from pratique.cli.progress import terminal_progress  # noqa: PLC0415 - only verbs that work pay for it

        progress = terminal_progress(as_json=self.as_json)
        click.get_current_context().call_on_close(progress.close)  # also when the verb fails
        return progress

    def workspace(self) -> Workspace:
        """Open the state directory for work.

        Raises:
            ConfigError: no trust root there yet.
        """
        from pratique.cli.secrets import ask_secret  # noqa: PLC0415 - only verbs that work pay for it
        from pratique.flow.workspace import Workspace  # noqa: PLC0415 - pulls in cryptography

        named = os.environ.get(ORGANISATION_VARIABLE)
        organisation = Path(named) if named else None
        return Workspace.open(self.home, progress=self.progress, ask=ask_secret, organisation=organisation)

    def open(self) -> tuple[Workspace, Project]:
        """Load the project, then open the state directory: what is wrong with the project is said first.

        Raises:
            ConfigError: no project, one whose file is wrong, or no trust root yet.
        """
        project = self.project
        return self.workspace(), project

    def emit(self, result: Mapping[str, Any], human: Callable[[], None]) -> None:
        """Print the result: as JSON when asked for, else as `human` prints it."""
        if self.as_json:
            click.echo(json.dumps(result, indent=2, ensure_ascii=False))
        else:
            human()


def given_digest(text: str) -> Digest:
    """Take a digest from the command line.

    Raises:
        UsageError: it is none.
    """
    try:
        return parse_digest(text)
    except MalformedError as error:
        raise UsageError(error.message, hint=error.hint) from error


def read_bounded(path: Path, limit: int) -> bytes:
    """Read a file from outside, but no more than a byte past a limit: whoever parses it says it is too large.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def session_options(function: F) -> F:
    """Add --project, --home and --json to a verb; the verb takes a `Session` first."""

    @click.option(
        "-C",
        "--project",
        "folder",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default=Path(),
        help="Folder of pratique.toml, or below it.  [default: .]",
    )
    @click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="PRATIQUE_HOME",
        help="State directory.  [default: $PRATIQUE_HOME, or .pratique beside pratique.toml]",
    )
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
    @functools.wraps(function)
    def wrapper(folder: Path, home: Path | None, *, as_json: bool, **options: Any) -> Any:
        return function(Session(folder, home, as_json=as_json), **options)

    return wrapper  # type: ignore[return-value] # click commands are called by name, never positionally
