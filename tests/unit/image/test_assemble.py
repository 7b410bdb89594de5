"""Assembling: the digest depends on names, bytes and execute bits alone, and others read the result."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from handmade_image import File, Handmade, folder, link, tar

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError, UsageError
from pratique.image.assemble import Assembled, Base, Recipe, assemble
from pratique.image.descriptor import Platform
from pratique.image.layout import Layout, blob_name
from pratique.image.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    root = tmp_path / "app"
    (root / "lib" / "pkg").mkdir(parents=True)
    (root / "lib" / "pkg" / "a.py").write_text("print('a')\n")
    (root / "lib-x").write_text("sorts between lib and lib/pkg for those who compare whole paths\n")
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o700)
    (root / "link").symlink_to("lib/pkg/a.py")
    return root


def build(app: Path, output: Path, **fields: Any) -> Assembled:
    return assemble(Recipe(sources=(Source(app, "/app"),), **fields), output)


def members(output: Path, made: Assembled, layer: int = -1) -> list[tarfile.TarInfo]:
    blob = (output / "blobs" / "sha256" / made.manifest.layers[layer].digest.hex).read_bytes()
    data = gzip.decompress(blob) if blob[:2] == b"\x1f\x8b" else blob
    assert made.config.diff_ids[layer].hex == hashlib.sha256(data).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def test_a_directory_becomes_a_layer(app: Path, tmp_path: Path) -> None:
    made = build(app, tmp_path / "out", created=1_700_000_000)
    found = members(tmp_path / "out", made)
    assert [(info.name, oct(info.mode), info.type) for info in found] == [
        ("app", "0o755", tarfile.DIRTYPE),
        ("app/lib", "0o755", tarfile.DIRTYPE),
        ("app/lib/pkg", "0o755", tarfile.DIRTYPE),
        ("app/lib/pkg/a.py", "0o644", tarfile.REGTYPE),
        ("app/lib-x", "0o644", tarfile.REGTYPE),
        ("app/link", "0o777", tarfile.SYMTYPE),
        ("app/run", "0o755", tarfile.REGTYPE),
    ]
    assert {(info.uid, info.gid, info.uname, info.gname, info.mtime) for info in found} == {
        (0, 0, "", "", 1_700_000_000)
    }


def test_the_documents_say_what_the_image_spec_wants(app: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = build(
        app,
        out,
        created=1_700_000_000,
        entrypoint=("python", "-m", "pkg"),
        cmd=("serve",),
        env={"PYTHONPATH": "/app/lib"},
        workdir="/app",
        labels={"org.opencontainers.image.version": "1.0", "team": "sea"},
        ports=("8080/tcp",),
        name="v1",
    )
    blob = json.loads((out / "blobs" / "sha256" / made.manifest.config.digest.hex).read_bytes())
    assert blob == {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {
            "User": "65532:65532",
            "Env": ["PYTHONPATH=/app/lib"],
            "Entrypoint": ["python", "-m", "pkg"],
            "Cmd": ["serve"],
            "WorkingDir": "/app",
            "Labels": {"org.opencontainers.image.version": "1.0", "team": "sea"},
            "ExposedPorts": {"8080/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [str(made.config.diff_ids[0])]},
        "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "pratique image build: /app"}],
    }
    manifest = json.loads((out / "blobs" / "sha256" / made.descriptor.digest.hex).read_bytes())
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["layers"][0]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    assert manifest["annotations"] == {
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.version": "1.0",
    }
    index = json.loads((out / "index.json").read_bytes())
    assert index["manifests"][0]["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    assert index["manifests"][0]["platform"] == {"os": "linux", "architecture": "amd64"}


BUILD = """
import sys
from pathlib import Path
from pratique.image.assemble import Recipe, assemble
from pratique.image.source import Source
made = assemble(Recipe(sources=(Source(Path(sys.argv[1]), "/app"),)), Path(sys.argv[2]))
print(made.descriptor.digest)
"""


def test_nothing_of_the_machine_goes_in(app: Path, tmp_path: Path) -> None:
    twin = tmp_path / "another place" / "copy"
    twin.mkdir(parents=True)
    for path in sorted(app.rglob("*"), reverse=True):  # another order, other times and modes
        there = twin / path.relative_to(app)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            there.symlink_to(path.readlink())
        elif path.is_file():
            there.write_bytes(path.read_bytes())
            there.chmod(0o740 if path.name == "run" else 0o600)
            os.utime(there, (1, 1))
    varied = {
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "99",
    }
    digests = set()
    for number, (source, umask, more) in enumerate([(app, 0o022, {}), (twin, 0o077, varied)]):
        result = subprocess.run(
            [sys.executable, "-c", BUILD, str(source), str(tmp_path / f"out{number}")],
            check=True,
            capture_output=True,
            text=True,
            umask=umask,
            cwd=source,
            env={**os.environ, **more},
        )
        digests.add(result.stdout)
    assert len(digests) == 1


def test_an_application_archive_gives_the_layer_its_directory_gives(app: Path, tmp_path: Path) -> None:
    (app / "link").unlink()
    archive = tmp_path / "app-1.0.tar"
    with tarfile.open(archive, "w") as out:
        for path in sorted(app.rglob("*"), reverse=True):
            out.add(path, str(path.relative_to(app)), recursive=False)
    one = build(app, tmp_path / "one")
    two = build(archive, tmp_path / "two")
    assert one.descriptor.digest == two.descriptor.digest


def test_without_compression_the_layer_is_the_tar(app: Path, tmp_path: Path) -> None:
    made = build(app, tmp_path / "out", compression="none")
    assert made.manifest.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar"
    assert made.manifest.layers[0].digest == made.config.diff_ids[0]


def test_sources_are_layers_of_their_own_and_an_unchanged_one_keeps_its_digest(
    app: Path, tmp_path: Path
) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"\x7fELF")
    sources = (Source(app, "/app"), Source(tool, "/usr/bin/tool"))
    before = assemble(Recipe(sources=sources), tmp_path / "out")
    tool.write_bytes(b"\x7fELF 2")
    after = assemble(Recipe(sources=sources), tmp_path / "out")
    assert before.manifest.layers[0] == after.manifest.layers[0]
    assert before.manifest.layers[1] != after.manifest.layers[1]
    assert [info.name for info in members(tmp_path / "out", after)] == ["usr", "usr/bin", "usr/bin/tool"]


BASE = tar(
    folder("etc"), File("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), folder("tmp", 0o1777), folder("usr"),
    folder("usr/lib"), link("lib", "usr/lib"), File("srv", b"a file")
)  # fmt: skip


@pytest.fixture
def base(handmade: Handmade) -> Base:
    handmade.image(
        BASE,
        config={
            "User": "0",
            "Env": ["PATH=/usr/bin", "LANG=C"],
            "Entrypoint": ["/bin/sh"],
            "Cmd": ["-c", "true"],
            "WorkingDir": "/root",
            "Labels": {"org.opencontainers.image.title": "the base", "vendor": "x"},
            "ExposedPorts": {"80/tcp": {}},
        },
        history=[{"created_by": "by hand"}],
    )
    layout = Layout(handmade.root)
    return Base(layout, layout.find())


def test_what_the_base_has_stays_as_it_is(base: Base, app: Path, tmp_path: Path) -> None:
    made = assemble(Recipe(sources=(Source(app, "/tmp/app"),), base=base), tmp_path / "out")  # noqa: S108
    names = [info.name for info in members(tmp_path / "out", made)]
    assert names[0] == "tmp/app"
    assert made.manifest.layers[0].digest == base.layout.manifest(base.descriptor).layers[0].digest
    assert made.manifest.annotations["org.opencontainers.image.base.digest"] == str(base.descriptor.digest)
    assert [step.created_by for step in made.config.history] == [
        "by hand",
        "pratique image build: /tmp/app",
    ]


def test_the_base_is_inherited_but_not_its_user_nor_what_it_says_of_itself(
    base: Base, app: Path, tmp_path: Path
) -> None:
    made = build(app, tmp_path / "a", base=base, env={"LANG": "C.UTF-8", "NEW": "1"}).config
    assert made.user == "65532:65532"
    assert made.env == ("PATH=/usr/bin", "LANG=C.UTF-8", "NEW=1")
    assert (made.entrypoint, made.cmd, made.workdir) == (("/bin/sh",), ("-c", "true"), "/root")
    assert (made.labels, made.ports) == ({"vendor": "x"}, ("80/tcp",))
    other = build(app, tmp_path / "b", base=base, entrypoint=("/app/run",), ports=("8080/tcp",)).config
    assert (other.entrypoint, other.cmd) == (("/app/run",), ())
    assert other.ports == ("80/tcp", "8080/tcp")


@pytest.mark.parametrize("target", ["/lib", "/srv", "/lib/python"])
def test_a_target_through_a_link_or_a_file_of_the_base_is_refused(
    base: Base, app: Path, tmp_path: Path, target: str
) -> None:
    with pytest.raises(UsageError, match="of the layers below"):
        assemble(Recipe(sources=(Source(app, target),), base=base), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "index.json").read_bytes())["manifests"] == []


def test_a_base_for_another_platform_is_refused(base: Base, app: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="linux/amd64, not for linux/arm64"):
        build(app, tmp_path / "out", base=base, platform=Platform("linux", "arm64"))


def test_a_base_whose_diff_id_lies_is_refused(handmade: Handmade, app: Path, tmp_path: Path) -> None:
    handmade.image(BASE, rootfs={"type": "layers", "diff_ids": ["sha256:" + "0" * 64]})
    layout = Layout(handmade.root)
    with pytest.raises(EvidenceInvalidError, match="not to the diff_id"):
        build(app, tmp_path / "out", base=Base(layout, layout.find()))


def test_layers_compressed_with_zstd_are_the_same_inside_and_bases_too(app: Path, tmp_path: Path) -> None:
    packed = build(app, tmp_path / "packed", compression="zstd")
    assert packed.config == build(app, tmp_path / "plain").config
    assert packed.manifest.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar+zstd"
    layout = Layout(tmp_path / "packed")
    below = Base(layout, packed.descriptor)
    made = assemble(Recipe(sources=(Source(app, "/more"),), base=below), tmp_path / "out")
    assert made.config.diff_ids[0] == packed.config.diff_ids[0]
    zstd = shutil.which("zstd")
    if zstd:  # another's implementation reads it
        blob = (layout.root / blob_name(packed.manifest.layers[0].digest)).read_bytes()
        data = subprocess.run([zstd, "-dc"], input=blob, check=True, capture_output=True).stdout
        assert hashlib.sha256(data).hexdigest() == packed.config.diff_ids[0].hex


def test_a_base_with_an_encrypted_layer_is_said_to_be_unreadable(
    handmade: Handmade, app: Path, tmp_path: Path
) -> None:
    layer = handmade.blob(b"x", "application/vnd.oci.image.layer.v1.tar+encrypted")
    handmade.image(manifest={"layers": [layer]}, rootfs={"diff_ids": ["sha256:" + "0" * 64]})
    layout = Layout(handmade.root)
    with pytest.raises(CouldNotCheckError, match="encrypted"):
        build(app, tmp_path / "out", base=Base(layout, layout.find()))


def hostile_sources(root: Path) -> Iterator[tuple[str, Path]]:
    root.mkdir()
    for name in ("absolute", "outside", "pipe", "whiteout", "control", "empty"):
        (root / name).mkdir()
    (root / "absolute" / "l").symlink_to("/etc/passwd")
    (root / "outside" / "l").symlink_to("a/../../x")
    os.mkfifo(root / "pipe" / "p")
    (root / "whiteout" / ".wh.etc").write_bytes(b"")
    (root / "control" / "a\nb").write_bytes(b"")
    yield from ((path.name, path) for path in sorted(root.iterdir()))
    yield "missing", root / "missing"
    archives = {
        "dotdot": tar(File("../x")),
        "rooted": tar(File("/x")),
        "twice": tar(File("x"), File("./x")),
        "device": tar(File("x", kind=tarfile.CHRTYPE)),
        "hard": tar(File("a"), File("x", kind=tarfile.LNKTYPE, target="a")),
        "leaving": tar(link("x", "../../etc")),
        "garbage": b"not a tar" * 100,
        "cut": tar(File("x", b"abc"))[:600],
        "below": tar(File("x"), File("x/y")),
    }
    for name, data in archives.items():
        (root / f"{name}.tar").write_bytes(data)
        yield name, root / f"{name}.tar"


def test_sources_with_no_place_in_an_image_are_refused(tmp_path: Path) -> None:
    for name, path in hostile_sources(tmp_path / "sources"):
        with pytest.raises((UsageError, MalformedError)):
            build(path, tmp_path / "out")
        assert not list((tmp_path / "out").glob("blobs/sha256/*")), name
    with pytest.raises(UsageError, match="at least one source"):
        assemble(Recipe(sources=()), tmp_path / "out")
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(UsageError, match="a path in the image"):
        assemble(Recipe(sources=(Source(tmp_path / "f", "/"),)), tmp_path / "out")
