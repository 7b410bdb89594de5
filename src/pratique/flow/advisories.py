"""The advisory database of a project, imported again only when its sources have changed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pratique.errors import ConfigError
from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.scan.buckets import FORMAT
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.signals import read_epss, read_exploited
from pratique.scan.sources import Source
from pratique.store.atomic import locked, make_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.scan.signals import Signal, Value

_IMPORT_SECONDS = 600.0


def open_advisories(workspace: Workspace, project: Project) -> Database:
    """Open the database of the project's advisory sources, importing them first where needed.

    Raises:
        ConfigError: a source is missing or of a kind that is not read.
        MalformedError: a source holds something that is not an OSV record.
    """
    sources = [
        Source(
            path=project.path(entry.path).resolve(),
            name=entry.name,
            date=dt.datetime.combine(entry.date, dt.time(), tzinfo=dt.UTC),
            licence=entry.licence,
            attribution=entry.attribution,
            kind=entry.format,
        )
        for entry in project.config.scan.advisories
    ]
    folder = workspace.home / "advisories"
    make_folder(folder)
    scan = project.config.scan
    more = [project.path(text) for text in (scan.exploited, scan.epss) if text]
    database = folder / f"{_state_of(sources, more)}.sqlite"
    with locked(folder / "lock", wait=_IMPORT_SECONDS):
        if not database.exists():
            import_advisories(
                sources,
                database,
                exploited=_signal(project, scan.exploited, read_exploited),
                epss=_signal(project, scan.epss, read_epss),
            )
    return Database.open(database)


def _signal(project: Project, text: str | None, read: Callable[..., Signal[Value]]) -> Signal[Value] | None:
    if text is None:
        return None
    path = project.path(text)
    try:
        return read(path.read_bytes(), what=str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def _state_of(sources: Sequence[Source], more: Sequence[Path]) -> str:
    """Tell whether sources (name, date, each file's path, size and time) or our format have changed."""
    listed = [
        [
            source.name,
            str(source.date),
            source.licence,
            source.attribution,
            source.kind,
            _files(source.path),
        ]
        for source in sources
    ]
    return sha256_bytes(canonical_json([FORMAT, listed, [_files(path) for path in more]])).hex[:32]


def _files(path: Path) -> list[list[str]]:
    if not path.exists():
        raise ConfigError(
            f"{path}: no advisories there",
            hint="see [[scan.advisories]] in pratique.toml; OSV publishes them",
        )
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [
        [str(file), str(file.stat().st_size), str(file.stat().st_mtime_ns)]
        for file in files
        if file.is_file()
    ]
