"""The advisory database of a project, imported again only when its sources have changed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pratique.errors import ConfigError
from pratique.model.digest import sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.scan.database import Database
from pratique.scan.importer import import_advisories
from pratique.scan.sources import Source
from pratique.store.atomic import locked, make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


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
        )
        for entry in project.config.scan.advisories
    ]
    folder = workspace.home / "advisories"
    make_folder(folder)
    database = folder / f"{_state_of(sources)}.sqlite"
    with locked(folder / "lock", wait=600):
        if not database.exists():
            import_advisories(sources, database)
    return Database.open(database)


def _state_of(sources: Sequence[Source]) -> str:
    """Tell whether sources have changed: by name, date, and every file's path, size and modification time."""
    listed = [
        [source.name, str(source.date), source.licence, source.attribution, _files(source.path)]
        for source in sources
    ]
    return sha256_bytes(canonical_json(listed)).hex[:32]


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
