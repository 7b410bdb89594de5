"""Every page of docs/spec that shows a statement shows one that its schema accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pratique.model.predicate import SHORT_NAMES

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
OWN = sorted(name for name, uri in SHORT_NAMES.items() if uri.startswith("https://pratique.dev/"))


def example(name: str) -> dict[str, Any]:
    found = re.search(r"```json\n(.*?)```", (SPEC / f"{name}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found, f"docs/spec/{name}.md shows no JSON"
    document: dict[str, Any] = json.loads(found[1])
    return document


@pytest.mark.parametrize("name", OWN)
def test_the_example_of_a_page_is_valid_and_of_its_type(name: str) -> None:
    schema = json.loads((SPEC / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    shown = example(name)  # a whole statement, or the predicate alone
    assert shown.get("predicateType", SHORT_NAMES[name]) == SHORT_NAMES[name]
    jsonschema.validate(shown.get("predicate", shown), schema, cls=jsonschema.Draft202012Validator)
    assert not jsonschema.Draft202012Validator(schema).is_valid({})
