"""What a release directory holds: a manifest taken from the disk, its digest, and how two of them differ."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from pratique.deploy.wire import parse_struct
from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes, sha256_file
from pratique.model.strict_json import canonical_json, parse_json_object

if TYPE_CHECKING:
    from collections.abc import Iterator


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One path below a release; `other` is what an unpacked release never has, a link for instance."""

    path: str
    kind: Literal["file", "directory", "other"]
    mode: int = 0
    size: int = 0
    sha256: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything below a release, sorted by path."""

    entries: tuple[Entry, ...]

    def encode(self) -> bytes:
        """Give the canonical bytes."""
        return canonical_json(msgspec.to_builtins(self))

    @property
    def digest(self) -> Digest:
        """Identify the content: what is recorded of a release, and compared again later."""
        return sha256_bytes(self.encode())


def parse_manifest(data: bytes, *, what: str) -> Manifest:
    """Parse a stored manifest.

    Raises:
        MalformedError: not one.
    """
    manifest = parse_struct(parse_json_object(data, what=what), Manifest, what=what)
    paths = [entry.path for entry in manifest.entries]
    if paths != sorted(set(paths)):
        raise MalformedError(f"{what}: paths out of order or twice")
    return manifest


def measure(root: Path) -> Manifest:
    """Take the manifest of a directory, reading every file; links are seen and not followed.

    Raises:
        OSError: something cannot be read, or went away meanwhile.
    """
    return Manifest(tuple(sorted(_entries(root, ""), key=lambda entry: entry.path)))


def differences(expected: Manifest, found: Manifest) -> tuple[str, ...]:
    """Say for each path how what was found differs from what was expected; nothing when they are the same."""
    before = {entry.path: entry for entry in expected.entries}
    after = {entry.path: entry for entry in found.entries}
    told = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            told.append(f"{path}: missing")
        elif path not in before:
            told.append(f"{path}: added")
        elif before[path] != after[path]:
            told.append(f"{path}: {_how(before[path], after[path])}")
    return tuple(told)


def _entries(root: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(root / prefix) as found:
        for item in found:
            path = f"{prefix}/{item.name}" if prefix else item.name
            info = item.stat(follow_symlinks=False)
            mode = stat.S_IMODE(info.st_mode)
            if stat.S_ISDIR(info.st_mode):
                yield Entry(path, "directory", mode)
                yield from _entries(root, path)
            elif stat.S_ISREG(info.st_mode):
                yield Entry(path, "file", mode, info.st_size, sha256_file(Path(item.path)).hex)
            else:
                yield Entry(path, "other")


def _how(before: Entry, after: Entry) -> str:
    if before.kind != after.kind:
        return f"a {after.kind} instead of a {before.kind}"
    if before.sha256 != after.sha256:
        return "content changed"
    return f"mode {after.mode:04o} instead of {before.mode:04o}"
