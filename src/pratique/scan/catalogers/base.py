"""What catalogers share: the file they are given, what they know of its surroundings, how they refuse."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

import msgspec
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.model.strict_yaml import parse_yaml
from pratique.scan.component import Component
from pratique.scan.purl import build_purl
from pratique.scan.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAX_LICENCE = 80
_LINE = re.compile(r"([A-Z_]+)=(.*)\Z")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_MAX_YAML = 16 * 1024 * 1024


class UnreadableError(Exception):
    """A file that was recognised but does not say all: what else it lists is unknown.

    Attributes:
        partial: the components that were read all the same.
    """

    def __init__(self, reason: str, partial: Iterable[Component] = ()) -> None:
        super().__init__(reason)
        self.partial = tuple(partial)


class File(msgspec.Struct, frozen=True):
    """A recognised file, and what of the artifact around it matters.

    Attributes:
        name: path inside the artifact.
        data: its bytes; for an executable, the record found in it.
        contents: every recognised file of the artifact by path.
    """

    name: str
    data: bytes
    contents: Mapping[str, bytes]

    @property
    def folder(self) -> str:
        """The folder it lies in, with a slash at the end, or empty at the top."""
        head, slash, _ = self.name.rpartition("/")
        return head + slash

    def text(self) -> str:
        """Give it as UTF-8 text.

        Raises:
            UnreadableError: it is not.
        """
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableError(f"not UTF-8 at byte {error.start}") from error

    def json(self) -> dict[str, Any]:
        """Give it as a strict JSON object.

        Raises:
            UnreadableError: it is not.
        """
        try:
            return parse_json_object(self.data.removeprefix(b"\xef\xbb\xbf"), what=self.name)
        except MalformedError as error:
            raise UnreadableError(error.message) from error

    def toml(self) -> dict[str, Any]:
        """Give it as TOML.

        Raises:
            UnreadableError: it is not.
        """
        try:
            return parse_toml(self.text())
        except ValueError as error:
            raise UnreadableError(str(error)) from error

    def yaml(self) -> dict[str, Any]:
        """Give it as a YAML mapping without anchors and tags.

        Raises:
            UnreadableError: it is not.
        """
        try:
            found = parse_yaml(self.data, what=self.name, max_bytes=_MAX_YAML)
        except MalformedError as error:
            raise UnreadableError(error.message) from error
        if not isinstance(found, dict):
            raise UnreadableError("not a YAML mapping")
        return found

    def component(self, kind: str, name: object, version: object, **members: Any) -> Component:
        """Make a component that was found in this file; purl parts may be among the members.

        Raises:
            UnreadableError: without a name or version that are text, or no package URL can be made of them.
        """
        if not isinstance(name, str) or not isinstance(version, str) or not name or not version:
            raise UnreadableError(f"an entry without a name and version: {str(name)[:80]!r}")
        parts = {key: members.pop(key) for key in ("namespace", "qualifiers") if key in members}
        shown = members.pop("shown", name)
        try:
            purl = build_purl(kind, name, version, **parts)
        except MalformedError as error:
            raise UnreadableError(error.message) from error
        return Component(purl=purl, name=shown, version=version, locations=(self.name,), **members)


def entries(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Give a list of tables, which may be absent.

    Raises:
        UnreadableError: something else is there.
    """
    found = document.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise UnreadableError(f"`{key}` is not a list of tables")
    return found


def table(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Give a table, which may be absent.

    Raises:
        UnreadableError: something else is there.
    """
    found = document.get(key, {})
    if not isinstance(found, dict):
        raise UnreadableError(f"`{key}` is not a table")
    return found


def licence(text: object) -> dict[str, Any]:
    """Give the licence members of a component from what its metadata says."""
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        return {"licence": canonicalize_license_expression(text), "licence_is_spdx": True}
    except InvalidLicenseExpression:
        return {"licence": " ".join(text.split())[:_MAX_LICENCE]}


def integrity_digests(text: object) -> tuple[str, ...]:
    """Give the hex digests of a Subresource Integrity string (`sha512-<base64> …`)."""
    found = set()
    for part in text.split() if isinstance(text, str) else ():
        algorithm, _, value = part.partition("?")[0].partition("-")
        try:
            digest = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            continue
        if {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}.get(algorithm) == len(digest):
            found.add(digest.hex())
    return tuple(sorted(found))


def sha256_digests(texts: Iterable[object]) -> tuple[str, ...]:
    """Give the hex of each `sha256:<hex>`, sorted."""
    return tuple(
        sorted(
            {
                text.removeprefix("sha256:").lower()
                for text in texts
                if isinstance(text, str) and text.startswith("sha256:")
            }
        )
    )


def connected(
    found: Iterable[tuple[Component, Iterable[str]]], targets: Mapping[str, Iterable[str]]
) -> list[Component]:
    """Fill in `requires`: each component's names, looked up among the purls of what bears the name."""
    return [
        msgspec.structs.replace(
            component,
            requires=tuple(
                sorted({purl for name in names for purl in targets.get(name, ())} - {component.purl})
            ),
        )
        for component, names in found
    ]


def distribution(file: File, root: str, otherwise: str) -> tuple[str, str]:
    """Give the distribution's id, and `<id>-<release>` where it states one (os-release(5))."""
    for place in _OS_RELEASE:
        if data := file.contents.get(root + place):
            lines = data.decode("utf-8", "replace").splitlines()
            values = {match[1]: match[2].strip("\"'") for line in lines if (match := _LINE.match(line))}
            name, release = values.get("ID", otherwise), values.get("VERSION_ID", "")
            name = "redhat" if name == "rhel" else name  # as package URLs have it
            return name, f"{name}-{release}" if release else ""
    return otherwise, ""
