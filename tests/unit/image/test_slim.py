"""What slim images leave out, and what they never do."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from pratique.image.assemble import Recipe, assemble
from pratique.image.slim import Slimmer
from pratique.image.source import Source

if TYPE_CHECKING:
    from pathlib import Path

SITE = "app/venv/lib/python3.11/site-packages"


@pytest.mark.parametrize("path", [
    "app/__pycache__/x.cpython-311.pyc", "app/x.pyc", "app/.git/config", f"{SITE}/demo/tests/test_x.py",
    f"{SITE}/tests/x.py", f"{SITE}/demo/include/x.h", "app/lib/libx.a", f"{SITE}/demo/x.pyi",
    "app/web/app.js.map",
    "app/node_modules/x/index.d.ts", "app/node_modules/x/README.md", "usr/share/man/man1/x.1",
    "app/node_modules/a/node_modules/b/__tests__/x.js",
])  # fmt: skip
def test_what_is_kept_out(path: str) -> None:
    assert Slimmer().drops(path, 1)


@pytest.mark.parametrize("path", [
    "app/run", "app/tests/data.json", f"{SITE}/demo/__init__.py", f"{SITE}/demo/testing/x.py",
    "app/README.md",
    "app/.github/x",
    f"{SITE}/demo-1.0.dist-info/RECORD", "usr/share/doc/x/copyright", "app/node_modules/x/LICENSE.md",
    f"{SITE}/demo/core/deep/tests.py", "app/x.so", "app/gitignore", "app/node_modules/x/NOTICE.md",
    "app/map",
])  # fmt: skip
def test_what_stays(path: str) -> None:
    assert not Slimmer().drops(path, 1)


def test_it_says_what_it_kept_out(tmp_path: Path) -> None:
    for name, size in (("run.py", 10), ("__pycache__/run.pyc", 300), ("lib/x.pyi", 20), ("lib/y.pyi", 30)):
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    recipe = Recipe(sources=(Source(tmp_path / "app", "/app"),), compression="none", slim=True)
    made = assemble(recipe, tmp_path / "layout")
    assert [(one.rule, one.files, one.size) for one in made.dropped] == [
        ("byte code", 1, 300),
        ("type declarations", 2, 50),
    ]
    blob = (tmp_path / "layout" / "blobs" / "sha256" / made.manifest.layers[0].digest.hex).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
        assert "app/run.py" in archive.getnames()
        assert not [name for name in archive.getnames() if name.endswith((".pyc", ".pyi"))]
