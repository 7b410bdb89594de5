"""What the recipes share. Runs inside the sandbox: standard library only.

Inputs, all read-only: `/inputs/parameters.json`, `/inputs/source/` (a tree, or one archive),
`/inputs/build/` and `/inputs/dependencies/` (wheels). What is left in `./output` is the result.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

INPUTS = Path("/inputs")
OUTPUT = Path("output")
_MAX_SOURCE_BYTES = 2 * 1024**3
_MAX_SOURCE_MEMBERS = 100_000


def start() -> dict[str, str]:
    """Pin what must not decide the result, make the working directories, and read the parameters."""
    os.umask(0o022)
    for name in ("home", "tmp", "output"):
        Path(name).mkdir()
    # A debugger's view of the source's place is the only thing that compilers keep of it.
    mapping = f"-ffile-prefix-map={Path.cwd()}=/build"
    for variable in ("CFLAGS", "CXXFLAGS"):
        os.environ[variable] = f"{os.environ.get(variable, '')} {mapping}".strip()
    parameters: dict[str, str] = json.loads((INPUTS / "parameters.json").read_text(encoding="utf-8"))
    return parameters


def unpack_source(*, reverse: bool) -> Path:
    """Put a writable copy of the source at `./src` and give the directory to build in."""
    given = INPUTS / "source"
    names = sorted(os.listdir(given), reverse=reverse)  # noqa: PTH208 - names are what is sorted
    target = Path("src")
    if len(names) == 1 and names[0].endswith(".tar.gz"):
        target.mkdir()
        _extract(given / names[0], target)
        tops = list(target.iterdir())
        if len(tops) != 1 or not tops[0].is_dir():
            sys.exit("recipe: a source archive holds exactly one directory")
        return tops[0]
    shutil.copytree(given, target, symlinks=True)
    return target


def _extract(archive: Path, target: Path) -> None:
    """Unpack files, directories and links that stay inside.

    Not by tarfile's `data` filter: Pythons before 3.11.4 lack it. Links come last, so that nothing is ever
    written through one.
    """
    count = total = 0
    links: list[tuple[Path, str]] = []
    with tarfile.open(archive, "r:gz") as stream:
        for member in stream:
            count, total = count + 1, total + member.size
            if count > _MAX_SOURCE_MEMBERS or total > _MAX_SOURCE_BYTES:
                sys.exit("recipe: the source archive unpacks to too much")
            place = target / _inside(member.name)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                _inside(os.path.join(os.path.dirname(member.name), member.linkname))  # noqa: PTH118, PTH120 - unresolved
                links.append((place, member.linkname))
                continue
            content = stream.extractfile(member)  # a hard link gives the file that it is to
            if content is None:
                sys.exit(f"recipe: neither a file nor a directory: {member.name!r}")
            with place.open("wb") as out:
                shutil.copyfileobj(content, out)
            place.chmod(0o755 if member.mode & 0o100 else 0o644)
            os.utime(place, (member.mtime, member.mtime))
    for place, linked in links:
        place.symlink_to(linked)


def _inside(name: str) -> str:
    plain = os.path.normpath(name)
    if os.path.isabs(name) or plain == ".." or plain.startswith("../"):  # noqa: PTH117 - a name, not a path here
        sys.exit(f"recipe: the source archive leads out of itself: {name!r}")
    return plain


def pip(*arguments: str) -> None:
    """Run the locked pip straight from its wheel; it knows no index and reads no configuration."""
    wheels = sorted((INPUTS / "build").glob("pip-*.whl"))
    if len(wheels) != 1:
        sys.exit("recipe: the build lock must name pip, once")
    options = ["--isolated", "--no-input", "--disable-pip-version-check", "--no-cache-dir", "--no-color"]
    command = [sys.executable, str(wheels[0] / "pip"), *arguments[:1], *options, *arguments[1:]]
    print("recipe:", *arguments, flush=True)
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        sys.exit(f"recipe: pip {arguments[0]} failed")


def build_wheel(source: Path, target: Path) -> Path:
    """Build one wheel; its build requirements are met from `/inputs/build` alone."""
    links = ["--no-index", "--find-links", str(INPUTS / "build")]
    pip("wheel", *links, "--no-deps", "--wheel-dir", str(target), str(source.resolve()))
    wheels = list(target.iterdir())
    if len(wheels) != 1 or wheels[0].suffix != ".whl":
        sys.exit("recipe: the build did not leave exactly one wheel")
    return wheels[0]
