"""The engine's process: reads one request from standard input, answers on standard output, ends.

Run as `python -I -S worker.py <memory bytes> <CPU seconds> <output bytes> <import path>…`, with an empty
environment. It loads what it needs, gives up the right to open files, sockets and processes (RLIMIT_NOFILE,
RLIMIT_NPROC, RLIMIT_FSIZE), and only then looks at the request. Frames are four bytes of big-endian length,
then JSON.

Whatever goes wrong is an `error` in the answer; a worker that dies instead is the parent's to notice. A
panic in the engine's Rust code arrives as an exception outside Python's `Exception` tree, hence
`BaseException` below.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Any

# Descriptors 0-2 exist already; one more would be a file, a socket or a pipe.
_DESCRIPTORS = 3
_MAX_COLUMNS = 1024
_MESSAGE = 1000
_SHOWN = 200
# What the engine says in place of a value; a rule that is this very string fails just the same.
_UNDEFINED = '"<undefined>"'


def main(arguments: list[str]) -> int:
    """Answer one request."""
    memory, cpu, output = (int(text) for text in arguments[:3])
    sys.path[:0] = arguments[3:]
    import regorus  # noqa: PLC0415 - not before the import path is set, and not after files are out of reach

    from pratique.policy.engine import rego_check  # noqa: PLC0415

    _give_up_rights(memory, cpu)
    try:
        answer = _answer(regorus, rego_check, json.loads(_read(sys.stdin.buffer)))
    except rego_check.RegoError as error:
        answer = _error(error.phase, str(error))
    except BaseException as error:  # noqa: BLE001 - see the module's description
        answer = _error("eval", _first_lines(error))
    data = json.dumps(answer).encode()
    if len(data) > output:
        data = json.dumps(_error("limit", f"the rules' findings are larger than {output} bytes")).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()
    return 0


def _give_up_rights(memory: int, cpu: int) -> None:
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (value, value))


def _answer(regorus: Any, rego_check: Any, request: dict[str, Any]) -> dict[str, Any]:
    engine = regorus.Engine()
    engine.set_enable_coverage(request["kind"] == "test")
    for name, module in sorted(request["modules"].items()):
        try:
            engine.set_rego_v0(module["rego"] == "v0")
            engine.add_policy(name, module["source"])
        except BaseException as error:  # noqa: BLE001 - see the module's description
            return _error("compile", _first_lines(error))
    trees = json.loads(engine.get_ast_as_json())
    engine.add_data_json(json.dumps({"rule_data": request["data"]}))
    if request["kind"] == "test":
        return _tested(engine, rego_check.check_tests(trees), set(request["modules"]))
    engine.set_input_json(json.dumps(request["input"]))
    return _evaluated(engine, rego_check.check(trees))


def _evaluated(engine: Any, entries: list[tuple[str, str]]) -> dict[str, Any]:
    sets = []
    for package, name in entries:
        value = json.loads(engine.eval_rule_as_json(f"data.{package}.{name}"))
        if not isinstance(value, list):
            return _error("eval", f"{package}.{name} is not a set of findings")
        sets.append({"package": package, "name": name, "members": value})
    return {"sets": sets}


def _tested(engine: Any, tests: list[Any], files: set[str]) -> dict[str, Any]:
    """Run each test on a copy of the engine; a line counts as covered if any test covered it."""
    results = []
    covered: dict[str, set[int]] = {file: set() for file in files}
    lines: dict[str, set[int]] = {file: set() for file in files}
    for test in tests:
        fresh = engine.clone()
        outcome, message = _outcome(fresh, test)
        report = json.loads(fresh.get_coverage_report_as_json())
        for file in report["files"]:
            covered[file["path"]].update(file["covered"])
            lines[file["path"]].update(file["covered"], file["not_covered"])
        if outcome == "fail":
            message += _unreached(report, test)
        results.append({**test._asdict(), "outcome": outcome, "message": message})
    coverage = {
        file: {"covered": sorted(covered[file]), "not_covered": sorted(lines[file] - covered[file])}
        for file in files
    }
    return {"results": results, "coverage": coverage}


def _outcome(engine: Any, test: Any) -> tuple[str, str]:
    if test.name.startswith("todo_"):
        return "skipped", ""
    try:
        value = engine.eval_rule_as_json(f"data.{test.package}.{test.name}")
    except BaseException as error:  # noqa: BLE001 - see the module's description
        return "error", _first_lines(error)
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


def _error(phase: str, message: str) -> dict[str, Any]:
    return {"error": {"phase": phase, "message": message}}


def _first_lines(error: BaseException) -> str:
    """Keep what an engine's message says, without the stack trace that differs from machine to machine."""
    text = str(error).split("Stack backtrace")[0]
    lines = [line.strip() for line in text.splitlines()]
    kept = [
        line.removeprefix("--> ").removeprefix("error: ")
        for line in lines
        if line.startswith(("-->", "error:"))
    ]
    return (": ".join(kept) or " ".join(text.split()) or type(error).__name__)[:_MESSAGE]


def _read(stream: Any) -> bytes:
    (length,) = struct.unpack(">I", stream.read(4))
    data: bytes = stream.read(length)
    return data


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
