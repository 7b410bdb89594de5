"""Layouts from outside: what lies about its bytes is refused before the bytes are used."""

from __future__ import annotations

import io
import json
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from handmade_image import OCI, File, Handmade, tar

from pratique.errors import (
    ConfigError,
    EvidenceInvalidError,
    InfrastructureError,
    MalformedError,
    UsageError,
)
from pratique.image.descriptor import Descriptor, Platform, parse_descriptor
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer
from pratique.model.digest import parse_digest, sha256_bytes

if TYPE_CHECKING:
    from pathlib import Path


def blob_path(handmade: Handmade, descriptor: dict[str, object]) -> Path:
    return handmade.root / "blobs" / "sha256" / str(descriptor["digest"]).removeprefix("sha256:")


def test_an_image_made_by_others_is_read(handmade: Handmade) -> None:
    made = handmade.image(tar(File("a")), config={"User": "7", "Cmd": None, "ExposedPorts": {"80/tcp": {}}})
    layout = Layout(handmade.root)
    found = layout.find()
    config = layout.config(layout.manifest(found))
    assert str(found.digest) == made["digest"]
    assert (config.user, config.cmd, config.ports) == ("7", (), ("80/tcp",))


@pytest.mark.parametrize("change", ["flip", "shorter", "longer", "gone", "link", "pipe", "folder"])
def test_a_blob_that_is_not_what_it_is_called_is_refused(handmade: Handmade, change: str) -> None:
    made = handmade.image()
    path = blob_path(handmade, made)
    data = path.read_bytes()
    path.unlink()
    match change:
        case "flip":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        case "shorter":
            path.write_bytes(data[:-1])
        case "longer":
            path.write_bytes(data + b" ")
        case "link":
            (handmade.root / "elsewhere").write_bytes(data)
            path.symlink_to(handmade.root / "elsewhere")
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            pass
    layout = Layout(handmade.root)
    with pytest.raises((EvidenceInvalidError, InfrastructureError)):
        layout.manifest(layout.find())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"size": "12"}, "size"),
        ({"size": 1 << 50}, "size"),
        ({"digest": "sha256:" + "A" * 64}, "not a digest"),
        ({"digest": "sha512:" + "a" * 128}, "not a digest"),
        ({"digest": "sha256:../../../etc/passwd"}, "not a digest"),
        ({"mediaType": ""}, "media type"),
        ({"mediaType": 3}, "not a string"),
        ({"annotations": {"a": 1}}, "strings"),
        ({"urls": "http://x"}, "list"),
    ],
)
def test_descriptors_of_a_wrong_shape_are_refused(change: dict[str, object], says: str) -> None:
    good: dict[str, object] = {"mediaType": "x", "digest": "sha256:" + "a" * 64, "size": 1}
    parse_descriptor(good, "t")
    with pytest.raises(MalformedError, match=says):
        parse_descriptor({**good, **change}, "t")


def test_a_document_that_is_two_kinds_at_once_is_refused(handmade: Handmade) -> None:
    handmade.image(manifest={"manifests": []})
    layout = Layout(handmade.root)
    with pytest.raises(MalformedError, match="CVE-2021-41190"):
        layout.manifest(layout.find())


def test_a_manifest_that_says_it_is_something_else_is_refused(handmade: Handmade) -> None:
    handmade.image(manifest={"mediaType": f"{OCI}.index.v1+json"})
    layout = Layout(handmade.root)
    with pytest.raises(MalformedError, match="says it is"):
        layout.manifest(layout.find())


def test_a_configuration_for_other_layers_is_refused(handmade: Handmade) -> None:
    handmade.image(tar(File("a")), rootfs={"type": "layers", "diff_ids": []})
    layout = Layout(handmade.root)
    with pytest.raises(MalformedError, match="0 diff_ids for the manifest's 1 layers"):
        layout.config(layout.manifest(layout.find()))


def test_an_image_within_indexes_is_found_by_digest_and_by_platform(handmade: Handmade) -> None:
    one = handmade.image(config={"User": "1"}) | {"platform": {"os": "linux", "architecture": "amd64"}}
    two = handmade.image(config={"User": "2"}) | {"platform": {"os": "linux", "architecture": "arm64"}}
    inner = handmade.document({"schemaVersion": 2, "manifests": [one, two]}, f"{OCI}.index.v1+json")
    handmade.index = [inner]
    handmade.write_index()
    layout = Layout(handmade.root)
    with pytest.raises(UsageError, match="has 2 images"):
        layout.find()
    arm = layout.find(platform=Platform("linux", "arm64"))
    assert str(arm.digest) == two["digest"]
    assert str(layout.find(parse_digest(one["digest"])).digest) == one["digest"]
    inside = layout.find(parse_digest(inner["digest"]), Platform("linux", "amd64"))
    assert str(inside.digest) == one["digest"]
    with pytest.raises(UsageError, match="no sha256:0000"):
        layout.find(parse_digest("sha256:" + "0" * 64))


def test_indexes_within_indexes_come_to_an_end(handmade: Handmade) -> None:
    handmade.image()
    for _ in range(8):
        inner = handmade.document({"schemaVersion": 2, "manifests": handmade.index}, f"{OCI}.index.v1+json")
        handmade.index = [inner]
    handmade.write_index()
    with pytest.raises(MalformedError, match="deep"):
        Layout(handmade.root).find()


def test_a_folder_that_is_no_layout_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not an OCI layout"):
        Layout(tmp_path)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(ConfigError, match="another version"):
        Layout(tmp_path)


def test_a_layout_is_not_made_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ConfigError, match="something other"), open_writer(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_copied_blob_that_is_not_as_announced_leaves_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path / "l") as writer:
        for data in (b"abd", b"ab", b"abcd", b""):
            wrong = Descriptor(media_type="x", digest=sha256_bytes(b"abc"), size=3)
            with pytest.raises(EvidenceInvalidError, match="announced"):
                writer.copy(io.BytesIO(data), wrong)
        writer.copy(io.BytesIO(b"abc"), wrong)
        writer.copy(io.BytesIO(b"not read, as it is here already"), wrong)
    files = [path.name for path in (tmp_path / "l").rglob("*") if path.is_file()]
    assert sorted(files) == sorted([".lock", "index.json", "oci-layout", sha256_bytes(b"abc").hex])


def test_what_a_killed_writer_left_is_removed_and_the_index_has_each_name_once(tmp_path: Path) -> None:
    root = tmp_path / "l"
    with open_writer(root) as writer:
        first = writer.add(b"{}", "a")
        second = writer.add(b"[]", "a")
        name = {"org.opencontainers.image.ref.name": "v1"}
        for one in (first, second):
            writer.publish(Descriptor(media_type="a", digest=one.digest, size=2, annotations=name))
        writer.publish(second)
        writer.publish(second)
    (root / ".tmp-1-dead").write_bytes(b"half")
    with open_writer(root):
        pass
    assert not (root / ".tmp-1-dead").exists()
    index = json.loads((root / "index.json").read_bytes())
    assert [item["digest"] for item in index["manifests"]] == [str(second.digest)] * 2
    assert stat.S_IMODE((root / "index.json").stat().st_mode) == 0o600


def test_an_exception_while_writing_a_blob_leaves_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path / "l") as writer:
        with suppress(KeyError), writer.blob() as blob:
            blob.write(b"half")
            raise KeyError
        assert not list((tmp_path / "l").rglob(".tmp-*"))
