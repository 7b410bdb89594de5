"""An OCI layout as one tar file (`oci-archive:`), written as a whole: it is what it was, or what it is to be.

The layout is made in a folder beside the file, then packed, always the same way: the marker, the index, the
blobs by their digests.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import InfrastructureError
from pratique.image.layout import MARKER, Layout
from pratique.image.layoutfiles import Archive
from pratique.image.layoutwrite import LayoutWriter, open_writer
from pratique.image.member import Kind, Member
from pratique.image.tarwrite import TarWriter
from pratique.store.atomic import locked, sync_paths, temporary_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_MODE: Final = 0o600
_CHUNK: Final = 1 << 20


@contextmanager
def open_archive_writer(path: Path) -> Iterator[LayoutWriter]:
    """Open an archive for writing; one that is there keeps what it has.

    Raises:
        ConfigError: the file is something else.
        InfrastructureError: the disk refused, or another process writes to it.
    """
    try:
        with (
            locked(path.with_name(f".{path.name}.lock")),
            tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as name,
        ):
            folder = Path(name) / "layout"
            with open_writer(folder) as writer:
                if path.is_file():
                    _unpack(Layout(path), writer)
                yield writer
            _pack(folder, path)
    except OSError as error:
        raise InfrastructureError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        path.with_name(f".{path.name}.lock").unlink(missing_ok=True)


def _unpack(layout: Layout, writer: LayoutWriter) -> None:
    assert isinstance(layout.files, Archive)  # noqa: S101 - a file was opened
    for name in layout.files.names():
        if name.startswith("blobs/sha256/"):
            with layout.files.open(name)[0] as stream, writer.blob() as blob:
                shutil.copyfileobj(stream, blob, _CHUNK)  # under the digest that its bytes have
    writer.publish(*layout.index())


def _pack(folder: Path, path: Path) -> None:
    blobs = sorted(f"blobs/sha256/{one.name}" for one in (folder / "blobs/sha256").iterdir())
    temporary = temporary_name(path.parent)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(temporary, flags, _MODE), "wb") as stream:
            archive = TarWriter(stream.write)
            for name in (MARKER, "index.json", *blobs):
                size = (folder / name).stat().st_size
                with (folder / name).open("rb") as source:
                    member = Member(path=name, kind=Kind.FILE, size=size)
                    archive.add(member, iter(partial(source.read, _CHUNK), b""))
            archive.close()
        sync_paths([temporary])
        temporary.replace(path)
        sync_paths([path.parent])
    finally:
        temporary.unlink(missing_ok=True)
