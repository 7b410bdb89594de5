"""Go: `go.mod` (Go Modules Reference), and the build information in executables (`debug/buildinfo`)."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from pratique.scan.catalogers.base import File, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.scan.component import Component

MAGIC = b"\xff Go buildinf:"
HEADER_BYTES = 32
MAX_INFO_BYTES = 4 * 1024 * 1024
_INLINE = 0x2
_SENTINEL_BYTES = 16
_BLOCK = re.compile(r"(require|replace|exclude|retract|tool|ignore|godebug)\s*\(\Z")
_PRUNED = (1, 17)
_CHUNK = 4 * 1024 * 1024
_ALIGNMENT = 16
_EXECUTABLE = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
_VARINT = bytes(range(32)) + bytes(range(0x80, 0x100))


class Executables:
    """Finds the build information of Go executables: ELF, PE and Mach-O files without a suffix, or `.exe`."""

    def named(self, name: str) -> bool:
        """Tell by a member's name whether it may be an executable."""
        base = name.rpartition("/")[2]
        return "." not in base or base.endswith(".exe")

    def found(self, stream: IO[bytes]) -> bytes | None:
        """Give what starts at the build information's magic, searching piece by piece."""
        window = stream.read(_CHUNK)
        if not window.startswith(_EXECUTABLE):
            return None
        start = 0  # where in the file the window begins: the magic is aligned, other copies of it are not
        old: bytes | None = None
        while window:
            at = window.find(MAGIC)
            while at >= 0:
                if (start + at) % _ALIGNMENT == 0:
                    start, window = start + at, window[at:]
                    window += stream.read(max(0, MAX_INFO_BYTES - len(window)))
                    if (
                        window[HEADER_BYTES : 2 * HEADER_BYTES].lstrip(_VARINT)[:2] in {b"go", b"de"}
                        and window[15] & _INLINE
                    ):
                        return window[:MAX_INFO_BYTES]
                    old = old or window[:HEADER_BYTES]
                    at = 0
                at = window.find(MAGIC, at + 1)
            kept = window[-len(MAGIC) :]
            more = stream.read(_CHUNK)
            start, window = start + len(window) - len(kept), kept + more if more else b""
        return old


def read_go_mod(file: File) -> list[Component]:
    """Read the required modules, replacements applied.

    Raises:
        UnreadableError: before Go 1.17, as it then names direct requirements only; or a module is
            replaced by a folder, which holds what nobody named.
    """
    required: list[tuple[str, str]] = []
    replaced: dict[tuple[str, str], tuple[str, str]] = {}
    folders: list[str] = []
    language = (0, 0)
    for verb, words in _directives(file.text()):
        match verb, words:
            case "go", [version]:
                if not (parts := re.match(r"(\d+)\.(\d+)", version)):
                    raise UnreadableError(f"a Go version {version[:40]!r}")
                language = int(parts[1]), int(parts[2])
            case "require", [module, version]:
                required.append((module, version))
            case "replace", [*left, "=>", module, version]:
                replaced[left[0], left[1] if len(left) > 1 else ""] = module, version
            case "replace", [left, *_, "=>", folder]:
                folders.append(f"{left[:120]} is replaced by the folder {folder[:120]!r}")
            case "require" | "replace" | "go", _:
                raise UnreadableError(f"a line that is not understood: {verb} {' '.join(words)[:120]}")
            case _:
                pass
    final = [replaced.get(item) or replaced.get((item[0], "")) or item for item in required]
    found = [_module(file, module, version) for module, version in final]
    if required and language < _PRUNED:
        raise UnreadableError("it is of a Go before 1.17 and so names direct requirements only", found)
    if folders:
        raise UnreadableError("; ".join(folders[:5]), found)
    return found


def _directives(text: str) -> Iterator[tuple[str, list[str]]]:
    block = ""
    for raw in text.splitlines():
        line = raw.partition("//")[0].strip()
        if not line:
            continue
        if opened := _BLOCK.match(line):
            block = opened[1]
        elif line == ")":
            block = ""
        else:
            words = [word.strip('"`') for word in line.split()]
            yield (block, words) if block else (words[0], words[1:])


def read_build_info(file: File) -> list[Component]:
    """Read the modules and the toolchain that an executable was built from.

    `data` starts at the build information's magic; Go 1.18 and later keep two strings right after it.

    Raises:
        UnreadableError: of an earlier Go, cut short, or without module information.
    """
    data = file.data
    if len(data) < HEADER_BYTES or not data[15] & _INLINE:
        raise UnreadableError("built by a Go before 1.18, whose build information is not read")
    version, at = _string(data, HEADER_BYTES)
    modules, _ = _string(data, at)
    if not re.match(rb"go\d", version):
        raise UnreadableError(f"built by a Go of no released version: {version[:40]!r}")
    found = [_module(file, "stdlib", version.decode("utf-8", "replace").removeprefix("go").split()[0])]
    lines = modules[_SENTINEL_BYTES:-_SENTINEL_BYTES].decode("utf-8", "replace").splitlines()
    current: tuple[str, str] | None = None
    for line in lines:
        kind, *words = line.split("\t")
        if kind in {"mod", "dep", "=>"} and len(words) >= 2:  # noqa: PLR2004 - path and version
            # a replacement follows the line of what it replaces
            if current and kind != "=>":
                found.append(_module(file, *current))
            current = words[0], words[1]
    if current:
        found.append(_module(file, *current))
    # The main module of a local build has no version of its own.
    found = [item for item in found if item.version != "(devel)"]
    if not any(line.startswith(("mod\t", "path\tcmd/")) for line in lines):
        raise UnreadableError("built without Go modules, so that it does not say what is in it", found)
    return found


def _string(data: bytes, at: int) -> tuple[bytes, int]:
    """Read a string with a varint length before it (encoding/binary, `Uvarint`)."""
    length = shift = 0
    while True:
        if at >= len(data) or shift > 28:  # noqa: PLR2004 - four bytes of seven bits are 256 MB
            raise UnreadableError("its build information is cut short")
        byte = data[at]
        at += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follows
            break
    if at + length > len(data):
        raise UnreadableError("its build information is cut short")
    return data[at : at + length], at + length


def _module(file: File, module: str, version: str) -> Component:
    namespace, _, name = module.rpartition("/")
    return file.component("golang", name, version, namespace=namespace, shown=module)
