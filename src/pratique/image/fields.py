"""Typed access to the fields of JSON documents that strangers wrote.

Docker and OCI writers put `null` where a field is empty, so `null` counts as absent; any other type that is
not the one the image-spec gives is refused, never converted.
"""

from __future__ import annotations

from typing import Any

from pratique.errors import MalformedError

Object = dict[str, Any]


def text(value: Object, key: str, what: str) -> str:
    """Take an optional string; absent is empty.

    Raises:
        MalformedError: another type.
    """
    found = value.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise MalformedError(f"{what}: {key} is not a string")
    return found


def objects(value: Object, key: str, what: str) -> list[Object]:
    """Take an optional list of objects; absent is empty.

    Raises:
        MalformedError: another type.
    """
    found = value.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise MalformedError(f"{what}: {key} is not a list of objects")
    return found


def texts(value: Object, key: str, what: str) -> tuple[str, ...]:
    """Take an optional list of strings; absent is empty.

    Raises:
        MalformedError: another type.
    """
    found = value.get(key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise MalformedError(f"{what}: {key} is not a list of strings")
    return tuple(found)


def mapping(value: Object, key: str, what: str) -> Object:
    """Take an optional object; absent is empty.

    Raises:
        MalformedError: another type.
    """
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MalformedError(f"{what}: {key} is not an object")
    return found


def text_map(value: Object, key: str, what: str) -> dict[str, str]:
    """Take an optional object of strings; absent is empty.

    Raises:
        MalformedError: another type.
    """
    found = mapping(value, key, what)
    if not all(isinstance(item, str) for item in found.values()):
        raise MalformedError(f"{what}: {key} is not an object of strings")
    return found
