"""The strict reader refuses whatever two parsers could read differently."""

from __future__ import annotations

import pytest

from pratique.errors import MalformedError
from pratique.model.strict_json import canonical_json, parse_json, parse_json_object


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b'{"a":1,"a":2}', "duplicate key 'a'", id="duplicate-key"),
        pytest.param(b'{"x":{"a":1,"b":2,"a":3}}', "duplicate key 'a'", id="nested-duplicate-key"),
        pytest.param(b'{"a":NaN}', "NaN is not JSON", id="nan"),
        pytest.param(b"[-Infinity]", "-Infinity is not JSON", id="minus-infinity"),
        pytest.param(b"[1e999]", "number out of range", id="float-overflow"),
        pytest.param(b"[9007199254740992]", "integer beyond 2^53-1", id="integer-beyond-i-json"),
        pytest.param(b"[" + b"9" * 5000 + b"]", "integer beyond 2^53-1", id="integer-slow-to-convert"),
        pytest.param(b'"\\ud800"', "lone surrogate", id="lone-surrogate"),
        pytest.param(b'{"\\udc00":1}', "lone surrogate", id="lone-surrogate-in-key"),
        pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="bom"),
        pytest.param(b'"\xff"', "not UTF-8", id="not-utf8"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8", id="surrogate-as-utf8"),
        pytest.param(b"[" * 65 + b"]" * 65, "nested deeper than 64", id="depth"),
        pytest.param(b"[" * 200_000, "nested deeper than 64", id="depth-bomb"),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"{} {}", "not JSON", id="two-documents"),
        pytest.param(b"{'a':1}", "not JSON", id="single-quotes"),
        pytest.param(b'"a\nb"', "not JSON", id="raw-control-character"),
    ],
)
def test_refuses(data: bytes, says: str) -> None:
    with pytest.raises(MalformedError, match="the file: ") as raised:
        parse_json(data, what="the file")
    assert says in raised.value.message


def test_refuses_more_bytes_than_allowed_before_parsing_them() -> None:
    with pytest.raises(MalformedError, match="11 bytes of JSON, more than the 10 allowed"):
        parse_json(b'"' + b"a" * 9 + b'"', what="x", max_bytes=10)


def test_reads_what_is_unambiguous() -> None:
    data = b'{"a": [1, -2.5, true, null, "\\ud83d\\ude00"], "b": {"a": 9007199254740991}}'
    assert parse_json(data, what="x") == {"a": [1, -2.5, True, None, "😀"], "b": {"a": 2**53 - 1}}


def test_brackets_inside_strings_are_not_depth() -> None:
    text = b'"' + b"[" * 1000 + b'\\"' + b"{" * 1000 + b'"'
    assert len(parse_json(text, what="x")) == 2001


def test_an_object_is_asked_for_by_name() -> None:
    with pytest.raises(MalformedError, match="not a JSON object"):
        parse_json_object(b"[]", what="x")


def test_canonical_form_is_rfc_8785s_own_example() -> None:
    # RFC 8785 §3.2.2 and §3.2.3, without the numbers that I-JSON readers disagree on
    value = {
        "numbers": [4.5, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, {1: 2}])
def test_refuses_to_write_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(MalformedError):
        canonical_json(value)


@pytest.mark.parametrize("leaf", ["plain", 1e300], ids=["plain", "not plain"])
@pytest.mark.parametrize("bracket", [list, tuple, dict])
def test_nothing_is_written_that_is_too_deep_to_be_read(leaf: object, bracket: type) -> None:
    value = leaf
    for _ in range(64):
        value = {"a": value} if bracket is dict else bracket([value])
    parse_json(canonical_json(value), what="it")
    with pytest.raises(MalformedError, match="deeper than 64"):
        canonical_json([value])
    with pytest.raises(MalformedError, match="deeper than 63"):
        canonical_json(value, max_depth=63)
