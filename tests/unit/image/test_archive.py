"""OCI archives: read where they are, written whole, and nothing else taken for one."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from small_image import refer_to, small_image

from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError
from pratique.image.archivewrite import open_archive_writer
from pratique.image.copy import plan_copy, run_copy
from pratique.image.layout import Layout
from pratique.image.layoutwrite import open_writer

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.image.assemble import Assembled


@pytest.fixture
def made(tmp_path: Path) -> tuple[Layout, Assembled]:
    return small_image(tmp_path)


def pack(made: tuple[Layout, Assembled], path: Path, name: str = "v1") -> None:
    layout, image = made
    plan = plan_copy(layout, image.descriptor, referrers=True)
    with open_archive_writer(path) as writer:
        run_copy(plan, layout, writer, name, lambda _done, _total: None)


def test_an_archive_is_a_layout_in_one_file(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    note = refer_to(*(made[0], made[1].descriptor, "note"))
    path = tmp_path / "a.tar"
    pack(made, path)
    with tarfile.open(path) as archive:
        names = archive.getnames()
        assert names[:2] == ["oci-layout", "index.json"]
        for name in names[2:]:
            stream = archive.extractfile(name)
            assert stream
            assert hashlib.sha256(stream.read()).hexdigest() == name.rpartition("/")[2]
    layout = Layout(path)
    assert layout.resolve("v1", None).digest == made[1].descriptor.digest
    assert [one.digest for one in layout.referrers(made[1].descriptor.digest)] == [note.digest]
    layer = made[1].manifest.layers[0]
    with layout.open(layer) as stream, made[0].open(layer) as original:
        assert stream.read() == original.read()
    with open_writer(tmp_path / "back") as writer:
        plan = plan_copy(layout, made[1].descriptor, referrers=True)
        assert run_copy(plan, layout, writer, "", lambda _done, _total: None).sent == 4
    assert layout.files.open("index.json")[1] > 0


def test_the_same_content_is_the_same_archive(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    pack(made, tmp_path / "a.tar")
    pack(made, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "app", "b.tar", "layout"]


def test_an_archive_keeps_what_it_has(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    pack(made, tmp_path / "a.tar", "v1")
    pack(made, tmp_path / "a.tar", "v2")
    names = [
        item.annotations["org.opencontainers.image.ref.name"] for item in Layout(tmp_path / "a.tar").index()
    ]
    assert names == ["v1", "v2"]


def test_a_failed_write_leaves_the_archive_as_it_was(made: tuple[Layout, Assembled], tmp_path: Path) -> None:
    pack(made, tmp_path / "a.tar")
    before = (tmp_path / "a.tar").read_bytes()

    def broken() -> None:
        with open_archive_writer(tmp_path / "a.tar") as writer:
            writer.add(b"more", "text/plain")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert (tmp_path / "a.tar").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "app", "layout"]


def crafted(path: Path, *members: tuple[str, bytes | None]) -> Path:
    """Write an archive; a member without content is a link to /etc/passwd."""
    with tarfile.open(path, "w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


MARKER = ("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')


def test_crafted_archives(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file oci-layout"):
        Layout(crafted(tmp_path / "1.tar", ("manifest.json", b"[]")))
    with pytest.raises(MalformedError, match="there twice"):
        Layout(crafted(tmp_path / "2.tar", MARKER, MARKER))
    with pytest.raises(MalformedError, match="without index"):
        Layout(crafted(tmp_path / "3.tar", MARKER, ("index.json", None))).index()
    wrong = hashlib.sha256(b"other").hexdigest()
    blob = {"mediaType": "text/plain", "digest": f"sha256:{wrong}", "size": 3}
    index = json.dumps({"schemaVersion": 2, "manifests": [blob]}).encode()
    layout = Layout(
        crafted(tmp_path / "4.tar", MARKER, ("index.json", index), (f"blobs/sha256/{wrong}", b"bad"))
    )
    with pytest.raises(EvidenceInvalidError, match="damaged"):
        layout.open(layout.index()[0])
    (tmp_path / "5.tar").write_bytes(b"\1" * 512)
    with pytest.raises(MalformedError):
        Layout(tmp_path / "5.tar")
