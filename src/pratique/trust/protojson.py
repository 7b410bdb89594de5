"""Reading protobuf messages written as JSON (protojson), in the one spelling that two readers agree on."""

from __future__ import annotations

import re
from typing import Any, Final

from pratique.errors import MalformedError
from pratique.model.strict_json import MAX_INT
from pratique.trust.encoding import b64decode

HASH_BYTES: Final = 32
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")


def refuse_aliases(item: dict[str, Any], what: str) -> None:
    """Refuse `tlog_entries` beside `tlogEntries`: protojson readers take either, and which wins is a guess.

    Raises:
        MalformedError: a member in protobuf's other spelling.
    """
    for name in item:
        if "_" in name[1:] and not name.startswith("_"):
            raise MalformedError(f"{what}: member {name[:80]!r} is in protobuf's other spelling")


def member(parent: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    """Give a message inside a message.

    Raises:
        MalformedError: it is missing, another kind of value, or spelt in two ways.
    """
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: {name} is missing")
    refuse_aliases(value, name)
    return value


def members(parent: dict[str, Any], name: str, what: str, *, most: int) -> list[dict[str, Any]]:
    """Give a repeated message; protobuf's default, none, may be left out or null.

    Raises:
        MalformedError: another kind of value, or more than `most`.
    """
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError(f"{what}: {name} is not a list of objects")
    if len(value) > most:
        raise MalformedError(f"{what}: {name} has {len(value)} entries, more than {most}")
    for item in value:
        refuse_aliases(item, name)
    return value


def only(parent: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    """Give the one message of a repeated member.

    Raises:
        MalformedError: none, or several.
    """
    value = parent.get(name)
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        count = len(value) if isinstance(value, list) else 0
        raise MalformedError(f"{what}: {name} must hold exactly one entry, not {count}")
    refuse_aliases(value[0], name)
    return value[0]


def text(parent: dict[str, Any], name: str, what: str) -> str:
    """Give a string that is not empty.

    Raises:
        MalformedError: it is.
    """
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{what}: {name} is missing")
    return value


def blob(parent: dict[str, Any], name: str, what: str) -> bytes:
    """Give bytes, which are written in base64 and not empty.

    Raises:
        MalformedError: missing, empty, or base64 in another spelling.
    """
    value = b64decode(parent.get(name), what=f"{what}: {name}")
    if not value:
        raise MalformedError(f"{what}: {name} is empty")
    return value


def hash_of(value: object, what: str) -> bytes:
    """Give a SHA-256 written in base64.

    Raises:
        MalformedError: another length.
    """
    digest = b64decode(value, what=what)
    if len(digest) != HASH_BYTES:
        raise MalformedError(f"{what}: {len(digest)} bytes, not a SHA-256")
    return digest


def number(parent: dict[str, Any], name: str, what: str) -> int:
    """Give a 64-bit integer, which protojson writes as a string; protobuf's default of 0 may be left out.

    Raises:
        MalformedError: not a decimal number of at most 2^53-1 in a string.
    """
    value = parent.get(name, "0")
    if not isinstance(value, str) or not _DECIMAL.match(value) or int(value) > MAX_INT:
        raise MalformedError(f"{what}: {name} is not a decimal number in a string")
    return int(value)
