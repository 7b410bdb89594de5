"""Key URIs: a scheme that says what holds the key, and what that scheme needs to find it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from pratique.errors import UsageError

_SCHEME = re.compile(r"([a-z][a-z0-9]+):(.*)\Z", re.DOTALL)
_MAX_LENGTH = 2048


class KeyUri(NamedTuple):
    """A key as a person names it.

    Attributes:
        scheme: what holds it, a name of `table.SCHEMES`.
        rest: everything after the colon.
    """

    scheme: str
    rest: str

    def __str__(self) -> str:
        return self.rest if self.scheme == "file" else f"{self.scheme}:{self.rest}"


def parse_key_uri(text: str) -> KeyUri:
    """Read a key URI; anything without a scheme is the path of a file.

    Raises:
        UsageError: empty, too long, or with a character that no terminal shows.
    """
    if not text or len(text) > _MAX_LENGTH or not text.isprintable():
        raise UsageError(f"not a key: {text[:80]!r}", hint="name a file, or a key URI: see docs/signing.md")
    match = _SCHEME.match(text)
    if match is None or Path(text).exists():
        return KeyUri("file", text)
    return KeyUri(match[1], match[2])


def options(uri: KeyUri, names: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Split `path?name=value&…`, and decode both.

    Raises:
        UsageError: nothing before the question mark, a name that is not known, or one given twice.
    """
    path, _, query = uri.rest.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    if not path:
        raise UsageError(f"{uri}: it names no key", hint="see docs/signing.md")
    for name, _value in pairs:
        if name not in names:
            known = ", ".join(sorted(names)) or "none"
            raise UsageError(f"{uri}: unknown option {name[:40]!r}", hint=f"options of {uri.scheme}: {known}")
    if len(dict(pairs)) != len(pairs):
        raise UsageError(f"{uri}: an option is given twice")
    return unquote(path), dict(pairs)
