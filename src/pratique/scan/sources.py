"""Read OSV records from where a user has them: a directory, a zip such as osv.dev's `all.zip`, or a tar."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.scan.members import BROKEN, open_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

MAX_RECORDS = 2_000_000
MAX_RECORD_BYTES = 8 * 1024 * 1024
MAX_SOURCE_BYTES = 16 * 1024 * 1024 * 1024


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One collection of OSV records.

    Attributes:
        path: directory of `*.json` (searched in full), `.zip`, or `.tar` with or without compression.
        name: what it is called in every report that its data appears in.
        date: when it was taken from its publisher; staleness is judged by the oldest of all sources.
        licence: SPDX id of the data's licence.
        attribution: what that licence asks to be said.
    """

    path: Path
    name: str
    date: datetime
    licence: str
    attribution: str = ""


def read_records(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each record's member name and parsed JSON, one at a time; other files are passed over.

    Raises:
        ConfigError: the path is missing or of a kind we do not read.
        MalformedError: a broken archive, or a record that is no strict JSON object.
    """
    total = 0
    try:
        for count, (name, data) in enumerate(_files(source.path), 1):
            total += len(data)
            if count > MAX_RECORDS or total > MAX_SOURCE_BYTES:
                raise MalformedError(f"{source.path}: more records than a real collection holds")
            what = f"{source.path}: {name}"
            yield name, parse_json_object(data, what=what, max_bytes=MAX_RECORD_BYTES)
    except BROKEN as error:
        raise MalformedError(f"{source.path}: broken archive: {error}") from error
    except OSError as error:
        raise ConfigError(f"{source.path}: cannot be read: {error.strerror or error}") from error


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            if file.is_file():
                with file.open("rb") as stream:
                    yield file.relative_to(path).as_posix(), stream.read(MAX_RECORD_BYTES + 1)
    elif path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".json"):
                    with archive.open(info) as member:
                        yield info.filename, member.read(MAX_RECORD_BYTES + 1)
    elif ".tar" in path.name or path.name.endswith(".tgz"):
        with open_tar(path) as tar:
            for entry in tar:
                if entry.isreg() and entry.name.endswith(".json"):
                    content = tar.extractfile(entry)
                    yield entry.name, content.read(MAX_RECORD_BYTES + 1) if content else b""
    else:
        raise ConfigError(
            f"{path}: not a collection of advisories",
            hint="give a directory of OSV *.json files, a .zip or a .tar.xz of them",
        )
