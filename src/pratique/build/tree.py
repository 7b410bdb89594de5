"""Trees of files: their manifest digest, and copies that are verified while they are made.

The **manifest digest** of a tree is the SHA-256 of one line for each entry, sorted by the path's bytes:
`file <0644|0755> <sha256 hex> <path>` or `link <target> <path>`, each ended by a NUL byte. Times, owners and
empty directories do not count.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import ConfigError, EvidenceInvalidError
from pratique.model.digest import Digest, sha256_bytes, sha256_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MAX_ENTRIES = 200_000
_CHUNK = 1024 * 1024


class Entry(msgspec.Struct, frozen=True, order=True):
    """One file (its mode 0o644 or 0o755, and digest) or symbolic link (its target) of a tree."""

    path: str
    mode: int
    digest: Digest | None = None
    link: str = ""


def manifest_digest(entries: Iterable[Entry]) -> Digest:
    """Digest a tree, as the module describes."""
    total = hashlib.sha256()
    for entry in sorted(entries, key=lambda item: os.fsencode(item.path)):
        if entry.digest is not None:
            start = f"file {entry.mode:04o} {entry.digest.hex} ".encode()
        else:
            start = b"link " + os.fsencode(entry.link) + b" "
        total.update(start + os.fsencode(entry.path) + b"\0")
    return Digest(total.hexdigest())


def read_entry(root: Path, path: str) -> Entry:
    """Look at one entry of a tree.

    Raises:
        ConfigError: a link that leaves the tree, or something that is neither a file nor a link.
        OSError: it cannot be read.
    """
    full = root / path
    status = full.lstat()
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(full)  # noqa: PTH115 - Path would normalise the target
        resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if target.startswith("/") or resolved == ".." or resolved.startswith("../"):
            raise ConfigError(f"a symbolic link leads out of the tree: {full} -> {target}")
        return Entry(path, 0o777, None, target)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"neither a file nor a symbolic link: {full}")
    return Entry(path, 0o755 if status.st_mode & 0o100 else 0o644, sha256_file(full))


def walk_paths(root: Path, *, skip: Callable[[str], bool] = lambda _: False) -> list[str]:
    """List the paths of files and links below a directory, sorted; links are not followed.

    Args:
        root: the directory.
        skip: called with the name of each entry; what it answers true for is left out, with all below.

    Raises:
        ConfigError: more entries than a source or tool chain has.
    """
    found, pending = [], [""]
    while pending:
        folder = pending.pop()
        with os.scandir(root / folder) as entries:
            for entry in entries:
                path = posixpath.join(folder, entry.name)
                if skip(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                else:
                    found.append(path)
        if len(found) > MAX_ENTRIES:
            raise ConfigError(f"more than {MAX_ENTRIES} files below {root}")
    return sorted(found, key=os.fsencode)


def read_tree(root: Path, *, skip: Callable[[str], bool] = lambda _: False) -> tuple[Entry, ...]:
    """Look at every entry of a tree."""
    return tuple(read_entry(root, path) for path in walk_paths(root, skip=skip))


def make_folder(folder: Path) -> None:
    """Make a folder that everybody can read, and those missing above it, whatever the umask.

    A build may run under another user's id than ours: what it is to read must not depend on our umask.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)


def copy_file(source: Path, target: Path, *, mode: int, digest: Digest) -> None:
    """Copy a file whose digest is known; what was hashed and what is written are the same bytes.

    Raises:
        EvidenceInvalidError: the file is no longer what it was.
    """
    running = hashlib.sha256()
    make_folder(target.parent)
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(reading, "rb") as incoming, os.fdopen(writing, "wb") as outgoing:
        while chunk := incoming.read(_CHUNK):
            running.update(chunk)
            outgoing.write(chunk)
        os.fchmod(outgoing.fileno(), mode)
    if not Digest(running.hexdigest()).matches(digest):
        raise EvidenceInvalidError(f"changed while it was being used: {source}")


def write_file(target: Path, data: bytes, *, mode: int, digest: Digest) -> None:
    """Write bytes whose digest is known.

    Raises:
        EvidenceInvalidError: they are other bytes.
    """
    if not sha256_bytes(data).matches(digest):
        raise EvidenceInvalidError(f"changed while it was being used: {target.name}")
    make_folder(target.parent)
    target.write_bytes(data)
    target.chmod(mode)


def copy_tree(entries: Iterable[Entry], root: Path, target: Path) -> None:
    """Copy a tree's entries, in the order given.

    Raises:
        EvidenceInvalidError: a file is no longer what it was.
    """
    for entry in entries:
        place = target / entry.path
        if entry.digest is not None:
            copy_file(root / entry.path, place, mode=entry.mode, digest=entry.digest)
        else:
            make_folder(place.parent)
            Path(place).symlink_to(entry.link)
