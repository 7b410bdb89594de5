"""Every form that a collection of advisories may have, in one explicit table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.model.strict_yaml import parse_yaml
from pratique.scan.feeds.alpine_secdb import read_alpine_secdb
from pratique.scan.feeds.debian import read_debian_list, read_debian_tracker
from pratique.scan.feeds.rustsec import read_rustsec

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_RECORD_BYTES: Final = 8 * 1024 * 1024


class Read(Protocol):
    """Turns one file into OSV records."""

    def __call__(self, data: bytes, /, *, what: str) -> Iterable[dict[str, Any]]:
        """Give them, or raise MalformedError."""


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """One form.

    Attributes:
        pattern: regular expression that the path of a file with records matches.
        max_bytes: how large such a file may be.
        read: gives the OSV records in it.
    """

    pattern: str
    max_bytes: int = _MAX_RECORD_BYTES
    read: Read

    def holds(self, name: str) -> bool:
        """Tell by its path whether a file holds records."""
        return re.search(self.pattern, name) is not None


def _osv(data: bytes, /, *, what: str) -> Iterable[dict[str, Any]]:
    return (parse_json_object(data, what=what, max_bytes=_MAX_RECORD_BYTES),)


def _osv_yaml(data: bytes, /, *, what: str) -> Iterable[dict[str, Any]]:
    record = parse_yaml(data, what=what)
    if not isinstance(record, dict):
        raise MalformedError(f"{what}: not a YAML mapping")
    return (record,)


FEEDS: Final[dict[str, Feed]] = {
    "osv": Feed(pattern=r"\.json\Z", read=_osv),
    "osv-yaml": Feed(pattern=r"\.ya?ml\Z", read=_osv_yaml),
    "rustsec": Feed(pattern=r"(?:^|/)RUSTSEC-\d{4}-\d+\.md\Z", read=read_rustsec),
    "alpine-secdb": Feed(pattern=r"\.json\Z", read=read_alpine_secdb, max_bytes=64 * 1024 * 1024),
    "debian-tracker": Feed(pattern=r"\.json\Z", read=read_debian_tracker, max_bytes=512 * 1024 * 1024),
    "debian-list": Feed(
        pattern=r"(?:^|/)D[SL]A/list\Z|(?:^|/)list\Z", read=read_debian_list, max_bytes=64 * 1024 * 1024
    ),
}
