"""What a build is to read does not depend on the umask of whoever starts it (found with `umask 077`)."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from pratique.build import tree
from pratique.build.source import load_directory, stage
from pratique.model.digest import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=[0o077, 0o027, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
def test_staged_inputs_are_readable_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "project" / "package").mkdir(parents=True)
    for name in ("pyproject.toml", "package/code.py"):
        (tmp_path / "project" / name).write_text("x = 1\n")
    (tmp_path / "project" / "link").symlink_to("package/code.py")
    target = tmp_path / "inputs" / "source"
    stage(load_directory(tmp_path / "project"), target, reverse=False)
    assert {path.name: mode(path) for path in [target.parent, target, *target.rglob("*")]} == {
        "inputs": 0o755,
        "source": 0o755,
        "package": 0o755,
        "pyproject.toml": 0o644,
        "code.py": 0o644,
        "link": 0o644,
    }


@pytest.mark.usefixtures("umask")
def test_written_files_are_readable_whatever_the_umask(tmp_path: Path) -> None:
    target = tmp_path / "inputs" / "deep" / "parameters.json"
    tree.write_file(target, b"{}", mode=0o644, digest=sha256_bytes(b"{}"))
    assert [mode(path) for path in (target, target.parent, target.parent.parent)] == [0o644, 0o755, 0o755]
