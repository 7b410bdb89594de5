"""Negations and iterations, spelled out for OPA: the text that it gets, written down here by hand."""

from __future__ import annotations

import json

import pytest
import regorus

from pratique.policy.engine.rego_negation import CHECKED, spelled_out

HEAD = "package a\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("not input.x", "[1 | input.x] == []"),
        ("input.x", "input.x"),
        ('not startswith(input.x, "not é")  # not', '[1 | startswith(input.x, "not é")] == []  # not'),
        ('not input.x == "not x"', '[1 | input.x == "not x"] == []'),
        ("not input.x == `raw`", "[1 | input.x == `raw`] == []"),
        ('not (input.x == "a")', '[1 | (input.x == "a")] == []'),
        ("not input.x with input.x as 1", "[1 | input.x] == [] with input.x as 1"),
        ("not input.x ==\n 1", "[1 | input.x ==\n 1] == []"),
        (
            "not {x | some x in [1]; not x == 1} == {1}",
            "[1 | {x | some x in [1]; [1 | x == 1] == []} == {1}] == []",
        ),
        ("every x in [1] { not x == 2 }", "every x in [1] { [1 | x == 2] == [] }"),
        ("some x in input.v", f"some x in {CHECKED}(input.v)"),
        ('some k, x in input["é"] # in', f'some k, x in {CHECKED}(input["é"]) # in'),
        ("some x in ((input.a) | (input.b))", f"some x in ({CHECKED}((input.a) | (input.b)))"),
        ("some x in [1]", "some x in [1]"),
        ("some x in {y | some y in input.v}", f"some x in {{y | some y in {CHECKED}(input.v)}}"),
        ("some x in input.v with input.v as 1", f"some x in {CHECKED}(input.v) with input.v as 1"),
        (
            'not {x | some x in input["a"]; not x} == {1}',
            f'[1 | {{x | some x in {CHECKED}(input["a"]); [1 | x] == []}} == {{1}}] == []',
        ),
    ],
)
def test_negations_and_iterations_are_spelled_out(body: str, expected: str) -> None:
    engine = regorus.Engine()
    engine.add_policy("a.rego", f"{HEAD}x if {{ {body}\n}}\n")
    (tree,) = json.loads(engine.get_ast_as_json())
    assert spelled_out(tree) == f"{HEAD}x if {{ {expected}\n}}\n"
