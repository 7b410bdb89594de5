"""Running parsed rules in the engine's process: the entry points over one input, or the tests.

Standard library only: the engine's worker process imports it. `regorus` is handed in, as the wheel and a
binding of one's own have the same class.
"""

from __future__ import annotations

import json
from typing import Any

from pratique.policy.engine import rego_check

_MESSAGE = 1000
_SHOWN = 200
# What the engine says in place of a value; a rule that is this very string fails just the same.
_NOTHING = "<undefined>"
_UNDEFINED = f'"{_NOTHING}"'


class Policy:
    """Parsed and checked modules."""

    def __init__(self, regorus: Any, policy: dict[str, Any]) -> None:
        """Parse `{"kind": "evaluate" | "test", "modules": {file: {source, rego}}, "data": [top-level key]}`.

        Raises:
            RegoError: a module that does not parse or is refused.
        """
        self.engine = regorus.Engine()
        self.testing = policy["kind"] == "test"
        self.engine.set_enable_coverage(self.testing)
        for name, module in sorted(policy["modules"].items()):
            try:
                self.engine.set_rego_v0(module["rego"] == "v0")
                self.engine.add_policy(name, module["source"])
            except BaseException as error:  # noqa: BLE001 - a panic in Rust is not in the Exception tree
                raise rego_check.RegoError("compile", first_lines(error)) from None
        trees = json.loads(self.engine.get_ast_as_json())
        self.tests = rego_check.check_tests(trees, policy["data"]) if self.testing else []
        self.entries = [] if self.testing else rego_check.check(trees, policy["data"])

    def answer(self, data: str, document: str) -> dict[str, Any]:
        """Evaluate over data and an input document (JSON texts); once per object, as it keeps both."""
        self.engine.add_data_json(data)
        if self.testing:
            return _tested(self.engine, self.tests)
        self.engine.set_input_json(document)
        return _evaluated(self.engine, self.entries)


def _evaluated(engine: Any, entries: list[tuple[str, str]]) -> dict[str, Any]:
    sets = []
    for package, name in entries:
        value = json.loads(engine.eval_rule_as_json(f"data.{package}.{name}"))
        if value == _NOTHING:  # a list whose condition does not hold; the check knows that it is one
            value = []
        if not isinstance(value, list):
            raise rego_check.RegoError("eval", f"{package}.{name} is not a set of findings")
        sets.append({"package": package, "name": name, "members": value})
    return {"sets": sets}


def _tested(engine: Any, tests: list[Any]) -> dict[str, Any]:
    """Run each test on a copy of the engine; a line counts as covered if any test covered it."""
    results = []
    covered: dict[str, set[int]] = {}
    lines: dict[str, set[int]] = {}
    for test in tests:
        fresh = engine.clone()
        outcome, message = _outcome(fresh, test)
        report = json.loads(fresh.get_coverage_report_as_json())
        for file in report["files"]:
            covered.setdefault(file["path"], set()).update(file["covered"])
            lines.setdefault(file["path"], set()).update(file["covered"], file["not_covered"])
        if outcome == "fail":
            message += _unreached(report, test)
        results.append({**test._asdict(), "outcome": outcome, "message": message})
    coverage = {
        file: {"covered": sorted(covered[file]), "not_covered": sorted(lines[file] - covered[file])}
        for file in lines
    }
    return {"results": results, "coverage": coverage}


def _outcome(engine: Any, test: Any) -> tuple[str, str]:
    if test.name.startswith("todo_"):
        return "skipped", ""
    try:
        value = engine.eval_rule_as_json(f"data.{test.package}.{test.name}")
    except BaseException as error:  # noqa: BLE001 - a panic in Rust is not in the Exception tree
        return "error", first_lines(error)
    if value == "true":
        return "pass", ""
    return "fail", "undefined" if value == _UNDEFINED else f"{value[:_SHOWN]}, not true"


def _unreached(report: dict[str, Any], test: Any) -> str:
    """Name the first line of a test that was not evaluated: the condition before it is the false one."""
    missed = [
        line
        for file in report["files"]
        if file["path"] == test.file
        for line in file["not_covered"]
        if test.line <= line <= test.last_line
    ]
    return f"; line {min(missed)} was not reached" if missed else ""


def first_lines(error: BaseException) -> str:
    """Keep what an engine's message says, without the stack trace that differs from machine to machine."""
    text = str(error).split("Stack backtrace")[0]
    lines = [line.strip() for line in text.splitlines()]
    kept = [
        line.removeprefix("--> ").removeprefix("error: ")
        for line in lines
        if line.startswith(("-->", "error:"))
    ]
    return (": ".join(kept) or " ".join(text.split()) or type(error).__name__)[:_MESSAGE]
