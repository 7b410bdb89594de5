"""The RPM database: SQLite as rpm 4.16 and later keep it (`rpmdb.sqlite`), each package a header blob.

Header format: rpm documentation, "RPM v4 format", "Header structure": two big-endian counts, an index of
(tag, type, offset, count), then the data.
"""

from __future__ import annotations

import re
import sqlite3
import struct
from contextlib import closing
from typing import TYPE_CHECKING, Final

from pratique.scan.catalogers.base import File, UnreadableError, connected, distribution, licence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.scan.component import Component

PLACES: Final = r"(?:usr/)?(?:lib/sysimage|var/lib)/rpm/"
OLD: Final = re.compile(rf"(?:.*/)?{PLACES}Packages(?:\.db)?\Z")
OLD_REASON: Final = "an RPM database in an old format; rpmdb --rebuilddb makes SQLite of it"
_NAME, _VERSION, _RELEASE, _EPOCH, _LICENCE, _ARCH, _SOURCE = 1000, 1001, 1002, 1003, 1014, 1022, 1044
_PROVIDED, _REQUIRED = 1047, 1049
_INT32, _STRING, _STRINGS, _TRANSLATED = 4, 6, 8, 9
_ENTRY: Final = struct.Struct(">IIII")
_MAX_PACKAGES: Final = 100_000
_MAX_BLOB: Final = 64 * 1024 * 1024
_MAX_STRINGS: Final = 200_000
_STEPS: Final = 50_000
_MAX_ROUNDS: Final = 4_000
_SOURCE_FILE = re.compile(r"(.+)-([^-]+-[^-]+)\.(?:src|nosrc)\.rpm\Z")


def read_rpm_database(file: File) -> list[Component]:
    """Read the installed packages.

    Raises:
        UnreadableError: not such a database, one that was not closed, or a header that is none.
    """
    if file.contents.get(file.name + "-wal"):
        raise UnreadableError("its last changes are in a file beside it (-wal), which is not read")
    root = re.sub(rf"{PLACES}rpmdb\.sqlite\Z", "", file.name)
    namespace, distro = distribution(file, root, "redhat")
    found: list[tuple[Component, list[str]]] = []
    targets: dict[str, list[str]] = {}
    for blob in _blobs(file.data):
        tags = _tags(blob)
        name = _text(tags, _NAME)
        if name == "gpg-pubkey":  # a key that somebody trusts, kept among the packages
            continue
        epoch, source = _text(tags, _EPOCH), _SOURCE_FILE.match(_text(tags, _SOURCE))
        component = file.component(
            "rpm",
            name,
            f"{_text(tags, _VERSION)}-{_text(tags, _RELEASE)}",
            namespace=namespace,
            qualifiers={"arch": _text(tags, _ARCH), "distro": distro, "epoch": epoch},
            source=source[1] if source else "",
            source_version=source[2] if source else "",
            **licence(_text(tags, _LICENCE)),
        )
        found.append((component, tags.get(_REQUIRED, [])))
        for provided in {name, *tags.get(_PROVIDED, [])}:
            targets.setdefault(provided, []).append(component.purl)
    if not found:
        raise UnreadableError("an RPM database without a package")
    return connected(found, targets)


def _blobs(data: bytes) -> Iterator[bytes]:
    if not data.startswith(b"SQLite format 3\0"):
        raise UnreadableError("not an SQLite database")
    # Bytes 18 and 19 say that it is used with a write-ahead log; in memory there is none.
    data = data[:18] + b"\1\1" + data[20:]
    rounds = 0

    def too_long() -> bool:
        nonlocal rounds
        rounds += 1
        return rounds > _MAX_ROUNDS

    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BLOB)
            connection.deserialize(data)
            # A hostile schema could make the table a view that computes for ever.
            connection.set_progress_handler(too_long, _STEPS)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA cell_size_check = ON")
            connection.execute("PRAGMA query_only = ON")
            kinds = connection.execute("SELECT type FROM sqlite_schema WHERE name = 'Packages'").fetchall()
            if kinds != [("table",)]:
                raise UnreadableError("an SQLite database without the table Packages")
            for number, (blob,) in enumerate(connection.execute("SELECT blob FROM Packages")):
                if number >= _MAX_PACKAGES or not isinstance(blob, bytes):
                    raise UnreadableError("more packages than there are, or one that is no header")
                yield blob
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UnreadableError(f"a damaged RPM database: {error}") from error


def _tags(blob: bytes) -> dict[int, list[str]]:
    """Give the wanted tags' values as text."""
    wanted = {_NAME, _VERSION, _RELEASE, _EPOCH, _LICENCE, _ARCH, _SOURCE, _PROVIDED, _REQUIRED}
    entries, length = struct.unpack_from(">II", blob) if len(blob) >= 8 else (0, 0)  # noqa: PLR2004
    start = 8 + _ENTRY.size * entries
    if not entries or start + length > len(blob):
        raise UnreadableError("a package's header that is cut short")
    found: dict[int, list[str]] = {}
    for tag, kind, offset, count in _ENTRY.iter_unpack(blob[8:start]):
        if tag not in wanted:
            continue
        if offset >= length or count > _MAX_STRINGS:
            raise UnreadableError("a package's header that points beyond its end")
        data = blob[start + offset : start + length]
        if kind == _INT32 and len(data) >= 4:  # noqa: PLR2004 - bytes
            found[tag] = [str(int.from_bytes(data[:4], "big"))]
        elif kind in {_STRING, _STRINGS, _TRANSLATED}:
            texts = data.split(b"\0", 1 if kind == _STRING else count)
            found[tag] = [
                text.decode("utf-8", "replace") for text in texts[: 1 if kind == _STRING else count]
            ]
    return found


def _text(tags: dict[int, list[str]], tag: int) -> str:
    return next(iter(tags.get(tag, ())), "")
