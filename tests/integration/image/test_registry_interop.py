"""skopeo, crane, oras and ours at one registry: each reads what others wrote; what is deleted stays so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from registry import debian_registry
from small_image import BUNDLE, refer_to, small_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CRANE, ORAS, SKOPEO = (
    os.environ.get("PRATIQUE_CRANE"),
    os.environ.get("PRATIQUE_ORAS"),
    shutil.which("skopeo"),
)
pytestmark = [
    pytest.mark.interop,
    pytest.mark.enable_socket,
    pytest.mark.skipif(
        not (CRANE and ORAS and SKOPEO), reason="PRATIQUE_CRANE, PRATIQUE_ORAS and skopeo: set up by .ci/run"
    ),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with debian_registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


def run(*command: str | None) -> str:
    done = subprocess.run(
        [str(word) for word in command], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def pratique(*arguments: str) -> dict[str, object]:
    body: dict[str, object] = json.loads(run(sys.executable, "-m", "pratique", "image", *arguments, "--json"))
    return body


def test_others_read_what_we_push(host: str, tmp_path: Path) -> None:
    layout, image = small_image(tmp_path, "v1")
    note = refer_to(layout, image.descriptor, "{}", BUNDLE)
    there = f"{host}/ours/app"
    assert pratique("push", f"oci:{layout.root}:v1", f"{there}:v1")["digest"] == str(image.descriptor.digest)
    assert run(CRANE, "digest", "--insecure", f"{there}:v1").strip() == str(image.descriptor.digest)
    seen = json.loads(run(SKOPEO, "inspect", "--tls-verify=false", f"docker://{there}:v1"))
    assert seen["Digest"] == str(image.descriptor.digest)
    found = json.loads(run(ORAS, "discover", "--plain-http", "--format", "json", f"{there}:v1"))
    assert [one["digest"] for one in found["referrers"]] == [str(note.digest)]
    pratique("pull", f"{there}:v1", f"oci-archive:{tmp_path}/a.tar:v1")
    seen = json.loads(run(SKOPEO, "inspect", f"oci-archive:{tmp_path}/a.tar:v1"))
    assert seen["Digest"] == str(image.descriptor.digest)


def test_we_read_what_others_push(host: str, tmp_path: Path) -> None:
    layout, image = small_image(tmp_path, "v1")
    there = f"{host}/theirs/app"
    run(SKOPEO, "copy", "--dest-tls-verify=false", f"oci:{layout.root}:v1", f"docker://{there}:v1")
    digest = run(CRANE, "digest", "--insecure", f"{there}:v1").strip()
    (tmp_path / "note.txt").write_text("note")
    attached = run(
        ORAS, "attach", "--plain-http", "--artifact-type", "application/x-note", "--disable-path-validation",
        "--format", "json", f"{there}:v1", f"{tmp_path}/note.txt",
    )  # fmt: skip
    listed = pratique("list", f"{there}:v1", "--referrers")
    assert listed["digest"] == digest
    assert [one["digest"] for one in listed["referrers"]] == [json.loads(attached)["digest"]]  # type: ignore[attr-defined]
    assert pratique("pull", f"{there}:v1", f"{tmp_path}/back:v1")["referrers"] == 1
    seen = json.loads(run(ORAS, "discover", "--oci-layout", "--format", "json", f"{tmp_path}/back:v1"))
    assert [one["digest"] for one in seen["referrers"]] == [json.loads(attached)["digest"]]
    assert str(image.descriptor.digest)


def test_an_index_goes_with_all_its_images(host: str, tmp_path: Path) -> None:
    images = []
    for architecture in ("amd64", "arm64"):
        (tmp_path / architecture).mkdir()
        (tmp_path / architecture / "run").write_text(architecture)
        folder = str(tmp_path / f"layout-{architecture}")
        pratique(
            "build", str(tmp_path / architecture), "--output", folder, "--platform", f"linux/{architecture}"
        )
        pratique("push", folder, f"{host}/multi/app:{architecture}")
        images.append(f"{host}/multi/app:{architecture}")
    run(
        CRANE,
        "index",
        "append",
        "--insecure",
        *(f"--manifest={one}" for one in images),
        "-t",
        f"{host}/multi/app:v1",
    )
    pulled = pratique("pull", f"{host}/multi/app:v1", f"{tmp_path}/all:v1")
    assert pulled["digest"] == run(CRANE, "digest", "--insecure", f"{host}/multi/app:v1").strip()
    pratique("copy", f"{tmp_path}/all:v1", f"{host}/multi/copy:v1")
    run(CRANE, "validate", "--insecure", "--remote", f"{host}/multi/copy:v1")
    one = pratique("copy", f"{tmp_path}/all:v1", f"{host}/multi/one:v1", "--platform", "linux/arm64")
    assert one["digest"] == run(CRANE, "digest", "--insecure", images[1]).strip()


def test_what_is_deleted_is_gone(host: str, tmp_path: Path) -> None:
    layout, image = small_image(tmp_path, "v1")
    refer_to(layout, image.descriptor, "{}", BUNDLE)
    there = f"{host}/gone/app"
    pratique("push", f"oci:{layout.root}:v1", f"{there}:v1")
    would = pratique("delete", f"{there}@{image.descriptor.digest}", "--referrers", "--dry-run")
    assert (would["deleted"], len(would["referrers"])) == (False, 1)  # type: ignore[arg-type]
    assert [one["name"] for one in pratique("list", there)["names"]] == ["v1"]  # type: ignore[attr-defined]
    pratique("delete", f"{there}@{image.descriptor.digest}", "--referrers")
    assert pratique("list", there)["names"] == []


def test_a_base_out_of_a_registry_and_images_under_an_index(host: str, tmp_path: Path) -> None:
    layout, image = small_image(tmp_path, "v1")
    base = f"{host}/bases/small"
    pratique("push", f"oci:{layout.root}:v1", f"{base}:v1")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "file").write_text("more")
    source = f"{tmp_path}/more:/more"
    far = pratique(
        "build", source, "--base", f"{base}@{image.descriptor.digest}", "--output", f"{tmp_path}/far"
    )
    near = pratique(
        "build", source, "--base", f"{layout.root}@{image.descriptor.digest}", "--output", f"{tmp_path}/near"
    )
    assert far["digest"] == near["digest"]
    arm = pratique("build", source, "--platform", "linux/arm64", "--output", f"{tmp_path}/arm")
    index = pratique("index", f"{tmp_path}/far", f"{tmp_path}/arm", "--output", f"{host}/multi/made:v1")
    assert index["digest"] == run(CRANE, "digest", "--insecure", f"{host}/multi/made:v1").strip()
    for platform, one in (("linux/amd64", far), ("linux/arm64", arm)):
        found = run(CRANE, "digest", "--insecure", "--platform", platform, f"{host}/multi/made:v1").strip()
        assert found == one["digest"]
