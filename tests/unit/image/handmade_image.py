"""Images made by hand, so that what the product reads was not written by the product."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

OCI = "application/vnd.oci.image"


class File(NamedTuple):
    """A member of a layer made by hand."""

    name: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    target: str = ""
    pax: tuple[tuple[str, str], ...] = ()


def folder(name: str, mode: int = 0o755) -> File:
    return File(name, kind=tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> File:
    return File(name, kind=tarfile.SYMTYPE, mode=0o777, target=target)


def tar(*files: File) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in files:
            info = tarfile.TarInfo(file.name)
            info.size, info.type, info.mode = len(file.content), file.kind, file.mode
            info.uid, info.gid, info.linkname = file.uid, file.gid, file.target
            info.pax_headers = dict(file.pax)
            archive.addfile(info, io.BytesIO(file.content))
    return out.getvalue()


class Handmade:
    """An OCI layout written with nothing but the standard library."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.index: list[dict[str, Any]] = []
        self.write_index()

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.root / "blobs" / "sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def document(self, body: object, media_type: str) -> dict[str, Any]:
        return self.blob(json.dumps(body).encode(), media_type)

    def write_index(self) -> None:
        body = {"schemaVersion": 2, "manifests": self.index}
        (self.root / "index.json").write_text(json.dumps(body))

    def image(
        self,
        *layers: bytes,
        config: dict[str, Any] | None = None,
        manifest: dict[str, Any] | None = None,
        **document: Any,
    ) -> dict[str, Any]:
        """Add an image with these uncompressed layers; give its manifest's descriptor."""
        body = {
            "os": "linux",
            "architecture": "amd64",
            "config": config or {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers],
            },
            **document,
        }
        packed = [self.blob(gzip.compress(layer, mtime=0), f"{OCI}.layer.v1.tar+gzip") for layer in layers]
        described = {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": self.document(body, f"{OCI}.config.v1+json"),
            "layers": packed,
            **(manifest or {}),
        }
        descriptor = self.document(described, f"{OCI}.manifest.v1+json")
        self.index.append(descriptor)
        self.write_index()
        return descriptor
