"""Get a project's locked inputs, by hash, before anything is built and without executing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.build.fetch import fetch
from pratique.build.lock import load_lock
from pratique.flow.progress import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.build.inputs import Kind
    from pratique.flow.config import Project
    from pratique.flow.progress import Progress


def fetch_inputs(project: Project, progress: Progress) -> list[Path]:
    """Download what the project's lock files name into its inputs folder.

    Raises:
        ConfigError: a lock file is missing or malformed, or no index has a locked file.
        EvidenceInvalidError: an index serves other bytes than were locked.
        InfrastructureError: the network failed.
    """
    build = project.config.build
    wanted: list[tuple[str, Kind]] = [(build.tools, "wheel")]
    if build.dependencies:
        wanted.append((build.dependencies, "wheel"))
    if build.source.sdist:
        wanted.append((build.source.sdist, "sdist"))
    fetched: list[Path] = []
    for name, kind in wanted:
        progress.begin("fetch", f"{name}: locked files, by hash")
        found = fetch(
            load_lock(project.path(name)),
            project.path(build.inputs),
            kind=kind,
            progress=lambda file, count: progress.note(f"{file}  {count / 1e6:.1f} MB"),
        )
        progress.end(Outcome.DONE, f"{project.name}/{name}: {len(found)} files, each as locked")
        fetched += [item.path for item in found]
    return fetched
