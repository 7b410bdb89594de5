"""What of the host every job sees: the tool chain below /usr and the Python installation, read-only.

The installation's own third-party packages are hidden, so that a build can use only what its lock names.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

import msgspec

from pratique.sandbox.job import Mount

_USR_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
_DISTRIBUTION_PACKAGES = ("/usr/lib/python3/dist-packages",)


class HostView(msgspec.Struct, frozen=True):
    """The trusted part of a job's file system.

    Attributes:
        mounts: read-only binds of host directories and files.
        links: symbolic links to create, target by path, for a merged /usr.
        masks: directories below `mounts` that are covered by an empty one.
        python: the interpreter's path, the same inside as outside.
    """

    mounts: tuple[Mount, ...]
    links: dict[str, str]
    masks: tuple[str, ...]
    python: str


def python_executable() -> Path:
    """Give the real binary of the interpreter this program runs on, a virtual environment looked through."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidate = Path(sys.base_prefix, "bin", version)
    return (candidate if candidate.exists() else Path(sys.executable)).resolve()


def python_prefix() -> Path:
    """Give the directory of the Python installation, symbolic links resolved."""
    return Path(sys.base_prefix).resolve()


def site_directories() -> tuple[Path, ...]:
    """Give the installation's directories of third-party packages, as far as they exist."""
    base = {"base": str(python_prefix()), "platbase": str(python_prefix())}
    paths = [sysconfig.get_path(key, vars=base) for key in ("purelib", "platlib")]
    found = {Path(path) for path in (*paths, *_DISTRIBUTION_PACKAGES) if Path(path).is_dir()}
    # A path with a symbolic link in it is left visible rather than mounted over: see `layout`.
    return tuple(sorted(path for path in found if path.resolve() == path))


def host_view() -> HostView:
    """Look at this machine and say what a job gets to see of it."""
    mounts = [Mount(Path("/usr"), "/usr")]
    links = {}
    for name in _USR_LINKS:
        path = Path("/", name)
        if path.is_symlink():
            links[str(path)] = str(path.readlink())
        elif path.is_dir():
            mounts.append(Mount(path, str(path)))
    mounts.extend(Mount(path, str(path)) for name in _ETC if (path := Path("/etc", name)).exists())
    prefix = python_prefix()
    seen = [Path(mount.target) for mount in mounts]
    if not any(prefix.is_relative_to(path) for path in seen):
        mounts.append(Mount(prefix, str(prefix)))
        seen.append(prefix)
    masks = tuple(str(path) for path in site_directories() if any(path.is_relative_to(top) for top in seen))
    return HostView(tuple(mounts), links, masks, os.fspath(python_executable()))
