"""Images that others read and write: skopeo, by a layout on the disk."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pratique.image.assemble import Base, Recipe, assemble
from pratique.image.check.run import check_image
from pratique.image.layout import Layout
from pratique.image.source import Source
from pratique.model.finding import Result

if TYPE_CHECKING:
    from pathlib import Path

SKOPEO = shutil.which("skopeo")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed: apt-get install skopeo"),
]


def skopeo(*arguments: str) -> str:
    assert SKOPEO
    done = subprocess.run([SKOPEO, *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


@pytest.fixture
def source(tmp_path: Path) -> Source:
    folder = tmp_path / "app"
    (folder / ("deep/" * 30)).mkdir(parents=True)
    (folder / ("deep/" * 30) / "grüße.txt").write_text("long and foreign")
    (folder / "run").write_text("#!/bin/sh\n")
    return Source(folder, "/app")


def test_skopeo_reads_what_we_write_and_we_read_what_it_writes(source: Source, tmp_path: Path) -> None:
    recipe = Recipe(sources=(source,), labels={"team": "sea"}, env={"A": "b"}, name="v1")
    made = assemble(recipe, tmp_path / "ours")
    seen = json.loads(skopeo("inspect", f"oci:{tmp_path}/ours:v1"))
    assert seen["Digest"] == str(made.descriptor.digest)
    assert (seen["Labels"], seen["Env"], seen["Os"]) == ({"team": "sea"}, ["A=b"], "linux")
    skopeo("copy", f"oci:{tmp_path}/ours:v1", f"oci:{tmp_path}/theirs:v1")
    layout = Layout(tmp_path / "theirs")
    assert layout.find().digest == made.descriptor.digest
    again = assemble(
        Recipe(sources=(Source(source.path, "/more"),), base=Base(layout, layout.find())), tmp_path / "again"
    )
    assert again.config.diff_ids[0] == made.config.diff_ids[0]
    found = check_image(layout, layout.find(), datetime(2026, 11, 23, tzinfo=UTC))
    assert not [one for one in found if one.id.startswith("IMG-LAY") and one.result is not Result.PASS]


def test_an_image_of_dockers_own_kind_is_a_base(source: Source, tmp_path: Path) -> None:
    assemble(Recipe(sources=(source,)), tmp_path / "ours")
    skopeo("copy", "--format", "v2s2", f"oci:{tmp_path}/ours", f"dir:{tmp_path}/docker")
    manifest = (tmp_path / "docker" / "manifest.json").read_bytes()
    assert b"vnd.docker.distribution.manifest.v2" in manifest
    skopeo("copy", "--preserve-digests", f"dir:{tmp_path}/docker", f"oci:{tmp_path}/layout")
    layout = Layout(tmp_path / "layout")
    base = Base(layout, layout.find())
    more = Source(source.path, "/more")
    made = assemble(Recipe(sources=(more,), base=base, name="x"), tmp_path / "out")
    assert {layer.media_type for layer in made.manifest.layers} == {
        "application/vnd.oci.image.layer.v1.tar+gzip"
    }
    assert json.loads(skopeo("inspect", f"oci:{tmp_path}/out:x"))["Digest"] == str(made.descriptor.digest)
