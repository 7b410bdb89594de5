"""Regorus (Rego v1, an OPA subset) in processes of its own that can be killed.

The engine is third-party native code without a time limit of its own, so it runs where the worst it can do
is deny or stay silent, and silence is a denial. Each decision is made by a process that makes no other; what
is kept between decisions is the policy as parsed (see `worker`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

import pratique
from pratique.errors import InfrastructureError, MalformedError
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.policy.engine.pool import Pool, Worker
from pratique.policy.engine.port import (
    DEFAULT_LIMITS,
    Answer,
    Coverage,
    EngineError,
    Limits,
    Outcome,
    Phase,
    RuleSet,
    TestAnswer,
    TestResult,
)
from pratique.policy.engine.request import check_modules, make_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.engine.port import Document, Module

DISTRIBUTION: Final = "gordon-to-regorus"
_CONTAINED: Final = ("own-process", "rlimits", "cleared-environment", "no-new-descriptors")
# The engine's allocator otherwise maps a gigabyte at load, which would make a limit on address space
# meaningless.
_ENVIRONMENT: Final = {"RUST_BACKTRACE": "0", "MIMALLOC_ARENA_RESERVE": "64M"}
_WORKER: Final = Path(__file__).with_name("worker.py")


class _WireSet(msgspec.Struct, frozen=True):
    package: str
    name: str
    members: list[Any]


class _WireTest(msgspec.Struct, frozen=True):
    package: str
    name: str
    file: str
    line: int
    outcome: Outcome
    message: str


class _WireError(msgspec.Struct, frozen=True):
    phase: Phase
    message: str


class _Wire(msgspec.Struct, frozen=True):
    sets: list[_WireSet] = []
    results: list[_WireTest] = []
    coverage: dict[str, Coverage] = {}
    isolation: tuple[str, ...] = ()
    spelled: dict[str, str] = {}
    entries: list[tuple[str, str]] = []
    error: _WireError | None = None


class RegorusEngine:
    """The default adapter of `port.Engine`; it starts processes when it is first asked, and keeps some."""

    name = "regorus"

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.version = importlib.metadata.version(DISTRIBUTION)
        self._pool = Pool(self._start)

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: Document) -> Answer:
        """See `port.Engine`."""
        answer = self._ask("evaluate", modules, data, document)
        return Answer(
            sets=tuple(
                RuleSet(package=found.package, name=found.name, members=tuple(found.members))
                for found in answer.sets
            ),
            isolation=_CONTAINED + answer.isolation,
        )

    def test(self, modules: Mapping[str, Module], data: dict[str, Any]) -> TestAnswer:
        """See `port.Engine`."""
        answer = self._ask("test", modules, data, {})
        results = (TestResult(**msgspec.structs.asdict(test)) for test in answer.results)
        nothing = Coverage(covered=(), not_covered=())
        return TestAnswer(
            results=tuple(results), coverage={name: answer.coverage.get(name, nothing) for name in modules}
        )

    def spell_out(
        self, modules: Mapping[str, Module], data: dict[str, Any]
    ) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """Check modules as for `evaluate`, and give what another engine is to be asked.

        Returns:
            sources by file, with their negations spelled out (see `rego_negation`), and the entry points.

        Raises:
            EngineError: as for `evaluate`.
        """
        answer = self._ask("spell", modules, data, {})
        return answer.spelled, answer.entries

    def close(self) -> None:
        """End all processes; those in use end with their answer."""
        self._pool.close()

    def _ask(
        self, kind: str, modules: Mapping[str, Module], data: dict[str, Any], document: Document
    ) -> _Wire:
        check_modules(modules, self.limits)
        request = make_request(modules, data, document, self.limits)
        sources = {name: msgspec.structs.asdict(module) for name, module in modules.items()}
        policy = canonical_json({"kind": kind, "modules": sources, "data": sorted(data)})
        with self._pool.worker(policy) as worker:
            if not worker.answered:
                _parse(worker.load(policy, request.data))
            answer = _parse(worker.ask(request.data, request.document))
            if kind == "evaluate" and not answer.sets:
                raise EngineError("eval", "no rules were evaluated")
            return answer

    def _start(self) -> Worker:
        return Worker([str(_WORKER), *_import_path()], _ENVIRONMENT, self.limits)


def _parse(reply: bytes) -> _Wire:
    try:
        parsed = msgspec.convert(parse_json_object(reply, what="the engine's answer"), _Wire)
    except (MalformedError, msgspec.ValidationError) as error:
        raise EngineError("crash", f"the engine's answer cannot be read: {error}") from error
    if parsed.error:
        raise EngineError(parsed.error.phase, parsed.error.message)
    return parsed


def _import_path() -> list[str]:
    """Find the two folders the worker imports from; it runs without the site module."""
    spec = importlib.util.find_spec("regorus")
    if spec is None or spec.origin is None:
        raise InfrastructureError("the policy engine is not installed", hint=f"pip install {DISTRIBUTION}")
    folders = [Path(spec.origin).parent.parent, Path(pratique.__file__).parent.parent]
    return list(dict.fromkeys(str(folder) for folder in folders))
