"""A package's bytes and its members: writing the one, reading the other (steps 1 to 4 of `audit.verify`)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError, UsageError
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit.manifest import (
    CHECKPOINT,
    CONSISTENCY,
    MANIFEST,
    SEAL,
    SHA256,
    TRUSTED_ROOT,
    Manifest,
    list_member,
    order_of,
    parse_manifest,
)
from pratique.report.audit.step import step
from pratique.store import plain_tar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_PACKAGE_BYTES: Final = 1024 * 1024 * 1024
_SHA256_LINE: Final = 65
_TAIL: Final = 2 * plain_tar.BLOCK + len(plain_tar.END)


class Package(msgspec.Struct, frozen=True):
    """A package whose bytes agree with its manifest; nothing in it is believed yet.

    Attributes:
        manifest: parsed.
        manifest_digest: SHA-256 of the manifest's bytes: what the seal is about.
        members: the listed members' bytes by name, in the order of the file.
        consistency: bytes of the consistency proof from the checkpoint to the seal's tree head.
        seal: bytes of the seal's bundle.
    """

    manifest: Manifest
    manifest_digest: Digest
    members: dict[str, bytes]
    consistency: bytes
    seal: bytes

    def under(self, folder: str) -> dict[str, bytes]:
        """Give the members of one folder by the rest of their name, in the order of the file."""
        prefix = f"{folder}/"
        return {name[len(prefix) :]: data for name, data in self.members.items() if name.startswith(prefix)}


def encode_package(
    manifest: bytes, members: Mapping[str, bytes], *, consistency: bytes, seal: bytes
) -> bytes:
    """Write a package's bytes; `members` are the listed ones, in any order."""
    ordered = sorted(members, key=order_of)
    body = plain_tar.encode(
        [
            plain_tar.Member(MANIFEST, manifest),
            *(plain_tar.Member(name, members[name]) for name in ordered),
            plain_tar.Member(CONSISTENCY, consistency),
            plain_tar.Member(SEAL, seal),
        ]
    )
    line = f"{sha256_bytes(body).hex}\n".encode()
    return body + plain_tar.encode([plain_tar.Member(SHA256, line)]) + plain_tar.END


def read_package(path: Path) -> bytes:
    """Read a package's bytes (I/O), refusing a file too large before reading it (step 1).

    Raises:
        UsageError: the file cannot be read.
        EvidenceInvalidError: it is too large.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_PACKAGE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    with step(1):
        _check_size(data)
    return data


def open_package(data: bytes) -> Package:
    """Take a package apart (steps 1 to 4).

    Raises:
        EvidenceInvalidError: the message names the step and the member.
    """
    with step(1):
        _check_size(data)
    with step(2):
        _check_sha256(data)
    with step(3):
        files = _files(data)
    with step(4):
        return _checked(files)


def _check_size(data: bytes) -> None:
    if len(data) > MAX_PACKAGE_BYTES:
        raise EvidenceInvalidError(f"more than the {MAX_PACKAGE_BYTES} bytes allowed")


def _check_sha256(data: bytes) -> None:
    tail = data[-_TAIL:]
    header = plain_tar.encode_header(SHA256, _SHA256_LINE)
    if not tail.startswith(header):
        raise MalformedError("the file does not end in its SHA256 member: cut off, or added to")
    digest = sha256_bytes(data[:-_TAIL]).hex
    if not hmac.compare_digest(
        tail[plain_tar.BLOCK : plain_tar.BLOCK + _SHA256_LINE], f"{digest}\n".encode()
    ):
        raise EvidenceInvalidError(
            f"the bytes have SHA-256 {digest}, the file says otherwise: it was changed"
        )


def _files(data: bytes) -> dict[str, bytes]:
    members = plain_tar.parse(data)
    files = {member.name: member.data for member in members}
    if len(files) != len(members):
        seen: set[str] = set()
        twice = next(m.name for m in members if m.name in seen or seen.add(m.name))  # type: ignore[func-returns-value]
        raise MalformedError(f"{twice}: a second member of this name")
    return files


def _checked(files: dict[str, bytes]) -> Package:
    """Compare the members there with those listed, in their order, and each with its size and digest."""
    if next(iter(files)) != MANIFEST:
        raise MalformedError(f"the first member is not {MANIFEST}")
    manifest = parse_manifest(files[MANIFEST])
    expected = [MANIFEST, *(member.name for member in manifest.members), CONSISTENCY, SEAL, SHA256]
    if extra := sorted(files.keys() - set(expected)):
        raise EvidenceInvalidError(f"{extra[0]}: a member that the manifest does not list")
    if missing := [name for name in expected if name not in files]:
        raise EvidenceInvalidError(f"{missing[0]}: listed by the manifest, but missing")
    if list(files) != expected:
        raise EvidenceInvalidError("the members are not in the order of the manifest")
    for listed in manifest.members:
        if list_member(listed.name, files[listed.name]) != listed:
            raise EvidenceInvalidError(f"{listed.name}: its bytes are not those the manifest lists")
        folder, _, name = listed.name.partition("/")
        if folder in {"evidence", "blobs"} and name.split(".")[0] != listed.sha256:
            raise EvidenceInvalidError(f"{listed.name}: its name is not its digest")
    for name in (TRUSTED_ROOT, CHECKPOINT):
        if name not in files:
            raise EvidenceInvalidError(f"{name}: missing, and not listed by the manifest")
    members = {member.name: files[member.name] for member in manifest.members}
    return Package(manifest, sha256_bytes(files[MANIFEST]), members, files[CONSISTENCY], files[SEAL])
