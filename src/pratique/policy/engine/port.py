"""The port to a Rego engine, and the limits every engine works under."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from pratique.errors import CouldNotCheckError

if TYPE_CHECKING:
    from collections.abc import Mapping

RegoVersion = Literal["v1", "v0"]
Document = dict[str, Any] | bytes
"""What rules see as `input`: a value, or JSON that was written from what the gate has read and checked."""
Outcome = Literal["pass", "fail", "error", "skipped"]
Phase = Literal["limit", "compile", "capability", "eval", "timeout", "crash"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one evaluation may take.

    Attributes:
        wall_seconds: for one evaluation, until the engine is killed.
        start_seconds: until a new engine process has read its policy.
        memory_bytes: of address space.
        input_bytes: of modules, data and input together, as JSON.
        input_depth: nesting of data and input.
        source_nesting: bracket nesting in a module; the parser takes time exponential in it.
        output_bytes: of the engine's answer.
    """

    wall_seconds: float = 10.0
    start_seconds: float = 10.0
    memory_bytes: int = 512 * 1024 * 1024
    input_bytes: int = 32 * 1024 * 1024
    input_depth: int = 64
    source_nesting: int = 12
    output_bytes: int = 4 * 1024 * 1024


DEFAULT_LIMITS: Final = Limits()


class EngineError(CouldNotCheckError):
    """The engine gave no answer that can be relied on; the gate turns this into a denial.

    Attributes:
        phase: where it happened; `capability` is a construct or function that rules may not use.
    """

    def __init__(self, phase: Phase, message: str) -> None:
        super().__init__(message)
        self.phase = phase


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """One Rego source.

    Attributes:
        source: the text.
        rego: the language version it is written in.
    """

    source: str
    rego: RegoVersion = "v1"


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """What one `deny` or `warn` set came to.

    Attributes:
        package: Rego package without `data.`, for example `pratique.vulns`.
        name: of the rule, for example `deny`.
        members: the set's members as JSON values, in the engine's order.
    """

    package: str
    name: str
    members: tuple[Any, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """All rule sets of all modules, and what contained the engine while it ran.

    Attributes:
        sets: at least one; every entry point of every module.
        isolation: for example `("process", "rlimits")`.
    """

    sets: tuple[RuleSet, ...]
    isolation: tuple[str, ...]


class TestResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one test rule came to.

    Attributes:
        package: Rego package without `data.`.
        name: of the rule: `test_…`, or `todo_test_…`, which is skipped.
        file: module it is in.
        line: where the rule starts, from 1.
        outcome: `pass` only if the rule is exactly `true`; `error` if it could not be evaluated.
        message: why it is none of pass and skipped.
    """

    __test__ = False

    package: str
    name: str
    file: str
    line: int
    outcome: Outcome
    message: str = ""


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of one module all tests together evaluated; both are sorted, from 1."""

    covered: tuple[int, ...]
    not_covered: tuple[int, ...]


class TestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """All tests of all modules, in the order of file and line, and the coverage by module."""

    __test__ = False

    results: tuple[TestResult, ...]
    coverage: dict[str, Coverage]


class Engine(Protocol):
    """Evaluates every entry point (a rule named `deny`, `violation` or `warn`, or one of these and `_…`).

    A rule named `exception` is evaluated as one, too.

    Contract of every adapter:

    - an entry point that is neither a set nor a list, no entry point at all, a module without one that no
      other uses, an undefined function, a call with the wrong number of arguments, recursion, an unbound
      variable, a reference to neither a rule nor data: `EngineError`, whether or not the rule is reached;
    - a function that reads a clock, randomness, the network, files or the environment: `EngineError`;
    - any error, crash, time-out or excess: `EngineError`; nothing partial is ever returned;
    - the same arguments give the same sets.
    """

    name: str
    version: str

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: Document) -> Answer:
        """Evaluate modules (by file name) over `data`, the whole document, and an input document.

        Raises:
            EngineError: see the contract.
        """
        ...

    def test(self, modules: Mapping[str, Module], data: dict[str, Any]) -> TestAnswer:
        """Run the test rules of all modules: rules without arguments named `test_…`.

        What holds for `evaluate` holds here, but that a module needs no entry point, and that `with` may
        also replace functions, by others that rules may call.

        Raises:
            EngineError: the modules do not hold up, or the tests together took too long or too much.
        """
        ...
