"""Running parsed rules in the engine's process: the entry points over one input, or the tests.

Standard library only: the engine's worker process imports it. `regorus` is handed in, as the wheel and a
binding of one's own have the same class.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple

from pratique.policy.engine import rego_check, rego_negation

_MESSAGE = 1000
_SHOWN = 200
# What the engine says in place of a value; a test that is this very string fails just the same.
_UNDEFINED = '"<undefined>"'


class Examined(NamedTuple):
    """What the syntax trees of modules showed.

    Attributes:
        entries: package and name of each entry point.
        tests: the test rules, where modules are there to be tested.
        spelled: sources by file as another engine may read them, where that was asked for.
    """

    entries: list[tuple[str, str]]
    tests: list[rego_check.TestRule]
    spelled: dict[str, str]

    @classmethod
    def from_plain(cls, plain: list[Any]) -> Examined:
        """Read back what JSON has made lists of."""
        entries, tests, spelled = plain
        return cls(
            [(package, name) for package, name in entries],
            [rego_check.TestRule(*test) for test in tests],
            spelled,
        )


def examine(regorus: Any, policy: dict[str, Any]) -> Examined:
    """Parse `{"kind": KIND, "modules": {file: {source, rego}}, "data": [top-level key]}`, and check it.

    The kind is `evaluate`, `test`, or `spell`, which gives the modules as another engine may read them.

    Raises:
        RegoError: a module that does not parse or is refused.
    """
    trees = json.loads(_parsed(regorus, policy).get_ast_as_json())
    spell, testing = policy["kind"] == "spell", policy["kind"] == "test"
    return Examined(
        spelled={tree["source"]["file"]: rego_negation.spelled_out(tree) for tree in trees} if spell else {},
        tests=rego_check.check_tests(trees, policy["data"]) if testing else [],
        entries=[] if testing else rego_check.check(trees, policy["data"]),
    )


def _parsed(regorus: Any, policy: dict[str, Any]) -> Any:
    engine = regorus.Engine()
    engine.set_enable_coverage(policy["kind"] == "test")
    for name, module in sorted(policy["modules"].items()):
        try:
            engine.set_rego_v0(module["rego"] == "v0")
            engine.add_policy(name, module["source"])
        except BaseException as error:  # noqa: BLE001 - a panic in Rust is not in the Exception tree
            raise rego_check.RegoError("compile", first_lines(error)) from None
    return engine


class Policy:
    """Modules that an engine has parsed and analysed."""

    def __init__(self, regorus: Any, policy: dict[str, Any], data: str) -> None:
        """Parse modules (see `examine`), take in data (JSON) and have the rules analysed.

        None of that has to be done anew for each request.

        Raises:
            RegoError: a module that does not parse.
        """
        self.engine = _parsed(regorus, policy)
        self.testing = policy["kind"] == "test"
        self.data = data
        self.engine.add_data_json(data)
        self.engine.eval_query_as_json("true")  # has the engine analyse the rules, and evaluates none

    def warm_up(self, examined: Examined) -> None:
        """Evaluate over nothing, on a copy, and forget it.

        The memory that a fork shares with its parent is copied as it is first written to, which takes a fifth
        of the time of an evaluation; this has most of it behind it before anybody waits.
        """
        if examined.entries and not examined.spelled:
            copy = self.engine.clone()
            copy.set_input_json("{}")
            with contextlib.suppress(BaseException):  # a panic in Rust is not in the Exception tree
                _evaluated(copy, examined.entries)

    def answer(self, examined: Examined, data: str, document: str) -> dict[str, Any]:
        """Evaluate over data and an input document (JSON texts); once per object, as it keeps both."""
        if examined.spelled:
            return {"spelled": examined.spelled, "entries": examined.entries}
        if data != self.data:
            self.engine.clear_data()
            self.engine.add_data_json(data)
        if self.testing:
            return _tested(self.engine, examined.tests)
        self.engine.set_input_json(document)
        return _evaluated(self.engine, examined.entries)


def _evaluated(engine: Any, entries: list[tuple[str, str]]) -> dict[str, Any]:
    """Evaluate all entry points in one query, in which a rule that several of them use is evaluated once.

    Each stands in a list of its own, which is empty where a list's condition does not hold. One a line: the
    engine takes lines of up to 1,024 characters.
    """
    query = ",\n".join(f"[found | found := data.{package}.{name}]" for package, name in entries)
    results = json.loads(engine.eval_query_as_json(f"[{query}]"))
    ((expression,),) = (result["expressions"] for result in results["result"])
    sets = []
    for (package, name), found in zip(entries, expression["value"], strict=True):
        members = found[0] if found else []
        if not isinstance(members, list):
            raise rego_check.RegoError("eval", f"{package}.{name} is not a set of findings")
        sets.append({"package": package, "name": name, "members": members})
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
