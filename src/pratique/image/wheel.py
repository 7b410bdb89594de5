"""A wheel, read as installers read it but believed only as far as its RECORD goes; nothing of it runs.

Binary distribution format 1.0 (PEP 427) and core metadata. Every member has to be in RECORD with its SHA-256,
and each is checked against it as it is read, so that what goes into an image is what was listed.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
import stat
import zipfile
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Final

import msgspec
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from pratique.errors import EvidenceInvalidError, MalformedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.tags import Tag

MAX_MEMBERS: Final = 100_000
MAX_DOCUMENT: Final = 32 << 20
MAX_MEMBER: Final = 2 << 30
_CHUNK: Final = 1 << 18
_UNLISTED: Final = ("RECORD", "RECORD.jws", "RECORD.p7s")
_SCRIPT = re.compile(r"[A-Za-z0-9._-]{1,100}\Z")
_OBJECT = re.compile(
    r"(?P<module>[A-Za-z_][\w.]*):(?P<attribute>[A-Za-z_][\w.]*)(?:\s*\[[^\]]*\])?\Z", re.ASCII
)


class Member(msgspec.Struct, frozen=True):
    """A file of a wheel: its name, length, SHA-256, and whether it is executable."""

    name: str
    size: int
    digest: bytes
    executable: bool


class Wheel(msgspec.Struct, frozen=True, kw_only=True):
    """What a wheel says of itself.

    Attributes:
        path: the file.
        name: the project's normalised name.
        version: as its file name has it.
        tags: what it runs on.
        info: name of its `.dist-info` folder.
        members: every file but RECORD itself.
        scripts: console and GUI scripts: name → module and attribute.
        requires: what it needs, markers and all.
    """

    path: Path
    name: str
    version: str
    tags: frozenset[Tag]
    info: str
    members: tuple[Member, ...]
    scripts: dict[str, tuple[str, str]]
    requires: tuple[Requirement, ...]

    def read(self, member: Member) -> Iterator[bytes]:
        """Give a member's bytes, checked at the end against RECORD.

        Raises:
            EvidenceInvalidError: they are others than RECORD lists.
        """
        hasher = hashlib.sha256()
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member.name) as stream:
                while chunk := stream.read(_CHUNK):
                    hasher.update(chunk)
                    yield chunk
        except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, ValueError) as error:
            raise MalformedError(f"{self.path}: {member.name}: {error}") from error
        if hasher.digest() != member.digest:
            raise EvidenceInvalidError(f"{self.path}: {member.name} is not what RECORD lists")


def load_wheel(path: Path) -> Wheel:
    """Read a wheel's directory and metadata (I/O).

    Raises:
        UsageError: not a wheel, by its name.
        MalformedError: broken, hostile, or a RECORD that does not list everything once.
    """
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise UsageError(f"{path}: {error}", hint="name files that end in .whl") from error
    try:
        with zipfile.ZipFile(path) as archive:
            found = _directory(archive, path)
            info = _info_folder(found, path, f"{name}-{version}")
            record = _record(_document(archive, f"{info}/RECORD", path), path)
            metadata = BytesHeaderParser().parsebytes(_document(archive, f"{info}/METADATA", path))
            points = (
                _document(archive, f"{info}/entry_points.txt", path)
                if f"{info}/entry_points.txt" in found
                else b""
            )
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise MalformedError(f"{path}: not a sound zip archive: {error}") from error
    if canonicalize_name(metadata.get("Name", "")) != name:
        raise MalformedError(f"{path}: METADATA is of another project than the file's name")
    return Wheel(
        path=path,
        name=name,
        version=str(version),
        tags=tags,
        info=info,
        members=tuple(_members(found, record, info, path)),
        scripts=_scripts(points, path),
        requires=_requires(metadata.get_all("Requires-Dist") or [], path),
    )


def _directory(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for item in archive.infolist():
        if item.is_dir():
            continue
        name, kind = item.filename, stat.S_IFMT(item.external_attr >> 16)
        parts = name.split("/")
        if not name.isprintable() or "\\" in name or name.startswith("/") or {"", ".", ".."} & set(parts):
            raise MalformedError(f"{path}: {name[:200]!r} leads out of the wheel, or is no plain name")
        if name in found or kind not in {0, stat.S_IFREG} or item.flag_bits & 1:
            raise MalformedError(f"{path}: {name[:200]!r} is there twice, a link, or encrypted")
        if len(found) >= MAX_MEMBERS or item.file_size > MAX_MEMBER:
            raise MalformedError(f"{path}: more, or more in one file, than a wheel holds")
        found[name] = item
    return found


def _info_folder(found: dict[str, zipfile.ZipInfo], path: Path, wanted: str) -> str:
    folders = {name.partition("/")[0] for name in found if name.partition("/")[0].endswith(".dist-info")}
    if len(folders) != 1:
        raise MalformedError(f"{path}: {len(folders)} .dist-info folders, not one, for {wanted}")
    return folders.pop()


def _document(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        with archive.open(name) as stream:
            data = stream.read(MAX_DOCUMENT + 1)
    except KeyError as error:
        raise MalformedError(f"{path}: no {name}") from error
    if len(data) > MAX_DOCUMENT:
        raise MalformedError(f"{path}: {name} is larger than {MAX_DOCUMENT} bytes")
    return data


def _record(data: bytes, path: Path) -> dict[str, tuple[str, str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8"), newline="")) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError(f"{path}: RECORD is no CSV: {error}") from error
    record: dict[str, tuple[str, str]] = {}
    for row in rows:
        if len(row) != 3 or row[0] in record:  # noqa: PLR2004 - path, hash, size
            raise MalformedError(f"{path}: RECORD lists {row[0][:200]!r} twice, or not as path, hash, size")
        record[row[0]] = (row[1], row[2])
    return record


def _members(
    found: dict[str, zipfile.ZipInfo], record: dict[str, tuple[str, str]], info: str, path: Path
) -> Iterator[Member]:
    unlisted = {f"{info}/{name}" for name in _UNLISTED}
    for name in record:
        if name not in found and name not in unlisted:
            raise MalformedError(f"{path}: RECORD lists {name[:200]!r}, which is not there")
    for name, item in found.items():
        if name in unlisted:
            continue
        listed, size = record.get(name, ("", ""))
        algorithm, _, text = listed.partition("=")
        if algorithm != "sha256":
            raise MalformedError(f"{path}: RECORD has no SHA-256 of {name[:200]!r}")
        if size and size != str(item.file_size):
            raise MalformedError(f"{path}: RECORD has another size of {name[:200]!r}")
        try:
            digest = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError as error:
            raise MalformedError(f"{path}: RECORD has no base64 for {name[:200]!r}") from error
        executable = bool(item.external_attr >> 16 & stat.S_IXUSR)
        yield Member(name, item.file_size, digest, executable)


def _scripts(data: bytes, path: Path) -> dict[str, tuple[str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(data.decode("utf-8"))
    except (UnicodeDecodeError, configparser.Error) as error:
        raise MalformedError(f"{path}: entry_points.txt: {error}") from error
    scripts: dict[str, tuple[str, str]] = {}
    for section in ("console_scripts", "gui_scripts"):
        for name, value in parser.items(section) if parser.has_section(section) else ():
            found = _OBJECT.match(value.strip())
            if not _SCRIPT.match(name) or not found or name in scripts:
                raise MalformedError(
                    f"{path}: entry_points.txt: not a script: {name[:100]!r} = {value[:100]!r}"
                )
            scripts[name] = (found["module"], found["attribute"])
    return scripts


def _requires(lines: list[str], path: Path) -> tuple[Requirement, ...]:
    try:
        return tuple(Requirement(line) for line in lines)
    except InvalidRequirement as error:
        raise MalformedError(f"{path}: METADATA: {error}") from error
