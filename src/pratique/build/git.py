"""Read a git repository that may not be trusted: plumbing commands only, and none of its own programs.

A repository's configuration can name programs (hooks, filters, fsmonitor, pagers, signature checkers) that
ordinary commands start. Those used here read objects and the index, and the little that could start one is
switched off. Whether files changed is found by hashing them here, as `git status` would run filters.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec

from pratique.errors import ConfigError, InfrastructureError

if TYPE_CHECKING:
    from pathlib import Path

_SETTINGS: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.untrackedCache": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
}
_SECONDS: Final = 60
_SCP_LIKE: Final = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/@]+):(?P<path>[^/].*)\Z")
_REGULAR, _EXECUTABLE, _LINK = "100644", "100755", "120000"


class State(msgspec.Struct, frozen=True):
    """What git says about a directory: paths are tracked files relative to it, sorted."""

    commit: str
    epoch: int
    authors: tuple[str, ...]
    remote: str
    dirty: bool
    paths: tuple[str, ...]


class Repository(msgspec.Struct, frozen=True):
    """The repository around a directory."""

    top: Path

    @classmethod
    def find(cls, path: Path) -> Repository | None:
        """Find the repository that a directory is in, by looking for `.git` as git does; or nothing."""
        for folder in (path, *path.parents):
            if (folder / ".git").exists():
                return cls(folder)
        return None

    def state(self, path: Path) -> State:
        """Read what is tracked below `path`, and the commit it stands on.

        Raises:
            ConfigError: no commit yet, nothing tracked, a submodule, or a conflict in the index.
            InfrastructureError: git is missing or fails.
        """
        try:
            commit = self._git(path, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()
        except InfrastructureError as error:
            raise ConfigError(f"no commit to build in {self.top}: {error.message}") from error
        index = _parse_index(self._git(path, "ls-files", "-z", "--stage"), path)
        if not index:
            raise ConfigError(f"git tracks no file in {path}", hint=f"git -C {path} add . && git commit")
        head = _parse_tree(self._git(path, "ls-tree", "-r", "-z", "HEAD"))
        dirty = index != head or any(not _unchanged(path, name, *index[name]) for name in index)
        epoch, authors = parse_commit(self._git(path, "cat-file", "commit", commit))
        try:
            remote = self._git(path, "config", "--local", "--get", "remote.origin.url").decode().strip()
        except InfrastructureError:
            remote = ""
        paths = tuple(sorted(index, key=os.fsencode))
        return State(commit, epoch, authors, public_url(remote), dirty, paths)

    def _git(self, path: Path, *arguments: str) -> bytes:
        options = [item for key, value in _SETTINGS.items() for item in ("-c", f"{key}={value}")]
        options += ["-c", f"safe.directory={self.top}"]
        command = ["git", "--no-pager", "--literal-pathspecs", *options, "-C", str(path), *arguments]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                check=True,
                env=_ENVIRONMENT,
                timeout=_SECONDS,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise InfrastructureError("git is not installed", hint="install git") from error
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(f"git {arguments[0]} took too long in {path}") from error
        except subprocess.CalledProcessError as error:
            words = error.stderr.decode(errors="replace").strip()[:500]
            raise InfrastructureError(f"git {arguments[0]} failed in {path}: {words}") from error
        return done.stdout


def _parse_index(data: bytes, path: Path) -> dict[str, tuple[str, str]]:
    r"""`<mode> <object> <stage>\t<path>\0` each, to mode and object by path."""
    found = {}
    for record in data.split(b"\0")[:-1]:
        start, _, name = record.partition(b"\t")
        mode, identity, stage = start.decode().split(" ")
        if stage != "0":
            raise ConfigError(f"an unresolved conflict in {path}: {os.fsdecode(name)}")
        if mode not in (_REGULAR, _EXECUTABLE, _LINK):
            raise ConfigError(f"a submodule cannot be built from: {path}/{os.fsdecode(name)}")
        found[os.fsdecode(name)] = (mode, identity)
    return found


def _parse_tree(data: bytes) -> dict[str, tuple[str, str]]:
    r"""`<mode> <type> <object>\t<path>\0` each, to mode and object by path."""
    found = {}
    for record in data.split(b"\0")[:-1]:
        start, _, name = record.partition(b"\t")
        mode, _, identity = start.decode().split(" ")
        found[os.fsdecode(name)] = (mode, identity)
    return found


def _unchanged(root: Path, name: str, mode: str, identity: str) -> bool:
    """Whether a file is the blob that the index names, hashed as git hashes blobs."""
    path = root / name
    try:
        if mode == _LINK:
            data = os.fsencode(os.readlink(path))  # noqa: PTH115 - the target's bytes as they are
        elif path.is_symlink() or bool(path.stat().st_mode & 0o100) != (mode == _EXECUTABLE):
            return False
        else:
            data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"a tracked file cannot be read: {path}: {error.strerror}") from error
    algorithm = "sha256" if len(identity) == 64 else "sha1"  # noqa: PLR2004 - git's two object formats
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data).hexdigest() == identity


def parse_commit(data: bytes) -> tuple[int, tuple[str, ...]]:
    """Take the commit time and the people out of a commit object.

    Raises:
        ConfigError: not a commit object.
    """
    header, _, message = data.decode("utf-8", errors="replace").partition("\n\n")
    people, epoch = [], None
    for line in header.splitlines():
        role, _, rest = line.partition(" ")
        if role in ("author", "committer") and (found := re.fullmatch(r"(.*>) (-?\d+) [+-]\d{4}", rest)):
            people.append(found.group(1).strip())
            epoch = int(found.group(2)) if role == "committer" else epoch
    if epoch is None:
        raise ConfigError("a commit object without a committer")
    people += re.findall(r"(?im)^co-authored-by:\s*(.*>)\s*$", message)
    return max(epoch, 0), tuple(dict.fromkeys(people))


def public_url(remote: str) -> str:
    """Write a remote without user, password, query or fragment; a path of this machine becomes nothing."""
    if "://" not in remote:
        found = _SCP_LIKE.match(remote)
        return f"ssh://{found['host']}/{found['path']}" if found else ""
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("https", "http", "ssh", "git") or not host:
        return ""
    return urlunsplit((parts.scheme, f"{host}:{port}" if port else host, parts.path, "", ""))
