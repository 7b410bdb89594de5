"""What each layer of an image brought, and what a later one took away; the image is written by hand here."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError
from pratique.flow.image_contents import catalog_image
from pratique.image.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.scan.component import Catalog

Files = dict[str, bytes | str | tuple[str, str] | None]
SHA = "sha256:"


def layer(files: Files) -> bytes:
    """A tar; a tuple is a link of a kind to a target, None a folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif isinstance(content, tuple):
                info.type = tarfile.SYMTYPE if content[0] == "symlink" else tarfile.LNKTYPE
                info.linkname = content[1]
                tar.addfile(info)
            else:
                data = content.encode() if isinstance(content, str) else content
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def image(folder: Path, *layers: bytes, diff_ids: list[str] | None = None) -> Layout:
    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        name = hashlib.sha256(data).hexdigest()
        (folder / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        (folder / "blobs/sha256" / name).write_bytes(data)
        return {"mediaType": media_type, "digest": SHA + name, "size": len(data)}

    kind = "application/vnd.oci.image."
    tars = [blob(gzip.compress(data, mtime=0), f"{kind}layer.v1.tar+gzip") for data in layers]
    shown = diff_ids or [SHA + hashlib.sha256(data).hexdigest() for data in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": shown},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}manifest.v1+json",
        "config": blob(json.dumps(config).encode(), f"{kind}config.v1+json"),
        "layers": tars,
    }
    offered = blob(json.dumps(manifest).encode(), f"{kind}manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [offered]}))
    return Layout(folder)


def found(layout: Layout) -> Catalog:
    return catalog_image(layout, layout.find())


def diff_id(data: bytes) -> str:
    return SHA + hashlib.sha256(data).hexdigest()


def dpkg(*packages: tuple[str, str]) -> str:
    return "\n".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: amd64\n"
        for name, version in packages
    )


METADATA = "Name: {}\nVersion: {}\n"
STATUS = "var/lib/dpkg/status"
OS = {
    "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\n',
    "etc/os-release": ("symlink", "../usr/lib/os-release"),
}


def test_each_component_has_the_layer_that_brought_it(tmp_path: Path) -> None:
    base = layer({**OS, STATUS: dpkg(("libc6", "2.36-9"), ("curl", "7.88.1-10"))})
    upgrade = layer({STATUS: dpkg(("libc6", "2.36-9"), ("curl", "7.88.1-11"), ("jq", "1.6-2"))})
    app = layer({"app/": None, "app/a-1.dist-info/METADATA": METADATA.format("a", "1")})
    catalog = found(image(tmp_path, base, upgrade, app))
    assert {item.purl.partition("?")[0]: item.layer for item in catalog.components} == {
        "pkg:deb/debian/curl@7.88.1-11": diff_id(upgrade),
        "pkg:deb/debian/jq@1.6-2": diff_id(upgrade),
        "pkg:deb/debian/libc6@2.36-9": diff_id(base),
        "pkg:pypi/a@1": diff_id(app),
    }
    (old,) = catalog.removed
    assert (old.purl.partition("?")[0], old.layer, old.removed_by) == (
        "pkg:deb/debian/curl@7.88.1-10",
        diff_id(base),
        diff_id(upgrade),
    )
    assert all("distro=debian-12" in item.purl for item in catalog.components if "/debian/" in item.purl)


@pytest.mark.parametrize("whiteout", ["app/.wh.lib", "app/.wh..wh..opq", "app/lib/.wh.a-1.dist-info"])
def test_what_a_whiteout_takes_away_is_removed_and_not_forgotten(tmp_path: Path, whiteout: str) -> None:
    base = layer(
        {
            "app/lib/a-1.dist-info/METADATA": METADATA.format("a", "1"),
            "srv/b-2.dist-info/METADATA": METADATA.format("b", "2"),
        }
    )
    catalog = found(image(tmp_path, base, layer({whiteout: b""})))
    assert [item.purl for item in catalog.components] == ["pkg:pypi/b@2"]
    assert [item.purl for item in catalog.removed] == ["pkg:pypi/a@1"]


def test_what_comes_back_has_the_layer_that_brought_it_back(tmp_path: Path) -> None:
    here: Files = {"a-1.dist-info/METADATA": METADATA.format("a", "1")}
    first = layer({**here, "b-1.dist-info/METADATA": METADATA.format("b", "1")})
    again = layer({**here, "x": b""})
    catalog = found(image(tmp_path, first, layer({".wh.a-1.dist-info": b""}), again))
    assert [(item.name, item.layer) for item in catalog.components] == [
        ("a", diff_id(again)),
        ("b", diff_id(first)),
    ]
    assert catalog.removed == ()


def test_hard_links_links_and_jars_are_seen(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as jar:
        jar.writestr("META-INF/maven/g/a/pom.properties", "version=1\ngroupId=g\nartifactId=a\n")
    base = layer(
        {
            "opt/x.jar": stream.getvalue(),
            "opt/y.jar": ("link", "opt/x.jar"),
            "var/lib/dpkg/status": ("symlink", "/etc/elsewhere"),
        }
    )
    catalog = found(image(tmp_path, base))
    (component,) = catalog.components
    assert component.purl == "pkg:maven/g/a@1"
    assert [place.partition("!")[0] for place in component.locations] == ["opt/x.jar", "opt/y.jar"]
    assert [(item.path, item.reason) for item in catalog.uninspected] == [
        ("var/lib/dpkg/status", "a link in place of a package record")
    ]


def test_an_image_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    data = layer({"a-1.dist-info/METADATA": METADATA.format("a", "1")})
    with pytest.raises(EvidenceInvalidError, match="uncompresses to"):
        found(image(tmp_path / "a", data, diff_ids=[SHA + "0" * 64]))
    with pytest.raises(MalformedError):
        found(image(tmp_path / "b", layer({"../../etc/passwd": b"x"})))
    with pytest.raises(CouldNotCheckError, match="no component was recognised"):
        found(image(tmp_path / "c", layer({"bin/sh": b"x"})))
