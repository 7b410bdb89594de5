"""Open Policy Agent's own program as an engine: the reference for Rego, where the user has it.

One `opa eval` reads the modules' syntax trees (kept per policy), one evaluates. Both run without a network,
with an empty environment and under limits, and know only the functions of our list: the program is told so
by a capabilities file, which its compiler enforces whether or not a line is reached. Before, the default
engine's checks refuse what they refuse anywhere, and spell out negations, which OPA reads otherwise (see
`rego_negation`).
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

import pratique
from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.policy.engine.builtins import ARITY
from pratique.policy.engine.once import run
from pratique.policy.engine.opa_check import check
from pratique.policy.engine.port import DEFAULT_LIMITS, Answer, EngineError, Limits, RuleSet
from pratique.policy.engine.rego_negation import CHECKED_MODULE
from pratique.policy.engine.regorus import RegorusEngine
from pratique.policy.engine.request import check_modules, make_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.policy.engine.port import Document, Module, TestAnswer

_ISOLATION: Final = ("own-process", "rlimits", "cleared-environment", "no-new-privileges", "no-network")
_START: Final = Path(__file__).with_name("start.py")
# Operators that the parser turns into calls, and the language that the default engine knows as well.
_OPERATORS: Final = {"internal.member_2", "internal.member_3", "assign", "eq"}
_FEATURES: Final = {"rego_v1", "keywords_in_refs"}
# Go reserves address space generously; what it may use is bounded by the machine's own memory limits.
_ADDRESS_SPACE_FACTOR: Final = 4
_CHECKED: Final = "checked.rego"
_SHOWN: Final = 1000
_TREES: Final = "{n: rego.parse_module(n, s) | some n, s in input}"
_OLD: Final = ["--v0-compatible"]


class OpaEngine:
    """An adapter of `port.Engine` around the user's `opa` program."""

    name = "opa"

    def __init__(self, program: str | Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """Find out which OPA it is.

        Raises:
            ConfigError: no such program, or not OPA.
        """
        found = shutil.which(program)
        if found is None:
            raise ConfigError(f"policy engine opa: {program} is not there", hint="install OPA, or say where")
        self._program = str(Path(found).resolve())
        self.limits = limits
        self._starting = msgspec.structs.replace(DEFAULT_LIMITS, wall_seconds=limits.start_seconds)
        try:
            said = self._run("version", limits=self._starting)
            version = re.search(rb"^Version: (\S+)$", said, re.MULTILINE)
            known = self._run("capabilities", "--current", limits=self._starting)
            self._known = parse_json_object(known, what="opa capabilities")
        except (EngineError, MalformedError) as error:
            raise ConfigError(f"policy engine opa: {found}: {error.message}") from error
        if version is None:
            raise ConfigError(f"policy engine opa: {found} does not say its version")
        self.version = version[1].decode()
        self._entries: dict[bytes, list[tuple[str, str]]] = {}
        # It answers with sources, which may be as long as what it was given.
        self._default = RegorusEngine(msgspec.structs.replace(limits, output_bytes=limits.input_bytes))

    def evaluate(self, modules: Mapping[str, Module], data: dict[str, Any], document: Document) -> Answer:
        """See `port.Engine`."""
        check_modules(modules, self.limits)
        request = make_request(modules, data, document, self.limits)
        options = _options(modules)
        spelled, expected = self._default.spell_out(modules, data)
        with tempfile.TemporaryDirectory(prefix="pratique-opa-") as name:
            folder = Path(name)
            files = self._write_modules(folder, spelled)
            entries = self._entry_points(folder, modules, data, options)
            if entries != expected:
                raise EngineError("compile", "the engines disagree on what the policy's rule sets are")
            (folder / "data.json").write_bytes(request.data)
            (folder / "input.json").write_bytes(request.document)
            query = ",".join(f'"{index}": data.{".".join(entry)}' for index, entry in enumerate(entries))
            value = self._eval(folder, files, f"{{{query}}}", "input.json", *options, data="data.json")
        return Answer(
            sets=tuple(
                RuleSet(package=package, name=rule, members=tuple(value[str(index)]))
                for index, (package, rule) in enumerate(entries)
            ),
            isolation=_ISOLATION,
        )

    def test(self, modules: Mapping[str, Module], data: dict[str, Any]) -> TestAnswer:
        """Refused: rules are tested on the default engine, whose lines the coverage is about."""
        del modules, data
        raise EngineError("capability", f"engine {self.name} runs no tests; the default engine does")

    def _write_modules(self, folder: Path, sources: Mapping[str, str]) -> dict[str, str]:
        """Write sources and capabilities; give the modules' names by the file they are in."""
        files = {}
        (folder / _CHECKED).write_text(CHECKED_MODULE, "utf-8")
        files[_CHECKED] = _CHECKED
        for index, (name, source) in enumerate(sorted(sources.items())):
            files[f"{index}.rego"] = name
            (folder / f"{index}.rego").write_text(source, "utf-8", newline="")
        (folder / "capabilities.json").write_bytes(canonical_json(self._capabilities()))
        return files

    def _capabilities(self) -> dict[str, Any]:
        allowed = [
            item
            for item in self._known["builtins"]
            if item["name"] in ARITY or item["name"] in _OPERATORS or item.get("infix")
        ]
        features = [item for item in self._known.get("features", ()) if item in _FEATURES]
        return {"builtins": allowed, "allow_net": [], "future_keywords": [], "features": features}

    def _entry_points(
        self, folder: Path, modules: Mapping[str, Module], data: dict[str, Any], options: list[str]
    ) -> list[tuple[str, str]]:
        sources = {name: module.source for name, module in modules.items()}
        key = canonical_json({"sources": sources, "data": sorted(data), "options": options})
        if key not in self._entries:
            trees = self._old_trees(folder, sources) if options else self._trees(folder, sources)
            self._entries[key] = check(trees, data)
        return self._entries[key]

    def _trees(self, folder: Path, sources: Mapping[str, str]) -> Any:
        """Have all modules parsed in one go; the function knows Rego v1 alone."""
        (folder / "sources.json").write_bytes(canonical_json(dict(sources)))
        command = ["eval", "--format", "json", "--strict-builtin-errors", "--input"]
        reply = self._run(*command, str(folder / "sources.json"), _TREES, limits=self._starting)
        return _value(reply, {})

    def _old_trees(self, folder: Path, sources: Mapping[str, str]) -> Any:
        """Have each module parsed as Rego v0."""
        trees, file = {}, folder / "source.rego"
        for name, source in sources.items():
            file.write_text(source, "utf-8", newline="")
            reply = self._run("parse", "--format", "json", *_OLD, str(file), limits=self._starting)
            trees[name] = _answer(reply, {str(file): name})
        return trees

    def _eval(
        self, folder: Path, files: dict[str, str], query: str, document: str, *options: str, data: str
    ) -> Any:
        command = ["eval", "--format", "json", "--strict", "--strict-builtin-errors", *options]
        command += ["--capabilities", str(folder / "capabilities.json"), "--input", str(folder / document)]
        for file in (*files, data):
            command += ["--data", str(folder / file)]
        return _value(
            self._run(*command, query, limits=self.limits),
            {str(folder / file): name for file, name in files.items()},
        )

    def _run(self, *arguments: str, limits: Limits) -> bytes:
        memory = limits.memory_bytes * _ADDRESS_SPACE_FACTOR
        start = [sys.executable, "-I", "-S", str(_START), str(memory), str(int(limits.wall_seconds) + 1)]
        start += [str(Path(pratique.__file__).parent.parent), "--", self._program, *arguments]
        return run(start, limits)


def _options(modules: Mapping[str, Module]) -> list[str]:
    versions = {module.rego for module in modules.values()}
    if len(versions) > 1:
        raise EngineError("capability", "engine opa takes modules of one language version at a time")
    return _OLD if versions == {"v0"} else []


def _answer(reply: bytes, names: dict[str, str]) -> dict[str, Any]:
    """Read what OPA says; errors name our modules, not where they were put."""
    try:
        answer = msgspec.json.decode(reply, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EngineError("crash", f"opa's answer: {error}") from error
    if errors := answer.get("errors"):
        raise _refusal(errors[0], names)
    return answer


def _value(reply: bytes, names: dict[str, str]) -> Any:
    """Give the value of the one expression asked for."""
    answer = _answer(reply, names)
    try:
        return answer["result"][0]["expressions"][0]["value"]
    except (KeyError, IndexError, TypeError):
        raise EngineError("eval", "a rule set is undefined") from None


def _refusal(error: dict[str, Any], names: dict[str, str]) -> EngineError:
    place = error.get("location") or {}
    message, code = str(error.get("message", error)), str(error.get("code", ""))
    for path, name in names.items():
        message = message.replace(path, name)
    message = " ".join(message.split())
    where = names.get(place.get("file", ""), "")
    if where == _CHECKED:
        kind = re.search(r'parsing "(\w+)"', message)
        got = kind[1] if kind else message[:_SHOWN]
        return EngineError("eval", f"`some … in` expects an array, a set or an object, and got: {got}")
    prefix = f"{where}:{place['row']}: " if where else ""
    if undefined := re.fullmatch(r"undefined function (\S+)", message):
        message = f"{undefined[1]} is no function that rules may call; docs/policy.md lists them"
        return EngineError("capability", prefix + message)
    late = code.startswith("eval") and "rego_parse_error" not in message
    return EngineError("eval" if late else "compile", (prefix + message)[:_SHOWN])
