"""The published schemas and examples of root-rotation and revocation agree with what is written and read."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.model import predicate as p
from pratique.model.digest import sha256_bytes
from pratique.testing.authority import START, make_authority
from pratique.trust.authority.roots import next_root
from pratique.trust.revocation import Revocation, parse_revocation, revocation_statement
from pratique.trust.statement import Statement, Subject
from pratique.trust.succession import read_rotation, rotation_statement

if TYPE_CHECKING:
    from collections.abc import Callable

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SPEC / f"{name}.schema.json").read_text())
    return found


@pytest.mark.parametrize(
    ("name", "uri", "read"),
    [
        ("root-rotation", p.ROOT_ROTATION, read_rotation),
        ("revocation", p.REVOCATION, parse_revocation),
    ],
)
def test_the_example_meets_the_schema_and_is_read(name: str, uri: str, read: Callable[..., object]) -> None:
    page = (SPEC / f"{name}.md").read_text()
    example = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert example["predicateType"] == uri
    jsonschema.validate(example["predicate"], schema(name))
    subjects = tuple(Subject(item["name"], item["digest"]) for item in example["subject"])
    read(Statement(subjects, uri, example["predicate"]))


def test_what_is_written_meets_the_schema(tmp_path: Path) -> None:
    authority, _ = make_authority(tmp_path)
    moment = START + dt.timedelta(days=1)
    new = {"ctlog": ec.generate_private_key(ec.SECP256R1())}
    root = next_root(authority.trusted_root, new, authority.ca_key, moment, ends={})
    statement = rotation_statement(authority.trusted_root, root, moment)
    jsonschema.validate(statement.predicate, schema("root-rotation"))
    assert [item["name"] for item in statement.predicate["replaced"]] == ["ctlog"]
    for since in (None, START):
        revocation = Revocation("key", sha256_bytes(b"key"), moment, 3, since, "a theft")
        written = revocation_statement(revocation)
        jsonschema.validate(written.predicate, schema("revocation"))
        assert parse_revocation(written) == revocation
