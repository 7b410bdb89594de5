"""Running a policy's tests: its `test_*` rules, and the examples beside them.

An example is an input document of a decision (`policy eval --save` writes one). `CODE.deny.json` expects the
rule of that code to fire on it, `CODE.pass.json` to look and stay silent; between code and ending may be a
label, as in `components.unwanted.left-pad.deny.json`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import ConfigError, CouldNotCheckError, MalformedError
from pratique.policy.decision import Status
from pratique.policy.engine.port import Coverage, Engine, EngineError, Module, Outcome, TestResult
from pratique.policy.evidence import read_input
from pratique.policy.files import TEST_SUFFIX
from pratique.policy.gate import evaluate
from pratique.policy.rule_data import rule_data_table
from pratique.policy.suite.source import OWN_PREFIX, is_whole, read_examples, read_tests

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.policy.bundle import PolicyBundle

EXAMPLES: Final = "examples"
_ENDING: Final = re.compile(r"(?P<stem>.+)\.(?P<expected>pass|deny)\.json\Z")


class FileCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a module the tests evaluated: lines with code, and those of them that were not reached."""

    file: str
    lines: int
    missed: tuple[int, ...]

    @property
    def percent(self) -> float:
        """Share of the lines reached; a file without code is covered."""
        return 100.0 * (self.lines - len(self.missed)) / self.lines if self.lines else 100.0


class TestReport(msgspec.Struct, frozen=True, kw_only=True):
    """What all tests came to.

    Attributes:
        results: of the test rules, then of the examples.
        coverage: of the folder's own modules by its test rules, by name; examples are not measured.
    """

    __test__ = False

    results: tuple[TestResult, ...]
    coverage: tuple[FileCoverage, ...]

    def count(self, outcome: Outcome) -> int:
        """Count one outcome."""
        return sum(result.outcome == outcome for result in self.results)

    @property
    def percent(self) -> float:
        """Share of all lines reached."""
        lines = sum(file.lines for file in self.coverage)
        missed = sum(len(file.missed) for file in self.coverage)
        return 100.0 * (lines - missed) / lines if lines else 100.0


def run_tests(folder: Path, bundle: PolicyBundle, engine: Engine, *, pattern: str = "") -> TestReport:
    """Run the tests of a source folder (reads it).

    Args:
        folder: the source folder.
        bundle: the policy that it makes.
        engine: runs the rules.
        pattern: only tests whose `package.name` or file it is found in; then nothing is said of coverage.

    Raises:
        ConfigError: no tests, or files that cannot be read.
        CouldNotCheckError: the modules do not hold up, or the tests took too long.
    """
    chosen = re.compile(pattern)
    tests = read_tests(folder)
    examples = read_examples(folder)
    if not tests and not examples:
        raise ConfigError(
            f"{folder}: no tests in it", hint=f"write rules named test_… in a file named NAME{TEST_SUFFIX}"
        )
    results: list[TestResult] = []
    coverage: tuple[FileCoverage, ...] = ()
    if tests:
        modules = {name: Module(source=source) for name, source in (bundle.modules | tests).items()}
        try:
            answer = engine.test(modules, {"rule_data": rule_data_table(bundle.data)})
        except EngineError as error:
            raise _unfinished(folder, error) from error
        results += [
            msgspec.structs.replace(result, file=result.file.removeprefix(OWN_PREFIX))
            for result in answer.results
        ]
        coverage = _coverage(answer.coverage, own_only=not is_whole(folder), tests=set(tests))
    wanted = {name: data for name, data in examples.items() if chosen.search(name)}
    results += [_example(name, data, bundle, engine) for name, data in wanted.items()]
    if pattern:
        results = [
            item for item in results if chosen.search(f"{item.package}.{item.name}") or item.file in wanted
        ]
        coverage = ()
    if not results:
        raise ConfigError(
            f"{folder}: no test is called like {pattern!r}" if pattern else f"{folder}: no tests"
        )
    return TestReport(results=tuple(results), coverage=coverage)


def _unfinished(folder: Path, error: EngineError) -> CouldNotCheckError:
    """Say of tests that took too long, or too much, that it is one of them."""
    if error.phase not in {"timeout", "crash"}:
        return error
    return CouldNotCheckError(
        f"{folder}: the test rules did not come to an end: {error.message}",
        hint="they run together, and one of them is enough: take files out until the others do",
    )


def _coverage(found: dict[str, Coverage], *, own_only: bool, tests: set[str]) -> tuple[FileCoverage, ...]:
    return tuple(
        FileCoverage(
            file=name.removeprefix(OWN_PREFIX),
            lines=len(lines.covered) + len(lines.not_covered),
            missed=lines.not_covered,
        )
        for name, lines in sorted(found.items())
        if name not in tests and (not own_only or name.startswith(OWN_PREFIX))
    )


def _example(name: str, data: bytes, bundle: PolicyBundle, engine: Engine) -> TestResult:
    """Decide on one example, and compare what its code came to."""
    found = _ENDING.match(name.rpartition("/")[2])
    stem, expected = (found["stem"], found["expected"]) if found else (name, "")
    code = next((stem[:end] for end in _ends(stem) if stem[:end] in bundle.rules), None)
    outcome: Outcome = "error"
    if code is None:
        message = "its name begins with no code that a rule of the policy has"
    else:
        try:
            decision = evaluate(read_input(data), bundle, engine).decision
        except MalformedError as error:
            message = error.message
        else:
            statuses = {result.status for result in decision.results if result.code == code}
            wrong = [result.msg for result in decision.with_status(Status.ERROR)]
            fired = bool(statuses & {Status.VIOLATION, Status.WARNING, Status.WAIVED})
            silent = statuses == {Status.SUCCESS}
            right = fired if expected == "deny" else silent
            outcome = "error" if wrong else "pass" if right else "fail"
            came = ", ".join(sorted(status.value for status in statuses)) or "nothing"
            message = "" if right else "; ".join(wrong) or f"{code} came to {came}"
    return TestResult(package=EXAMPLES, name=name, file=name, line=0, outcome=outcome, message=message)


def _ends(stem: str) -> list[int]:
    """Give where a code could end, longest first."""
    return [len(stem), *(place for place in range(len(stem) - 1, 0, -1) if stem[place] == ".")]
