"""Regorus (Rego v1, an OPA subset) in a process of its own that can be killed.

The engine is third-party native code without a time limit of its own, so it runs where the worst it can do
is deny or stay silent, and silence is a denial. A fresh process per decision also means that no decision
can leave anything behind for the next.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

import pratique
from pratique.errors import InfrastructureError, MalformedError
from pratique.model.strict_json import parse_json_object
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
from pratique.policy.language.annotations import nesting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.engine.port import Module

DISTRIBUTION: Final = "gordon-to-regorus"
_ISOLATION: Final = ("process", "rlimits", "cleared-environment", "no-new-descriptors")
# The engine's allocator otherwise maps a gigabyte at load, which would make a limit on address space
# meaningless.
_ENVIRONMENT: Final = {"RUST_BACKTRACE": "0", "MIMALLOC_ARENA_RESERVE": "64M"}
_CHUNK: Final = 65536
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
    error: _WireError | None = None


class RegorusEngine:
    """The default adapter of `port.Engine`."""

    name = "regorus"

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.version = importlib.metadata.version(DISTRIBUTION)

    def evaluate(
        self, modules: Mapping[str, Module], data: dict[str, Any], document: dict[str, Any]
    ) -> Answer:
        """See `port.Engine`."""
        answer = self._ask("evaluate", modules, data, document)
        if not answer.sets:
            raise EngineError("eval", "no rules were evaluated")
        return Answer(
            sets=tuple(
                RuleSet(package=found.package, name=found.name, members=tuple(found.members))
                for found in answer.sets
            ),
            isolation=_ISOLATION,
        )

    def test(self, modules: Mapping[str, Module], data: dict[str, Any]) -> TestAnswer:
        """See `port.Engine`."""
        answer = self._ask("test", modules, data, {})
        return TestAnswer(
            results=tuple(
                TestResult(
                    package=test.package,
                    name=test.name,
                    file=test.file,
                    line=test.line,
                    outcome=test.outcome,
                    message=test.message,
                )
                for test in answer.results
            ),
            coverage=answer.coverage,
        )

    def _ask(
        self, kind: str, modules: Mapping[str, Module], data: dict[str, Any], document: dict[str, Any]
    ) -> _Wire:
        reply = self._run(self._request(kind, modules, data, document))
        try:
            parsed = msgspec.convert(parse_json_object(_frame(reply), what="the engine's answer"), _Wire)
        except (MalformedError, msgspec.ValidationError) as error:
            raise EngineError("crash", f"the engine's answer cannot be read: {error}") from error
        if parsed.error:
            raise EngineError(parsed.error.phase, parsed.error.message)
        return parsed

    def _request(
        self, kind: str, modules: Mapping[str, Module], data: dict[str, Any], document: dict[str, Any]
    ) -> bytes:
        """Check sizes and nesting before anything is parsed by the engine."""
        limits = self.limits
        if not modules:
            raise EngineError("compile", "a policy without rules")
        for name, module in sorted(modules.items()):
            if (depth := nesting(module.source)) > limits.source_nesting:
                raise EngineError(
                    "limit",
                    f"{name}: brackets nest {depth} deep, more than the {limits.source_nesting} allowed",
                )
        try:
            if _depth({"data": data, "input": document}, limits.input_depth + 1) > limits.input_depth:
                raise EngineError("limit", f"input nests deeper than {limits.input_depth} levels")
            sources = {name: msgspec.structs.asdict(module) for name, module in modules.items()}
            text = json.dumps(
                {"kind": kind, "modules": sources, "data": data, "input": document},
                allow_nan=False,
                ensure_ascii=False,
            )
            request = text.encode("utf-8")
        except (TypeError, ValueError) as error:
            raise EngineError("limit", f"the input is not JSON: {error}") from error
        if len(request) > limits.input_bytes:
            raise EngineError(
                "limit", f"{len(request)} bytes of input, more than {limits.input_bytes} allowed"
            )
        return struct.pack(">I", len(request)) + request

    def _run(self, request: bytes) -> bytes:
        """Run one worker to its end or its limit, and give what it wrote."""
        limits = self.limits
        cpu = int(limits.wall_seconds) + 1
        command = [sys.executable, "-I", "-S", str(_WORKER)]
        command += [str(limits.memory_bytes), str(cpu), str(limits.output_bytes), *_import_path()]
        with tempfile.TemporaryFile() as stdin:
            stdin.write(request)
            stdin.seek(0)
            try:
                process = subprocess.Popen(
                    command,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
            except OSError as error:
                raise InfrastructureError(f"the policy engine cannot be started: {error}") from error
        with process:
            try:
                assert process.stdout is not None  # noqa: S101 - PIPE was asked for
                reply = _read_all(process.stdout, time.monotonic() + limits.wall_seconds, limits)
                status = process.wait(timeout=1)
            except subprocess.TimeoutExpired as error:
                raise EngineError("timeout", "the engine answered and did not end") from error
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if status:
            raise EngineError("crash", _death(status))
        return reply


def _read_all(stream: IO[bytes], deadline: float, limits: Limits) -> bytes:
    """Read to the end of a pipe within the deadline and the size allowed."""
    chunks: list[bytes] = []
    size = 0
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise EngineError("timeout", f"the rules took longer than {limits.wall_seconds:g} seconds")
            chunk = os.read(stream.fileno(), _CHUNK)
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > limits.output_bytes + 4:
                raise EngineError("limit", f"the engine wrote more than {limits.output_bytes} bytes")
            chunks.append(chunk)


def _frame(reply: bytes) -> bytes:
    if len(reply) < struct.calcsize(">I") or struct.unpack_from(">I", reply)[0] != len(reply) - 4:
        raise EngineError("crash", "the engine's answer was cut short")
    return reply[4:]


def _death(status: int) -> str:
    if status == -signal.SIGXCPU:
        return "the engine used up its processor time"
    if status < 0:
        return f"the engine was killed by signal {-status}, as happens when memory runs out"
    return f"the engine ended with status {status}"


def _depth(value: Any, limit: int) -> int:
    """Measure nesting level by level, no further than the limit."""
    level, depth = [value], 0
    while level and depth < limit:
        level = [
            below
            for item in level
            if isinstance(item, dict | list)
            for below in (item.values() if isinstance(item, dict) else item)
            if isinstance(below, dict | list)
        ]
        depth += 1
    return depth


def _import_path() -> list[str]:
    """Find the two folders the worker imports from; it runs without the site module."""
    spec = importlib.util.find_spec("regorus")
    if spec is None or spec.origin is None:
        raise InfrastructureError("the policy engine is not installed", hint=f"pip install {DISTRIBUTION}")
    folders = [Path(spec.origin).parent.parent, Path(pratique.__file__).parent.parent]
    return list(dict.fromkeys(str(folder) for folder in folders))
