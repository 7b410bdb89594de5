"""Run the catalogers over one artifact: components, and what was recognised but could not be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.scan.catalogers.base import File, UnreadableError
from pratique.scan.catalogers.golang import read_build_info
from pratique.scan.catalogers.npm import read_tree
from pratique.scan.catalogers.rpm import OLD, OLD_REASON
from pratique.scan.catalogers.table import INSTALLED_NPM, TABLE
from pratique.scan.component import Uninspected
from pratique.scan.members import INSIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pratique.scan.component import Component
    from pratique.scan.members import Members


def read_records(held: Members) -> tuple[list[Component], list[Uninspected]]:
    """Read every record of the artifact.

    A lock file inside an installed package or an inner archive is that one's data: nobody installed what it
    lists.
    """
    found: list[Component] = []
    unread: list[Uninspected] = []

    def read(reader: Callable[[File], list[Component]], name: str, data: bytes) -> None:
        try:
            found.extend(reader(File(name, data, held.contents)))
        except UnreadableError as error:
            found.extend(error.partial)
            unread.append(Uninspected(name, str(error)))

    installed = _installed_roots(held.names)
    for name, data in held.contents.items():
        for cataloger in TABLE:
            if cataloger.recognises(name) and not (cataloger.is_lock and _within(name, installed)):
                read(cataloger.read, name, data)
    for name, data in held.records.items():
        read(read_build_info, name, data)
    unread += [Uninspected(name, OLD_REASON) for name in held.names if OLD.match(name)]
    tree, problems = read_tree(
        File(name, data, held.contents) for name, data in held.contents.items() if INSTALLED_NPM.match(name)
    )
    return found + tree, unread + [Uninspected(*problem) for problem in problems]


def _installed_roots(names: Iterable[str]) -> frozenset[str]:
    """Give the folders that Python packages are installed into, each with a slash at its end."""
    return frozenset(
        name.removesuffix("/METADATA").rpartition("/")[0] + "/"
        for name in names
        if name.endswith(".dist-info/METADATA")
    )


def _within(name: str, roots: frozenset[str]) -> bool:
    # "/": the artifact itself is such a folder
    if "/node_modules/" in f"/{name}" or "/" in roots or INSIDE in name:
        return True
    parts = name.split("/")
    return any("/".join(parts[:depth]) + "/" in roots for depth in range(1, len(parts)))
