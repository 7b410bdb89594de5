"""The short way writes what the `rfc8785` library does, and reads what the long way does, or stands back."""

from __future__ import annotations

import enum
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pratique.errors import MalformedError
from pratique.model import strict_json
from pratique.model.plain_json import read_plain, write_plain
from pratique.model.strict_json import canonical_json, parse_json

# Keys and texts that sorting and escaping could trip over: beyond the basic plane, just below it, controls.
_EDGES = st.sampled_from(
    ["\U00010000", "\uffff", "\ue000", "\ud7ff", "é", "\x00", "\x1f", "\x7f", '"', "\\", "/", "a", "A"]
)
_TEXT = st.lists(_EDGES | st.characters(exclude_categories=["Cs"]), max_size=6).map("".join)
_SURROGATES = st.text(st.characters(), max_size=4)
_LIMIT = 2**53
_NUMBERS = (
    st.integers(-_LIMIT - 2, _LIMIT + 2)
    | st.integers()
    | st.sampled_from([_LIMIT - 1, _LIMIT, -_LIMIT + 1, -_LIMIT])
    | st.floats()
    | st.sampled_from([0.0, -0.0, 1.0, 1e21, 1e-7, 5e-324])
)


class Number(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    A = "a"


class Text(str):
    __slots__ = ()


_ODD = st.sampled_from([Number.ONE, Word.A, Text("x"), b"x", {1}, object(), (1, "x")])


def _nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=3).map(tuple)
            | st.dictionaries(keys, inner, max_size=4)
        ),
        max_leaves=12,
    )


_FRACTIONS = st.floats(1e-3, 1e15, exclude_max=True).filter(lambda number: not number.is_integer())
_PLAIN = st.none() | st.booleans() | st.integers(1 - _LIMIT, _LIMIT - 1) | _TEXT
_PLAIN |= _FRACTIONS | _FRACTIONS.map(lambda number: -number)
_ASCII = st.text(st.characters(max_codepoint=127), max_size=4)
_ANY = _nested(
    _PLAIN | _NUMBERS | _SURROGATES | _ODD, _TEXT | _SURROGATES | st.integers() | st.booleans() | st.none()
)


def outcome(value: Any) -> bytes | None:
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError:
        return None


@given(_ANY)
@example({"\U00010000": 1, "\uffff": 2})
@example({True: 1, "1": 2})
@example({1: "x"})
@example([float("nan")])
@example([2**53])
@settings(max_examples=400)
def test_writes_what_the_reference_writes_or_stands_back(value: Any) -> None:
    short = write_plain(value, 64)
    assert short is None or short == outcome(value)
    try:
        assert canonical_json(value) == outcome(value)
    except MalformedError:
        assert outcome(value) is None


@given(_nested(_PLAIN, _ASCII))
def test_takes_every_plain_container(value: Any) -> None:
    if isinstance(value, dict | list | tuple):
        assert write_plain(value, 64) == rfc8785.dumps(value)


@given(_nested(_PLAIN, _ASCII).filter(lambda value: isinstance(value, dict | list)))
def test_reads_back_every_plain_container(value: Any) -> None:
    plain = json.loads(json.dumps(value))
    assert read_plain(rfc8785.dumps(value), 64) == plain
    for spelling in ({"indent": 2}, {"separators": (",", ":")}, {}):
        spaced = json.dumps(value, ensure_ascii=False, **spelling).encode()
        assert read_plain(spaced, 64) == plain


def long_way(data: bytes, patch: pytest.MonkeyPatch) -> Any:
    with patch.context() as only_here:
        only_here.setattr(strict_json, "read_plain", lambda *_: None)
        return read(data)


def read(data: bytes) -> Any:
    try:
        return repr(parse_json(data, what="x", max_depth=8))
    except MalformedError as error:
        return error.message


_JSON = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"a"',
            b'"a":',
            b'"b":',
            b"1",
            b"-0",
            b"1.0",
            b"1e3",
            b"true",
            b"null",
            b" ",
            b"\xff",
            b'"\\ud800"',
            b'"\\u0061"',
            b"9007199254740992",
            b"NaN",
            b"[[[[[[[[[",
            b"]]]]]]]]]",
            b'{"a":1,"a":2}',
            b'{"b":1,"a":2}',
            b"\xef\xbb\xbf",
            b'"\xed\xa0\x80"',
        ]
    ),
    max_size=10,
).map(b"".join)


@given(_JSON | _nested(_PLAIN, _TEXT).map(rfc8785.dumps))
@example(b'{"a":1,"a":1}')
@example(b'{"a":{"a":1,"a":1}}')
@example(b'{"a": 1, "a": 1}')
@example(b'{"b": 1,\n "a": {"c": 2, "c": 2}}')
@example(b'{"b": 1, "a": 9007199254740992}')
@example(b'{"b": 123456789012345678901234567890}')
@example(b"[1] [2]")
@example(b"[-0]")
@example(b"[" * 8 + b"]" * 8)
@example(b"[" * 9 + b"]" * 9)
@example(b"[" * 5000 + b"]" * 5000)
@example(b'["\\ud800"]')
@example(b"[1]\n")
@settings(max_examples=400)
def test_reads_and_refuses_as_the_long_way_does(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert read(data) == long_way(data, patch)


def test_a_value_that_holds_itself_is_not_plain() -> None:
    value: list[Any] = []
    value.append(value)
    assert write_plain(value, 64) is None


def test_a_lone_surrogate_has_no_canonical_form() -> None:
    for value in ("\ud800", {"a": ["\ud800"]}):
        with pytest.raises(MalformedError, match="no canonical JSON form"):
            canonical_json(value)
