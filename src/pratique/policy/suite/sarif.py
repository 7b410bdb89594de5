"""Problems of a policy's source as SARIF 2.1.0, for editors and code review (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pratique import __version__
from pratique.model.sarif import SCHEMA
from pratique.model.strict_json import canonical_json

if TYPE_CHECKING:
    from pratique.policy.suite.check import Problem


def encode_problems(problems: tuple[Problem, ...]) -> bytes:
    """Write one run; places are relative to the source folder (§3.4.3, `uriBaseId`)."""
    rules = sorted({problem.rule for problem in problems})
    run = {
        "tool": {
            "driver": {
                "name": "pratique policy check",
                "version": __version__,
                "rules": [{"id": rule} for rule in rules],
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "results": [_result(problem, rules.index(problem.rule)) for problem in problems],
    }
    return canonical_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}) + b"\n"


def _result(problem: Problem, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "ruleIndex": rule_index,
        "level": problem.level,
        "message": {"text": problem.message},
    }
    if problem.file:
        place: dict[str, Any] = {
            "artifactLocation": {"uri": quote(problem.file), "uriBaseId": "POLICY"},
        }
        if problem.line:
            place["region"] = {"startLine": problem.line}
        result["locations"] = [{"physicalLocation": place}]
    return result
