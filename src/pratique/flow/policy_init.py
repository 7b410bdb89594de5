"""A source folder to start a policy from."""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING

from pratique.errors import InfrastructureError, UsageError
from pratique.store.atomic import write_all_atomic

if TYPE_CHECKING:
    from pathlib import Path


def starter_files() -> dict[str, bytes]:
    """Give the files of a new source folder by name: a rule, its test, its data, and what to do with them."""
    folder = importlib.resources.files("pratique.policy") / "suite" / "starter"
    return {item.name: item.read_bytes() for item in sorted(folder.iterdir(), key=lambda item: item.name)}


def init_policy(folder: Path, *, dry_run: bool) -> list[Path]:
    """Write the files, all or none; nothing that is there is touched.

    Raises:
        UsageError: something is there already.
        InfrastructureError: they cannot be written.
    """
    files = {folder / name: data for name, data in starter_files().items()}
    there = [path for path in files if path.exists()]
    if there or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"{there[0] if there else folder} is there already",
            hint="nothing was changed; name another folder",
        )
    if not dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InfrastructureError(f"{folder}: cannot be made: {error.strerror}") from error
        write_all_atomic(list(files.items()), mode=0o644)
    return sorted(files)
