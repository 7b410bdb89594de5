"""Sources: a directory in git, a plain directory, or a released source archive; each by digest."""

from __future__ import annotations

import datetime as dt
import posixpath
import tarfile
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from pratique.build import tree
from pratique.build.git import Repository
from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import Digest, sha256_file

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.build.inputs import Input

# 1980-01-02, the first day that zip files can tell of in every time zone: for a source without a time.
FALLBACK_EPOCH: Final = 315619200
_MAX_SDIST_MEMBERS: Final = 100_000
_MAX_SDIST_BYTES: Final = 2 * 1024**3
_SKIPPED: Final = frozenset({".git", ".hg", ".svn", ".pratique", ".venv", "__pycache__", ".DS_Store"})


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is built.

    Attributes:
        kind: `git`, `directory` or `sdist`.
        name: of the directory or file, for people.
        path: where it is.
        uri: `git+https://…@<commit>`, a package URL, or `file:<name>`; never with a credential.
        digest: of the archive, or of the tree's manifest (see `tree`).
        commit: the git commit, empty for other kinds and for a dirty working tree's digest to rule.
        dirty: tracked files differ from the commit.
        authors: identities of those who made the commit (author, committer, co-authors), `Name <address>`.
        epoch: SOURCE_DATE_EPOCH, seconds since 1970.
        entries: the tree's files; empty for an archive.
    """

    kind: Literal["git", "directory", "sdist"]
    name: str
    path: Path
    uri: str
    digest: Digest
    epoch: int
    commit: str = ""
    dirty: bool = False
    authors: tuple[str, ...] = ()
    entries: tuple[tree.Entry, ...] = ()


def load_directory(path: Path) -> Source:
    """Look at a source directory: git's tracked files when it is in a repository, all files otherwise.

    Raises:
        ConfigError: not a directory, nothing in it, or something in it that cannot be built from.
    """
    path = path.resolve()
    if not path.is_dir():
        raise ConfigError(f"not a directory: {path}")
    repository = Repository.find(path)
    if repository is None:
        entries = tree.read_tree(path, skip=lambda name: name in _SKIPPED or name.endswith(".egg-info"))
        _require_files(entries, path)
        digest = tree.manifest_digest(entries)
        return Source(
            kind="directory",
            name=path.name,
            path=path,
            uri=f"file:{path.name}",
            digest=digest,
            epoch=FALLBACK_EPOCH,
            entries=entries,
        )
    state = repository.state(path)
    entries = tuple(tree.read_entry(path, name) for name in state.paths)
    _require_files(entries, path)
    return Source(
        kind="git",
        name=path.name,
        path=path,
        uri=f"git+{state.remote}@{state.commit}" if state.remote else f"git+file:{path.name}@{state.commit}",
        digest=tree.manifest_digest(entries),
        commit=state.commit,
        dirty=state.dirty,
        authors=state.authors,
        epoch=state.epoch,
        entries=entries,
    )


def _require_files(entries: tuple[tree.Entry, ...], path: Path) -> None:
    names = {entry.path for entry in entries}
    if not names & {"pyproject.toml", "setup.py"}:
        raise ConfigError(
            f"neither pyproject.toml nor setup.py among the source files of {path}",
            hint="in a git repository only tracked files count: git add pyproject.toml",
        )


def load_sdist(item: Input) -> Source:
    """Take a locked source archive as the source.

    Raises:
        MalformedError: not a gzipped tar, or a bomb.
    """
    if item.kind != "sdist":
        raise ConfigError(f"not a source archive: {item.path}")
    return Source(
        kind="sdist",
        name=item.path.name,
        path=item.path,
        uri=item.purl,
        digest=sha256_file(item.path),
        epoch=_newest_time(item.path),
    )


def _newest_time(path: Path) -> int:
    """Give the newest modification time in an archive, headers alone being read."""
    newest, count, total = 0, 0, 0
    now = dt.datetime.now(dt.UTC).timestamp()
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                count, total = count + 1, total + max(member.size, 0)
                if count > _MAX_SDIST_MEMBERS or total > _MAX_SDIST_BYTES:
                    raise MalformedError(f"{path}: unpacks to more than a source archive can hold")
                if posixpath.isabs(member.name) or ".." in member.name.split("/"):
                    raise MalformedError(f"{path}: a member leads out of the archive: {member.name[:80]!r}")
                newest = max(newest, int(member.mtime))
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise MalformedError(f"{path}: not a source archive: {error}") from error
    return newest if FALLBACK_EPOCH <= newest <= now else FALLBACK_EPOCH


def stage(source: Source, target: Path, *, reverse: bool) -> None:
    """Copy the source to a fresh directory, verified while copied.

    Raises:
        EvidenceInvalidError: it changed since it was looked at.
    """
    tree.make_folder(target)
    if source.kind == "sdist":
        tree.copy_file(source.path, target / source.path.name, mode=0o644, digest=source.digest)
    else:
        tree.copy_tree(source.entries[::-1] if reverse else source.entries, source.path, target)
