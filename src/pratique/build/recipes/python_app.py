"""Recipe: a Python application and its locked dependencies become one archive. Runs inside the sandbox.

The archive `<name>-<version>.tar` holds `lib/`, a directory to put on Python's path: everything in it is
sorted, owned by 0:0, dated SOURCE_DATE_EPOCH, and either 0644 or 0755. It is not compressed, as compressors
differ from one machine to the next.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - isolated mode leaves it out

from common import INPUTS, OUTPUT, build_wheel, pip, start, unpack_source  # type: ignore[import-not-found]


def install(wheels: list[Path], target: Path) -> None:
    """Install wheels by digest into a directory, without what only fits the place of installation."""
    links = Path("wheels")
    links.mkdir(exist_ok=True)
    lines = []
    for wheel in sorted(wheels, key=lambda path: path.name):
        shutil.copyfile(wheel, links / wheel.name)
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    requirements = Path("requirements.txt")
    requirements.write_text("".join(lines), encoding="utf-8")
    options = ["--no-index", "--find-links", str(links), "--no-deps", "--require-hashes", "--no-compile"]
    pip("install", *options, "--only-binary", ":all:", "--target", str(target), "-r", str(requirements))
    _drop_scripts(target)


def _drop_scripts(target: Path) -> None:
    """Remove console scripts: their first line names this sandbox's interpreter. `python -m` does without."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    for record in target.glob("*.dist-info/RECORD"):
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(("../../bin/", "bin/"))]
        record.write_text("".join(kept), encoding="utf-8")


def pack(tree: Path, archive: Path, moment: int) -> None:
    """Write a tree as `lib/` of a tar archive that depends on names, bytes and execute bits alone."""
    paths = sorted(tree.rglob("*"), key=lambda path: os.fsencode(path.relative_to(tree)))
    with tarfile.open(archive, "w", format=tarfile.USTAR_FORMAT) as out:
        for path in [tree, *paths]:
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                sys.exit(f"recipe: neither a file nor a directory: {path}")
            member = tarfile.TarInfo("/".join(("lib", *path.relative_to(tree).parts)))
            member.mtime = moment
            if path.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                out.addfile(member)
                continue
            data = path.read_bytes()
            member.size, member.mode = len(data), 0o755 if path.stat().st_mode & 0o100 else 0o644
            out.addfile(member, io.BytesIO(data))


def main() -> None:
    """Build the wheel, install it with its dependencies, pack the archive into the output directory."""
    parameters = start()
    reverse = parameters["order"] == "reversed"
    wheel = build_wheel(unpack_source(reverse=reverse), Path("built"))
    dependencies = sorted((INPUTS / "dependencies").glob("*.whl"))
    tree = Path("lib")
    install([wheel, *dependencies], tree)
    name, version = wheel.name.split("-")[:2]
    archive = OUTPUT / f"{name}-{version}.tar"
    pack(tree, archive, int(os.environ["SOURCE_DATE_EPOCH"]))
    print("recipe: packed", archive.name)


if __name__ == "__main__":
    main()
