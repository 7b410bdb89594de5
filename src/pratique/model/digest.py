"""Digests: the only identity an artifact or a piece of evidence has."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError

if TYPE_CHECKING:
    from pathlib import Path

_SHA256_TEXT = re.compile(r"sha256:([0-9a-f]{64})\Z")


class Digest(msgspec.Struct, frozen=True, order=True):
    """A SHA-256 digest, written `sha256:<64 lower-case hex digits>` (OCI image-spec, descriptor digests)."""

    hex: str

    def __str__(self) -> str:
        return f"sha256:{self.hex}"

    @property
    def short(self) -> str:
        """Enough of the digest for a person to recognise it, never for a program to look it up."""
        return f"sha256:{self.hex[:12]}"

    @property
    def digest_set(self) -> dict[str, str]:
        """The in-toto DigestSet form: `{"sha256": hex}`."""
        return {"sha256": self.hex}

    def matches(self, other: Digest) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.hex, other.hex)


def parse_digest(text: str) -> Digest:
    """Parse `sha256:<hex>`.

    Raises:
        MalformedError: anything else, upper-case hex and other algorithms included.
    """
    found = _SHA256_TEXT.match(text)
    if not found:
        raise MalformedError(
            f"not a digest: {text[:80]!r}", hint="write it as sha256:<64 lower-case hex digits>"
        )
    return Digest(found.group(1))


def parse_digest_set(digests: object) -> Digest:
    """Take the SHA-256 out of an in-toto DigestSet.

    Raises:
        MalformedError: no well-formed `sha256` member.
    """
    if isinstance(digests, dict) and isinstance(hex_digest := digests.get("sha256"), str):
        return parse_digest(f"sha256:{hex_digest}")
    raise MalformedError("a digest set without a sha256 digest")


def sha256_bytes(data: bytes) -> Digest:
    """Digest bytes in memory."""
    return Digest(hashlib.sha256(data).hexdigest())


def sha256_file(path: Path) -> Digest:
    """Digest a file in constant memory.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())
