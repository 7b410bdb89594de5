"""The one reader for YAML that came from outside: the part of YAML that is JSON in other clothes.

PyYAML only splits the text into events here; no value is built by it, so no tag can name a class and nothing
can run. Refused is whatever JSON has no word for or two readers could take differently: anchors and aliases
(and with them the billion laughs), tags, several documents, duplicate keys, keys that are no strings. Plain
scalars are what the core schema says they are (YAML 1.2.2 §10.3.2: `no` and `on` are words, not booleans),
with JSON's limits on numbers; an octal, a hexadecimal or an infinite number is a word.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from pratique.errors import MalformedError
from pratique.model.strict_json import MAX_DEPTH, parse_json

MAX_BYTES: Final = 4 * 1024 * 1024
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?\Z")
_WORDS: Final = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "": None,
}
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(data: bytes, *, what: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """Parse one YAML document from outside into what JSON can hold; an empty one is None.

    Args:
        data: the bytes as they arrived.
        what: names the document in errors.
        max_bytes: refuse longer input before looking at it.
        max_depth: refuse deeper nesting.

    Raises:
        MalformedError: not YAML, or more of YAML than is read here.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"{what}: {len(data)} bytes of YAML, more than the {max_bytes} allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what}: YAML is not UTF-8: {error.reason} at byte {error.start}") from error
    builder = _Builder(what, max_depth)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise MalformedError(f"{what}: not YAML: {problem}{place}") from error
    return builder.result


class _Builder:
    """Builds the value from events, without recursion."""

    def __init__(self, what: str, max_depth: int) -> None:
        self.what = what
        self.max_depth = max_depth
        self.result: Any = None
        self.documents = 0
        self.open: list[dict[str, Any] | list[Any]] = []
        self.keys: list[str | None] = []

    def take(self, event: yaml.Event) -> None:
        """Take the next event.

        Raises:
            MalformedError: see `parse_yaml`.
        """
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._refuse(event, "anchors and aliases are not read here")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "tags are not read here")
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._refuse(event, "more than one document")
        elif isinstance(event, yaml.ScalarEvent):
            self._add(event, _scalar(event, self.what), is_key=self._wants_key())
        elif isinstance(event, yaml.CollectionStartEvent):
            value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._add(event, value, is_key=self._wants_key())
            self.open.append(value)
            self.keys.append(None)
            if len(self.open) > self.max_depth:
                raise self._refuse(event, f"nested deeper than {self.max_depth} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()
            self.keys.pop()

    def _wants_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1], dict) and self.keys[-1] is None

    def _add(self, event: yaml.Event, value: Any, *, is_key: bool) -> None:
        if not self.open:
            self.result = value
            return
        parent = self.open[-1]
        if isinstance(parent, list):
            parent.append(value)
        elif is_key:
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            if not isinstance(key, str):
                raise self._refuse(event, "a key that is no word")
            if key in parent:
                raise self._refuse(event, f"duplicate key {key[:80]!r}")
            parent[key] = None
            self.keys[-1] = key
        else:
            parent[self.keys[-1] or ""] = value
            self.keys[-1] = None

    def _refuse(self, event: yaml.Event, why: str) -> MalformedError:
        mark = event.start_mark
        place = f": line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        return MalformedError(f"{self.what}: {why}{place}")


def _scalar(event: yaml.ScalarEvent, what: str) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    return parse_json(text.encode(), what=what) if _NUMBER.match(text) else text
