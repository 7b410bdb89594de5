"""Virtual environments of wheels: laid out as an installer does, run by a real interpreter, and refused."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from pratique.errors import EvidenceInvalidError, MalformedError, UsageError
from pratique.image.assemble import Recipe, assemble
from pratique.image.descriptor import Platform
from pratique.image.environment import Environment, check_wheels
from pratique.image.wheel import load_wheel

if TYPE_CHECKING:
    from pathlib import Path

PYTHON = os.path.realpath(sys.executable)
MINOR = sys.version_info.minor
AMD64 = Platform("linux", "amd64")
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{more}"
pytestmark = pytest.mark.skipif(
    not re.match(r"/.*/python3\.\d+\Z", PYTHON), reason="the interpreter's name has no version"
)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def wheel(
    folder: Path,
    name: str,
    files: dict[str, bytes],
    *,
    tag: str = "py3-none-any",
    more: str = "",
    spoil: str = "",
) -> Path:
    """Write a wheel by hand; `spoil` changes a file after RECORD was written."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    content = {
        **files,
        f"{info}/METADATA": METADATA.format(name=name, more=more).encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = "".join(f'"{path}",sha256={encoded(data)},{len(data)}\n' for path, data in content.items())
    path = folder / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in content.items():
            archive.writestr(member, data[::-1] if member == spoil else data)
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return path


def demo(folder: Path) -> Path:
    return wheel(
        folder,
        "demo",
        {
            "demo/__init__.py": b"def main():\n    print('hello')\n    return 3\n",
            "demo/data,odd.txt": b"x",
            "demo-1.0.data/scripts/tool": b"#!python\nprint('tool')\n",
            "demo-1.0.data/data/share/demo.txt": b"shared",
            "demo-1.0.data/purelib/extra_demo.py": b"VALUE = 7\n",
            "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo-run = demo:main\n",
        },
    )


def unpacked(tmp_path: Path, *wheels: Path, target: str = "") -> Path:
    """Assemble an image of wheels and unpack its layer; the environment is where it is in the image."""
    root = tmp_path / "root"
    venv = target or f"{root}/venv"
    environment = Environment(wheels=wheels, target=venv, python=PYTHON)
    made = assemble(Recipe(sources=(environment,), compression="none"), tmp_path / "layout")
    blob = tmp_path / "layout" / "blobs" / "sha256" / made.manifest.layers[0].digest.hex
    with tarfile.open(blob) as archive:
        archive.extractall(tmp_path / "out", filter="fully_trusted")  # noqa: S202 - we made it
    return tmp_path / "out" / venv.lstrip("/")


def test_an_interpreter_runs_it(tmp_path: Path) -> None:
    venv = unpacked(tmp_path, demo(tmp_path / "w"))
    here = tmp_path / "root" / "venv"
    here.parent.mkdir()
    venv.rename(here)  # to where the scripts' first lines say
    code = "import demo, extra_demo, importlib.metadata as m, sys\n"
    code += "print(m.version('demo'), extra_demo.VALUE, sys.prefix)"
    done = subprocess.run([here / "bin" / "python", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1.0", "7", str(here)]
    done = subprocess.run([here / "bin" / "demo-run"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "hello\n")
    assert (
        subprocess.run([here / "bin" / "tool"], check=True, capture_output=True, text=True).stdout == "tool\n"
    )
    check = "import importlib.metadata as m; print(all(f.locate().is_file() for f in m.files('demo')))"
    assert (
        subprocess.run([here / "bin" / "python", "-c", check], check=True, capture_output=True).stdout
        == b"True\n"
    )


def test_it_is_what_pip_installs(tmp_path: Path) -> None:
    """The same files with the same bytes, but for the scripts that pip writes, and its notes."""
    file = demo(tmp_path / "w")
    ours = unpacked(tmp_path, file, target="/venv")
    theirs = tmp_path / "theirs"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", theirs], check=True)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        theirs,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", file], check=True)

    def files(root: Path) -> dict[str, bytes]:
        found = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        listed = {str(path.relative_to(root)): path.read_bytes() for path in found}
        own = re.compile(
            r"INSTALLER|RECORD|REQUESTED|direct_url|pyvenv.cfg|bin/(?:[Aa]ctivate|demo-run|tool)|\.gitignore"
        )
        return {name: data for name, data in listed.items() if not own.search(name)}

    assert files(ours) == files(theirs)
    assert (ours / "bin" / "demo-run").stat().st_mode & 0o777 == 0o755

    def listed(root: Path) -> set[str]:
        (record,) = root.rglob("RECORD")
        return {line.rpartition(",sha256")[0] or line for line in record.read_text().splitlines()}

    assert listed(theirs) - listed(ours) <= {
        "demo-1.0.dist-info/REQUESTED", "demo-1.0.dist-info/direct_url.json",
    }  # fmt: skip


def test_dependencies_keep_their_layer_when_the_application_changes(tmp_path: Path) -> None:
    dependency = wheel(tmp_path / "w", "dep", {"dep.py": b"A = 1\n"})

    def made(number: int) -> tuple[str, ...]:
        application = wheel(tmp_path / f"a{number}", "app", {"app.py": b"B = %d\n" % number})
        layers = (
            Environment(wheels=(dependency,), target="/venv", python=PYTHON),
            Environment(wheels=(application,), target="/venv", python=PYTHON, first=False),
        )
        image = assemble(Recipe(sources=layers), tmp_path / f"l{number}")
        return tuple(str(layer.digest) for layer in image.manifest.layers)

    first, second = made(1), made(2)
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_what_is_not_as_recorded_is_refused(tmp_path: Path) -> None:
    file = wheel(tmp_path / "w", "demo", {"demo.py": b"A = 1\n"}, spoil="demo.py")
    environment = Environment(wheels=(file,), target="/venv", python=PYTHON)
    with pytest.raises(EvidenceInvalidError, match=r"demo\.py is not what RECORD lists"):
        assemble(Recipe(sources=(environment,)), tmp_path / "layout")
    assert not list((tmp_path / "layout" / "blobs" / "sha256").iterdir())


def crafted(path: Path, members: dict[str, bytes], record: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.writestr("demo-1.0.dist-info/METADATA", METADATA.format(name="demo", more=""))
        archive.writestr("demo-1.0.dist-info/RECORD", record)
    return path


@pytest.mark.parametrize(("members", "record", "said"), [
    ({"../x.py": b""}, b"", "leads out"),
    ({"/etc/x": b""}, b"", "leads out"),
    ({"x.py": b""}, b"", "no SHA-256"),
    ({"x.py": b""}, b"x.py,md5=abc,0\n", "no SHA-256"),
    ({"x.py": b""}, b"x.py,sha256=abc,5\n", "another size"),
    ({}, b"y.py,sha256=abc,0\n", "is not there"),
    ({"x.py": b""}, b"x.py,sha256=abc,0\nx.py,sha256=abc,0\n", "twice"),
    ({"other-1.0.dist-info/METADATA": b""}, b"", "dist-info folders"),
])  # fmt: skip
def test_hostile_wheels(tmp_path: Path, members: dict[str, bytes], record: bytes, said: str) -> None:
    with pytest.raises(MalformedError, match=said):
        load_wheel(crafted(tmp_path / "demo-1.0-py3-none-any.whl", members, record))


def test_files_that_are_no_wheels(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(b"no zip")
    with pytest.raises(MalformedError, match="not a sound zip"):
        load_wheel(tmp_path / "demo-1.0-py3-none-any.whl")
    with pytest.raises(UsageError):
        load_wheel(tmp_path / "demo.txt")
    with pytest.raises(MalformedError, match="another project"):
        load_wheel(wheel(tmp_path, "demo", {}).rename(tmp_path / "other-1.0-py3-none-any.whl"))
    bad = {"demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\n../x = os:system\n"}
    with pytest.raises(MalformedError, match="not a script"):
        load_wheel(wheel(tmp_path, "demo", bad))


@pytest.mark.parametrize(("tag", "fits"), [
    ("py3-none-any", True),
    (f"py3{MINOR}-none-any", True),
    (f"py3{MINOR + 1}-none-any", False),
    (f"cp3{MINOR}-cp3{MINOR}-manylinux_2_17_x86_64", True),
    (f"cp3{MINOR}-cp3{MINOR}-linux_x86_64", True),
    (f"cp3{MINOR - 1}-cp3{MINOR - 1}-manylinux_2_17_x86_64", False),
    (f"cp3{MINOR - 1}-abi3-manylinux_2_17_x86_64", True),
    (f"cp3{MINOR}-cp3{MINOR}-manylinux_2_17_aarch64", False),
    (f"cp3{MINOR}-cp3{MINOR}-macosx_11_0_x86_64", False),
    (f"cp3{MINOR}-cp3{MINOR}t-manylinux_2_17_x86_64", False),
    ("cp27-none-any", False),
])  # fmt: skip
def test_which_wheels_fit(tmp_path: Path, tag: str, *, fits: bool) -> None:
    file = wheel(tmp_path, "demo", {}, tag=tag)
    if fits:
        check_wheels([file], PYTHON, AMD64)
    else:
        with pytest.raises(UsageError, match="another interpreter"):
            check_wheels([file], PYTHON, AMD64)


def test_all_that_is_needed_has_to_be_there(tmp_path: Path) -> None:
    needs = wheel(
        tmp_path, "demo", {}, more="Requires-Dist: dep>=1\nRequires-Dist: win; sys_platform == 'win32'\n"
    )
    with pytest.raises(UsageError, match=r"needs dep>=1"):
        check_wheels([needs], PYTHON, AMD64)
    dependency = wheel(tmp_path, "dep", {})
    check_wheels([needs, dependency], PYTHON, AMD64)
    newer = wheel(tmp_path, "demo", {}, more="Requires-Dist: dep>=2\n")
    with pytest.raises(UsageError, match=r"dep>=2, and dep-1\.0"):
        check_wheels([newer, dependency], PYTHON, AMD64)
    with pytest.raises(UsageError, match="there twice"):
        check_wheels([dependency, wheel(tmp_path / "more", "dep", {})], PYTHON, AMD64)


def test_a_slim_environments_record_is_true(tmp_path: Path) -> None:
    file = wheel(
        tmp_path / "w", "demo", {"demo/__init__.py": b"", "demo/x.pyi": b"x", "demo/tests/t.py": b"x"}
    )
    environment = Environment(wheels=(file,), target="/venv", python=PYTHON)
    made = assemble(Recipe(sources=(environment,), compression="none", slim=True), tmp_path / "layout")
    assert [one.rule for one in made.dropped] == ["tests of packages", "type declarations"]
    blob = tmp_path / "layout" / "blobs" / "sha256" / made.manifest.layers[0].digest.hex
    site = f"venv/lib/python3.{MINOR}/site-packages"
    with tarfile.open(blob) as archive:
        stream = archive.extractfile(f"{site}/demo-1.0.dist-info/RECORD")
        assert stream
        listed = {f"{site}/{line.partition(b',')[0].decode()}" for line in stream.read().splitlines()}
        assert listed <= set(archive.getnames())
