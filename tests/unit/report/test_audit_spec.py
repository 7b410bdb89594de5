"""The published schema and example of the audit seal agree with each other and with what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema

from pratique.model import predicate as p
from pratique.model.digest import sha256_bytes
from pratique.report.audit.manifest import Manifest, Tool, list_member, seal_predicate
from pratique.report.chain import LogHead

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
SCHEMA = json.loads((SPEC / "audit-seal.schema.json").read_text())


def test_the_example_meets_the_schema() -> None:
    page = (SPEC / "audit-seal.md").read_text()
    example = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert example["predicateType"] == p.AUDIT_SEAL
    jsonschema.validate(example["predicate"], SCHEMA)


def test_what_is_written_meets_the_schema() -> None:
    manifest = Manifest(
        tool=Tool("pratique", "0.1.0"),
        trust_root=str(sha256_bytes(b"root")),
        checkpoint=LogHead(origin="pratique.local", size=3, root="ab" * 32),
        artifacts=(str(sha256_bytes(b"artifact")),),
        members=(list_member("checkpoint", b"x"),),
    )
    jsonschema.validate(seal_predicate(manifest), SCHEMA)
    document = json.loads(manifest.encode())
    assert list(document) == ["artifacts", "checkpoint", "members", "tool", "trustRoot", "type"]
    assert document["members"] == [
        {
            "name": "checkpoint",
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "size": 1,
        }
    ]
