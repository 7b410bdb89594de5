"""A virtual environment as a layer: wheels put where an installer would put them, without running anything.

`pyvenv.cfg` and links to an interpreter of the image make the folder an environment (PEP 405); each wheel
goes into its `site-packages` with a RECORD of its own (PEP 376), its scripts with a fixed first line. Nothing
is byte-compiled: that would depend on the interpreter that does it.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from functools import partial
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import Version

from pratique.errors import MalformedError, UsageError
from pratique.image.member import Kind, Member
from pratique.image.source import Entry, nothing
from pratique.image.wheel import Wheel, load_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pratique.image.descriptor import Platform
    from pratique.image.wheel import Member as Part

_PYTHON = re.compile(r"(?P<folder>/(?:[\w.+-]+/)*)python3\.(?P<minor>\d{1,2})\Z", re.ASCII)
_MACHINES: Final = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "386": "i686",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
_MAX_SCRIPT: Final = 1 << 20
_SCRIPT: Final = """#!{python}
import sys
from {module} import {top}
if __name__ == "__main__":
    sys.exit({attribute}())
"""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """Wheels for one layer of a virtual environment.

    Attributes:
        wheels: the files.
        target: the environment's folder in the image.
        python: the image's interpreter, as `/usr/bin/python3.11`.
        first: whether this layer brings the environment itself, or a lower one has.
    """

    wheels: tuple[Path, ...]
    target: str
    python: str
    first: bool = True

    def files(self) -> tuple[Path, ...]:
        """Give the files that it consists of."""
        return self.wheels


def environment_entries(
    environment: Environment, mtime: int, drops: Callable[[str, int], bool] = lambda _path, _size: False
) -> list[Entry]:
    """List what an environment's layer brings, in no order; content is read, and checked, later.

    Args:
        environment: which.
        mtime: of every file.
        drops: says which files stay out, and out of RECORD; see `slim`.

    Raises:
        UsageError: not an interpreter's path, or two wheels bring the same file.
        MalformedError: a wheel that is broken or hostile.
    """
    found = _PYTHON.match(environment.python)
    if not found:
        raise UsageError(
            f"not an interpreter of an image: {environment.python!r}", hint="write it as /usr/bin/python3.11"
        )
    base = environment.target.strip("/")
    layer = _Layer(base, f"python3.{found['minor']}", mtime, drops)
    if environment.first:
        config = (
            f"home = {found['folder'].rstrip('/') or '/'}",
            "include-system-site-packages = false",
            f"version = 3.{found['minor']}",
            "",
        )
        layer.data("pyvenv.cfg", "\n".join(config).encode())
        layer.link("bin/python", environment.python)
        layer.link("bin/python3", "python")
        layer.link(f"bin/python3.{found['minor']}", "python")
    for path in environment.wheels:
        layer.install(load_wheel(path))
    return list(layer.entries.values())


def check_wheels(paths: Sequence[Path], python: str, platform: Platform) -> None:
    """See that wheels fit an interpreter and platform, and bring all that they need (I/O: reads metadata).

    Raises:
        UsageError: one does not fit, is there twice, or needs what is not there.
    """
    found = _PYTHON.match(python)
    if not found:
        raise UsageError(
            f"not an interpreter of an image: {python!r}", hint="write it as /usr/bin/python3.11"
        )
    minor, machine = int(found["minor"]), _MACHINES.get(platform.architecture, platform.architecture)
    wheels: dict[str, Wheel] = {}
    for path in paths:
        wheel = load_wheel(path)
        if wheel.name in wheels:
            raise UsageError(f"{wheel.name} is there twice: {wheels[wheel.name].path.name}, {path.name}")
        if not any(_fits(tag.interpreter, tag.abi, tag.platform, minor, machine) for tag in wheel.tags):
            raise UsageError(f"{path.name} is for another interpreter than {python} on {platform}")
        wheels[wheel.name] = wheel
    markers = {
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "extra": "",
    }
    for wheel in wheels.values():
        for needed in wheel.requires:
            if needed.marker is not None and not needed.marker.evaluate(markers):
                continue
            there = wheels.get(canonicalize_name(needed.name))
            if there is None or not needed.specifier.contains(Version(there.version), prereleases=True):
                had = f", and {there.path.name} is there" if there else ""
                raise UsageError(
                    f"{wheel.path.name} needs {needed.name}{needed.specifier}{had}",
                    hint="give all wheels that were locked: --wheels FOLDER",
                )


def _fits(interpreter: str, abi: str, platform: str, minor: int, machine: str) -> bool:
    if platform != "any" and not (
        platform == f"linux_{machine}" or re.fullmatch(rf"(?:many|musl)linux\w*_{machine}", platform)
    ):
        return False
    if interpreter in {"py3", "py2.py3"}:
        return True
    found = re.fullmatch(r"(py|cp)3(\d{1,2})", interpreter)
    if not found:
        return False
    if found[1] == "py" or abi in {"abi3", "none"}:
        return int(found[2]) <= minor
    return int(found[2]) == minor and abi == f"cp3{minor}"


class _Layer:
    """An environment's files being put together."""

    def __init__(self, base: str, python: str, mtime: int, drops: Callable[[str, int], bool]) -> None:
        self._drops = drops
        self._base = base
        self._packages = f"lib/{python}/site-packages"
        self._python = f"/{base}/bin/python" if base else "/bin/python"
        self._headers = f"include/site/{python}"
        self._mtime = mtime
        self.entries: dict[str, Entry] = {}

    def install(self, wheel: Wheel) -> None:
        """Put a wheel's files in their places, and list them."""
        record: list[str] = []
        for part in wheel.members:
            place = self._place(wheel, part)
            if self._drops(f"{self._base}/{place}", part.size):
                continue
            if place.startswith("bin/") and part.size <= _MAX_SCRIPT:
                data = self._script(b"".join(wheel.read(part)))
                self._listed(record, place, data, executable=True)
            else:
                executable = part.executable or place.startswith("bin/")
                self._member(place, part.size, partial(wheel.read, part), executable=executable)
                record.append(self._line(place, part.digest, part.size))
        for name, (module, attribute) in wheel.scripts.items():
            top = attribute.partition(".")[0]
            text = _SCRIPT.format(python=self._python, module=module, top=top, attribute=attribute)
            self._listed(record, f"bin/{name}", text.encode(), executable=True)
        info = f"{self._packages}/{wheel.info}"
        self._listed(record, f"{info}/INSTALLER", b"pratique\n")
        record.append(f"{wheel.info}/RECORD,,")
        self.data(f"{info}/RECORD", ("\n".join(sorted(record)) + "\n").encode())

    def data(self, place: str, content: bytes, *, executable: bool = False) -> None:
        """Put a small file."""
        self._member(place, len(content), lambda: iter((content,)), executable=executable)

    def link(self, place: str, target: str) -> None:
        """Put a symbolic link."""
        path = self._path(place)
        self.entries[path] = Entry(
            Member(path=path, kind=Kind.SYMLINK, mode=0o777, target=target, mtime=self._mtime), nothing
        )

    def _place(self, wheel: Wheel, part: Part) -> str:
        """Say where in the environment a member goes (PEP 427, "Installing a wheel")."""
        folder, _, rest = part.name.partition("/")
        if not folder.endswith(".data"):
            return f"{self._packages}/{part.name}"
        scheme, _, rest = rest.partition("/")
        places = {
            "purelib": self._packages,
            "platlib": self._packages,
            "scripts": "bin",
            "data": ".",
            "headers": f"{self._headers}/{wheel.name}",
        }
        if scheme not in places or not rest or (scheme == "scripts" and "/" in rest):
            raise MalformedError(f"{wheel.path}: {part.name[:200]!r} has no place in an environment")
        return posixpath.normpath(f"{places[scheme]}/{rest}")

    def _script(self, data: bytes) -> bytes:
        line, newline, rest = data.partition(b"\n")
        if line.rstrip() in {b"#!python", b"#!pythonw"}:
            return f"#!{self._python}".encode() + newline + rest
        return data

    def _listed(self, record: list[str], place: str, content: bytes, *, executable: bool = False) -> None:
        self.data(place, content, executable=executable)
        record.append(self._line(place, hashlib.sha256(content).digest(), len(content)))

    def _line(self, place: str, digest: bytes, size: int) -> str:
        name = posixpath.relpath(place, self._packages)
        text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        quoted = f'"{name.replace(chr(34), chr(34) * 2)}"' if re.search(r'[",]', name) else name
        return f"{quoted},sha256={text},{size}"

    def _member(
        self, place: str, size: int, read: Callable[[], Iterator[bytes]], *, executable: bool
    ) -> None:
        path = self._path(place)
        mode = 0o755 if executable else 0o644
        member = Member(path=path, kind=Kind.FILE, mode=mode, size=size, mtime=self._mtime)
        self.entries[path] = Entry(member, read)

    def _path(self, place: str) -> str:
        path = f"{self._base}/{place}" if self._base else place
        if path in self.entries:
            raise UsageError(f"/{path}: two wheels bring it", hint="they cannot be in one environment")
        return path
