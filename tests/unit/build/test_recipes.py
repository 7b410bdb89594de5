"""The parts of the recipes that meet hostile bytes, loaded as the scripts they are."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path  # noqa: TC003
from types import ModuleType  # noqa: TC003

import pytest

from pratique.build.plan import RECIPE_FOLDER


@pytest.fixture(scope="module")
def common() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recipe_common", RECIPE_FOLDER / "common.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for info, data in members:
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return path


def test_files_links_and_modes_are_unpacked(common: ModuleType, tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar.gz",
        (member("d/run", mode=0o6777, mtime=7), b"#!"),
        (member("d/link", type=tarfile.SYMTYPE, linkname="run"), b""),
        (member("d/hard", type=tarfile.LNKTYPE, linkname="d/run"), b""),
    )
    target = tmp_path / "out"
    target.mkdir()
    common._extract(path, target)
    assert (target / "d/hard").read_bytes() == (target / "d/link").read_bytes() == b"#!"
    status = (target / "d/run").stat()
    assert (status.st_mode & 0o7777, status.st_mtime) == (0o755, 7)


HOSTILE = {
    "absolute": member("/outside"),
    "upwards": member("d/../../outside"),
    "link-upwards": member("d/link", type=tarfile.SYMTYPE, linkname="../../outside"),
    "link-absolute": member("d/link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "device": member("d/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "fifo": member("d/fifo", type=tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("attack", sorted(HOSTILE))
def test_hostile_members_end_the_build(common: ModuleType, tmp_path: Path, attack: str) -> None:
    path = archive(tmp_path / "a.tar.gz", (HOSTILE[attack], b""))
    target = tmp_path / "deep" / "out"
    target.mkdir(parents=True)
    with pytest.raises(SystemExit, match="recipe: "):
        common._extract(path, target)
    assert not (tmp_path / "outside").exists()
    assert not [item for item in tmp_path.rglob("*") if item.is_symlink()]


def test_nothing_is_written_through_a_link(common: ModuleType, tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.tar.gz",
        (member("d/x", type=tarfile.SYMTYPE, linkname="y"), b""),
        (member("d/x/file"), b"data"),
    )
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(FileExistsError):
        common._extract(path, target)
    assert not (target / "d/y").exists()


def test_a_bomb_is_refused(common: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.tar.gz", (member("d/zeros"), bytes(100_000)))
    monkeypatch.setattr(common, "_MAX_SOURCE_BYTES", 50_000)
    with pytest.raises(SystemExit, match="too much"):
        common._extract(path, tmp_path)
