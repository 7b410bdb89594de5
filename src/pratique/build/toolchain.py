"""The tool chain: what of the host a build sees besides its inputs, each part with what its digest covers.

- `interpreter`: the binary of the Python that runs the recipe.
- `python-installation`: the manifest digest (see `tree`) of the whole installation, or of the
  standard library alone when it lies below /usr. Third-party packages are not visible inside,
  and compiled caches (`__pycache__`) are neither counted nor used.
- `c-compiler`, `linker` …: the binaries themselves.
- `system`: everything else below /usr, headers and C library among it, is named by the digest of the package
  manager's database of installed packages. It says which packages are installed, not what their files hold.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.build import tree
from pratique.errors import CouldNotCheckError
from pratique.model.digest import Digest, sha256_bytes, sha256_file
from pratique.sandbox.host import python_executable, python_prefix, site_directories

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOOLS: Final = {
    "c-compiler": "cc",
    "c++-compiler": "c++",
    "linker": "ld",
    "assembler": "as",
    "archiver": "ar",
}
_COMPILER_PARTS: Final = {"c-compiler-proper": "cc1", "c++-compiler-proper": "cc1plus"}
_DATABASES: Final = (
    "/var/lib/dpkg/status",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite",
)
_TOOL_PATH: Final = "/usr/bin:/bin"


class Tool(msgspec.Struct, frozen=True):
    """One part of the tool chain; `covers` says what its digest is of: file, tree or package-database."""

    name: str
    path: str
    digest: Digest
    covers: str


class Toolchain(msgspec.Struct, frozen=True):
    """All of the tool chain, and the words by which people know it."""

    tools: tuple[Tool, ...]
    python: str
    system: str
    machine: str

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form that provenance carries in its internal parameters."""
        return {"python": self.python, "system": self.system, "machine": self.machine}


@functools.lru_cache(maxsize=1)
def load_toolchain() -> Toolchain:
    """Look at this machine's tool chain; once in a process, as it digests some thousand files.

    Raises:
        CouldNotCheckError: a part of it cannot be read, or the system has no known package database.
    """
    try:
        tools = tuple(_tools())
    except OSError as error:
        raise CouldNotCheckError(f"the tool chain cannot be digested: {error}") from error
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return Toolchain(tools, python, _system_name(), platform.machine())


def _tools() -> Iterator[Tool]:
    interpreter = python_executable()
    yield Tool("interpreter", str(interpreter), sha256_file(interpreter), "file")
    hidden = {path.name for path in site_directories()} | {"__pycache__"}
    prefix = python_prefix()
    installation = Path(os.__file__).resolve().parent if prefix.is_relative_to("/usr") else prefix
    entries = _installation_entries(installation, frozenset(hidden))
    yield Tool("python-installation", str(installation), tree.manifest_digest(entries), "tree")
    for name, command in _TOOLS.items():
        if found := shutil.which(command, path=_TOOL_PATH):
            path = Path(found).resolve()
            yield Tool(name, str(path), sha256_file(path), "file")
    for name, part in _COMPILER_PARTS.items():
        if (inner := _compiler_part(part)) is not None:
            yield Tool(name, str(inner), sha256_file(inner), "file")
    yield _system()


def _installation_entries(library: Path, hidden: frozenset[str]) -> list[tree.Entry]:
    """Digest an installation of Python; a link that leads out of it counts by the file it leads to."""
    entries = []
    for name in tree.walk_paths(library, skip=lambda entry: entry in hidden):
        path = library / name
        if path.is_symlink() and path.is_file():
            entries.append(tree.Entry(name, 0o644, sha256_file(path)))
        elif path.is_file():
            entries.append(tree.read_entry(library, name))
    return entries


def _compiler_part(name: str) -> Path | None:
    """Ask the C compiler where the program is that does the compiling; nothing when it is not told."""
    try:
        done = subprocess.run(
            ["/usr/bin/cc", f"-print-prog-name={name}"],
            capture_output=True,
            check=True,
            timeout=10,
            env={"PATH": _TOOL_PATH, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    path = Path(done.stdout.decode(errors="replace").strip())
    return path.resolve() if path.is_absolute() and path.is_file() else None


def _system() -> Tool:
    for name in _DATABASES:
        if (path := Path(name)).is_file():
            return Tool("system", name, sha256_file(path), "package-database")
    apk = Path("/lib/apk/db/installed")
    if apk.is_file():
        return Tool("system", str(apk), sha256_bytes(apk.read_bytes()), "package-database")
    raise CouldNotCheckError(
        "no package database found that would name what is below /usr",
        hint="build on a system whose packages dpkg, rpm or apk manages",
    )


def _system_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
