"""How the advisory database is laid out: numbered buckets of packages, each pinned by a digest of its own.

A package's bucket follows from the SHA-256 of its name. The digests of all buckets, one after the other, are
the index; the header names the index's digest; the digest of the header is the database's. So whoever knows
the database's digest can check one answer, "nothing is known of it" included, by one small hash, and need
not read the rest. Records, names and dates decide the digest, and neither the order of import nor SQLite.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError
from pratique.scan.osv import Affected  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT: Final = 3
MAX_BITS: Final = 16
DIGEST_BYTES: Final = 32
EMPTY: Final = hashlib.sha256(b"").digest()


class Entry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One advisory's word on one package.

    Attributes:
        id: the advisory's.
        source: name of the source it came from.
        aliases: its other names, sorted.
        summary: one line.
        severity: a `Severity` by its value.
        vector: CVSS v3 vector, or empty.
        score: its base score.
        published: RFC 3339 time, or empty.
        exploited: date one of its names entered the catalogue of known exploited vulnerabilities, or empty.
        epss: the highest probability of exploitation that is known of one of its names.
        affected: the versions.
    """

    id: str
    source: str
    aliases: tuple[str, ...]
    summary: str
    severity: str
    vector: str
    score: float | None
    published: str
    exploited: str
    epss: float | None
    affected: Affected


_ENCODE = msgspec.msgpack.Encoder().encode
_ENTRIES = msgspec.msgpack.Decoder(tuple[Entry, ...])
_BUCKET = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


def package_place(ecosystem: str, package: str) -> tuple[int, str]:
    """Give a package's place among `2**MAX_BITS`, and the key it has in its bucket."""
    key = f"{ecosystem}\0{package}"
    return int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:2], "big"), key


def bits_for(packages: int) -> int:
    """Give how many bits of the place number the buckets, so that each holds about one package."""
    return min(MAX_BITS, max(0, packages - 1).bit_length())


def encode_entry(entry: Entry) -> bytes:
    """Write one entry."""
    return _ENCODE(entry)


def encode_bucket(packages: Iterable[tuple[str, list[bytes]]]) -> bytes:
    """Write a bucket of packages, sorted by key, with the encoded entries of each in their order."""
    return _ENCODE({key: [msgspec.Raw(entry) for entry in entries] for key, entries in packages})


def entries_of(bucket: bytes, key: str) -> tuple[Entry, ...]:
    """Give what a bucket holds of a package.

    Raises:
        msgspec.MsgspecError: not a bucket.
    """
    held = _BUCKET.decode(bucket).get(key) if bucket else None
    return _ENTRIES.decode(held) if held is not None else ()


def packages_of(bucket: bytes) -> dict[str, tuple[Entry, ...]]:
    """Give all that a bucket holds, by key.

    Raises:
        msgspec.MsgspecError: not a bucket.
    """
    return {key: _ENTRIES.decode(held) for key, held in _BUCKET.decode(bucket).items()} if bucket else {}


def check_bucket(bucket: bytes, number: int, index: bytes, what: str) -> None:
    """Check a bucket, or its absence (no bytes), against the index.

    Raises:
        EvidenceInvalidError: other bytes than the database was made with.
    """
    at = number * DIGEST_BYTES
    if hashlib.sha256(bucket).digest() != index[at : at + DIGEST_BYTES]:
        raise EvidenceInvalidError(f"{what}: bucket {number} is not what the database was made with")
