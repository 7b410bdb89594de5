from __future__ import annotations

import json
from typing import Any

import pytest

from pratique.errors import MalformedError
from pratique.trust.statement import Statement, Subject, parse_statement

SUBJECT = {"name": "app.whl", "digest": {"sha256": "0a" * 32}}
DOCUMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [SUBJECT],
    "predicateType": "https://example.com/p/v1",
    "predicate": {"b": 1, "a": [True, None]},
}


def test_encodes_to_these_bytes() -> None:
    statement = Statement((Subject("app.whl", {"sha256": "0a" * 32}),), "https://example.com/p/v1", {"b": 1})
    expected = (
        '{"_type":"https://in-toto.io/Statement/v1","predicate":{"b":1},'
        '"predicateType":"https://example.com/p/v1",'
        '"subject":[{"digest":{"sha256":"' + "0a" * 32 + '"},"name":"app.whl"}]}'
    )
    assert statement.encode() == expected.encode()


def test_parses_anyones() -> None:
    others = {**DOCUMENT, "extra": 1, "subject": [{"digest": {"gitCommit": "ff"}, "uri": "x"}, SUBJECT]}
    statement = parse_statement(json.dumps(others).encode())
    assert statement.subjects[0] == Subject("", {"gitCommit": "ff"})
    assert statement.subjects[1].sha256.hex == "0a" * 32
    assert statement.predicate == DOCUMENT["predicate"]
    with pytest.raises(MalformedError):
        _ = statement.subjects[0].sha256


@pytest.mark.parametrize(
    "change",
    [
        {"_type": "https://in-toto.io/Statement/v0.1"},
        {"_type": None},
        {"predicateType": ""},
        {"predicateType": None},
        {"predicate": []},
        {"predicate": None},
        {"subject": []},
        {"subject": {}},
        {"subject": ["x"]},
        {"subject": [SUBJECT] * 4097},
        {"subject": [{"name": 3, "digest": {"sha256": "0a" * 32}}]},
        {"subject": [{"name": "x"}]},
        {"subject": [{"name": "x", "digest": {}}]},
        {"subject": [{"name": "x", "digest": {"sha256": "0A" * 32}}]},
        {"subject": [{"name": "x", "digest": {"sha256": "0a"}}]},
        {"subject": [{"name": "x", "digest": {"gitCommit": ""}}]},
        {"subject": [{"name": "x", "digest": {"gitCommit": 1}}]},
    ],
)
def test_refuses(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        parse_statement(json.dumps({**DOCUMENT, **change}).encode())


@pytest.mark.parametrize(
    "statement",
    [
        Statement((), "t", {}),
        Statement((Subject("", {"sha256": "0a" * 32}),), "t", {}),
        Statement((Subject("x", {"gitCommit": "ff"}),), "t", {}),
        Statement((Subject("x", {"sha256": "0a" * 32}),), "", {}),
        Statement((Subject("x", {"sha256": "0a" * 32}),), "t", {"n": float("nan")}),
        Statement((Subject("x", {"sha256": "0a" * 32}),), "t", {"n": 2**60}),
    ],
)
def test_signs_only_what_others_can_read(statement: Statement) -> None:
    with pytest.raises(MalformedError):
        statement.encode()
