"""The parts of a request to a registry, checked before anything is done with them (pure)."""

from __future__ import annotations

import re
from typing import Final

from pratique.errors import MalformedError
from pratique.image.reference import is_repository_name, is_tag
from pratique.model.digest import Digest, parse_digest
from pratique.server.registry.problem import Problem, RegistryError

_RANGE: Final = re.compile(r"(\d{1,15})-(\d{1,15})\Z")
_WANTED: Final = re.compile(r"bytes=(\d{0,15})-(\d{0,15})\Z")
MAX_PAGE: Final = 1000


def repository_name(text: str) -> str:
    """Take a repository's name.

    Raises:
        RegistryError: not one that the distribution-spec allows.
    """
    if not is_repository_name(text):
        raise RegistryError(Problem.NAME_INVALID, "not a repository's name")
    return text


def digest_of(text: str) -> Digest:
    """Take a digest; others than SHA-256 are not kept here.

    Raises:
        RegistryError: not a SHA-256 digest.
    """
    try:
        return parse_digest(text)
    except MalformedError as error:
        raise RegistryError(Problem.DIGEST_INVALID, error.message) from error


def reference_of(text: str) -> str | Digest:
    """Take a tag or a digest.

    Raises:
        RegistryError: neither.
    """
    if ":" in text:
        return digest_of(text)
    if not is_tag(text):
        raise RegistryError(Problem.MANIFEST_INVALID, "not a tag")
    return text


def content_range(text: str) -> tuple[int, int] | None:
    """Read the range of a chunk, first and last byte; None when none is given.

    Raises:
        RegistryError: no range.
    """
    if not text:
        return None
    found = _RANGE.match(text.removeprefix("bytes ").partition("/")[0])
    if not found or int(found[1]) > int(found[2]):
        raise RegistryError(Problem.UPLOAD_INVALID, "Content-Range is FIRST-LAST", status=416)
    return int(found[1]), int(found[2])


def is_range(header: str) -> bool:
    """Say whether a Range header asks for one range of bytes."""
    found = _WANTED.match(header)
    if not found or not (found[1] or found[2]):
        return False
    return not (found[1] and found[2]) or int(found[1]) <= int(found[2])


def page_size(text: str | None) -> int:
    """Read how many entries a page may have.

    Raises:
        RegistryError: not a number.
    """
    if text is None:
        return MAX_PAGE
    if not text.isascii() or not text.isdecimal():
        raise RegistryError(Problem.UNSUPPORTED, "n is a number", status=400)
    return min(int(text), MAX_PAGE)
