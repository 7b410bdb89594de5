"""What can be known of a policy without evidence: all its problems at once, each with its place.

The gate refuses a policy at the first thing that is wrong with it. Whoever writes one wants the whole list,
and besides it what would never be refused and still is a mistake: a reference to rule data that nobody sets
is undefined in Rego, and the rule silent with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError, PratiqueError
from pratique.policy.bundle import PolicyBundle, make_bundle
from pratique.policy.engine.port import Engine, EngineError, Module
from pratique.policy.files import TEST_SUFFIX, files_below
from pratique.policy.results import ask
from pratique.policy.rule_data import RuleData, rule_data_table
from pratique.policy.settings import nearest
from pratique.policy.suite.source import OWN_PREFIX, is_whole, load_source, read_text, source_data

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pratique.policy.sources import Source

_NOTHING: Final[dict[str, dict[str, Any]]] = {
    "evidence": {"subject": {}, "effective_time": "2026-01-01T00:00:00Z", "evidence": {}},
    "attestations": {"image": {"ref": ""}, "attestations": []},
}
_MAX_BLOCKS: Final = 1000
_PLACE: Final = re.compile(
    r"(?:project/)?(?P<file>[\w./-]+\.rego)(?::(?P<line>\d+))?(?::\d+)?: (?P<rest>.*)\Z", re.DOTALL
)
_NOT_CODE: Final = re.compile(r'(?P<text>"(?:[^"\\\n]|\\.)*+"|`[^`]*`)|#[^\n]*')
_DATA: Final = re.compile(r"\bdata\.rule_data\.(\w+)(?:\.(\w+))?")
_MARK: Final = re.compile(r"#[ \t]*METADATA[ \t\r]*\Z")
_MISSED: Final = re.compile(r"is neither a rule|is no function that rules may call")
_LITERAL: Final = re.compile(r'"code":\s*"([^"\\]*)"')


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing that is wrong.

    Attributes:
        file: within the folder; empty where it is about the whole.
        line: from 1; 0 where there is none.
        level: an `error` keeps the policy from being used; a `warning` does not.
        rule: what kind of problem, a stable word.
        message: what is wrong, and what to do.
    """

    file: str
    line: int
    level: Literal["error", "warning"]
    rule: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return f"{place}{self.level}: {self.message} [{self.rule}]"


def check_source(folder: Path, engine: Engine, *, profile: str, trust_domain: str) -> tuple[Problem, ...]:
    """Check a source folder (reads it, and runs the engine without evidence).

    Raises:
        ConfigError: there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder", hint=f"make one with: pratique policy init {folder}")
    found = list(_files(folder))
    if not any(problem.level == "error" for problem in found):
        found += _whole(folder, engine, profile, trust_domain)
    return tuple(sorted(set(found)))


def check_bundle(bundle: PolicyBundle, engine: Engine) -> tuple[Problem, ...]:
    """Check a policy that has become a bundle already."""
    found = [*_evaluated(bundle, engine)]
    for file, text in bundle.modules.items():  # further sources have data and conventions of their own
        found += [*_unset_data(file, text, bundle.data), *_codes(file, text, bundle)]
    for source in bundle.sources:
        found += _source_evaluated(source, bundle, engine)
    return tuple(sorted(set(found)))


def _files(folder: Path) -> Iterator[Problem]:
    """Check each file for itself."""
    try:
        modules = _modules(folder)
    except ConfigError as error:
        yield _located(_said(error).removeprefix(f"{folder}/"), "unreadable", "")
        return
    if not modules:
        yield _error("no-rules", f"{folder}: no *.rego files in it")
    for name, path in modules.items():
        try:
            source = read_text(path)
        except ConfigError as error:
            yield _located(error.message.removeprefix(f"{folder}/"), "unreadable", name)
            continue
        yield from _metadata(name, source, own=not is_whole(folder))
    try:
        source_data(folder)
    except ConfigError as error:
        yield Problem(file="data.json", line=0, level="error", rule="data", message=error.message)


def _modules(folder: Path) -> dict[str, Path]:
    """List the rules below a folder by their names in it, as they are loaded."""
    return {
        path.relative_to(folder).as_posix(): path
        for path in files_below(folder, {".rego"})
        if not path.name.endswith(TEST_SUFFIX)
    }


def _metadata(file: str, source: str, *, own: bool) -> Iterator[Problem]:
    """Read a module's package and METADATA, and go on behind each block that is wrong."""
    lines = source.split("\n")
    name = f"{OWN_PREFIX if own else ''}{file}"
    for _ in range(_MAX_BLOCKS):
        try:
            make_bundle({name: "\n".join(lines)}, {}, _SOME_TRUST)
        except ConfigError as error:
            problem = _located(_said(error), "metadata", file)
        else:
            return
        yield problem
        if not problem.line or not _blank(lines, problem.line):
            return


def _blank(lines: list[str], number: int) -> bool:
    """Put a sound METADATA block in the place of the one around a line, so that the next one can be read."""
    start = number - 1
    while start >= 0 and not _MARK.match(lines[start]):
        if not lines[start].startswith("#"):
            return False
        start -= 1
    if start < 0:
        return False
    block = [f"# {{title: taken out, custom: {{short_name: taken-out-{number}}}}}"]
    for at in range(start + 1, len(lines)):
        if not lines[at].startswith("#"):
            break
        lines[at] = block.pop() if block else "#"
    return not block


def _whole(folder: Path, engine: Engine, profile: str, trust_domain: str) -> Iterator[Problem]:
    """Check what the files make together."""
    try:
        bundle = load_source(folder, profile=profile, requirements={"trust_domain": trust_domain})
    except ConfigError as error:
        yield _located(_said(error), "policy", "")
        return
    except PratiqueError as error:
        yield _error("policy", error.message)
        return
    yield from check_bundle_sources(bundle, engine, own_only=not is_whole(folder))
    for name, path in _modules(folder).items():
        if not path.with_name(f"{path.stem}{TEST_SUFFIX}").exists():
            yield Problem(
                file=name,
                line=0,
                level="warning",
                rule="untested",
                message=f"no {path.stem}{TEST_SUFFIX} beside it",
            )


def check_bundle_sources(bundle: PolicyBundle, engine: Engine, *, own_only: bool) -> Iterator[Problem]:
    """Check a bundle's modules, and leave out what a project did not write."""
    for problem in check_bundle(bundle, engine):
        if not own_only or problem.file.startswith(OWN_PREFIX) or problem.level == "error":
            yield msgspec.structs.replace(problem, file=problem.file.removeprefix(OWN_PREFIX))


def _evaluated(bundle: PolicyBundle, engine: Engine) -> Iterator[Problem]:
    """Let the engine parse and check everything; on no evidence, so that nothing depends on any.

    It stops at the first problem, so a file that has one is left out and the others are asked again. What
    they then miss of it is no problem of theirs.
    """
    document = _NOTHING["evidence"]
    left = {name: Module(source=source, rego=bundle.main.rego) for name, source in bundle.modules.items()}
    complete = True
    while left:
        try:
            engine.evaluate(left, {"rule_data": rule_data_table(bundle.data)}, document)
        except EngineError as error:
            problem = _located(error.message, error.phase, "")
            prefix = OWN_PREFIX if f"{OWN_PREFIX}{problem.file}" in left else ""
            problem = msgspec.structs.replace(problem, file=f"{prefix}{problem.file}" if problem.file else "")
            if complete or not _MISSED.search(problem.message):
                yield problem
            if left.pop(problem.file, None) is None:
                return
            complete = False
        else:
            return


def _source_evaluated(source: Source, bundle: PolicyBundle, engine: Engine) -> Iterator[Problem]:
    """Let the engine parse and check a further source, on no evidence; it stops at the first problem."""
    try:
        ask(source, bundle, engine, _NOTHING[source.input], 0.0)
    except EngineError as error:
        problem = _located(error.message, error.phase, "")
        yield msgspec.structs.replace(problem, file=f"{source.name}/{problem.file}".removesuffix("/"))


def _unset_data(file: str, source: str, data: RuleData) -> Iterator[Problem]:
    """Find references to rule data that nobody sets: they are undefined, and silence their rule."""
    table: dict[str, Any] = rule_data_table(data)
    for number, line in enumerate(_code(source).split("\n"), 1):
        for first, second in _DATA.findall(line):
            below = table.get(first)
            if first not in table:
                text, near = f"data.rule_data.{first}", nearest(first, table)
            elif second and isinstance(below, dict) and second not in below:
                text, near = f"data.rule_data.{first}.{second}", nearest(second, below)
            else:
                continue
            yield Problem(
                file=file,
                line=number,
                level="error",
                rule="unset-data",
                message=f"{text} is set nowhere, so this is undefined; {near or 'set it in data.json'}",
            )


def _codes(file: str, source: str, bundle: PolicyBundle) -> Iterator[Problem]:
    """Compare the codes that METADATA declares with those that rules report."""
    for number, line in enumerate(source.split("\n"), 1):
        for code in _LITERAL.findall(line):
            if code not in bundle.rules:
                yield Problem(
                    file=file,
                    line=number,
                    level="error",
                    rule="undeclared-code",
                    message=f"code {code!r} is declared by no METADATA; {nearest(code, bundle.rules)}",
                )
    for code, info in bundle.rules.items():
        # A rule may put its code together: then its last part is there alone.
        if info.file == file and not any(f'"{text}"' in source for text in (code, code.rpartition(".")[2])):
            yield Problem(
                file=file,
                line=info.line,
                level="warning",
                rule="unreported-code",
                message=f"no rule in the file reports code {code}",
            )


def _code(source: str) -> str:
    """Blank comments out; strings stay, as a reference cannot hide in one."""
    return _NOT_CODE.sub(lambda found: found["text"] or "", source)


def _located(message: str, rule: str, file: str) -> Problem:
    """Take the place out of an error's message."""
    found = _PLACE.match(message)
    if not found:
        return Problem(file=file, line=0, level="error", rule=rule, message=message)
    return Problem(
        file=found["file"], line=int(found["line"] or 0), level="error", rule=rule, message=found["rest"]
    )


def _said(error: PratiqueError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _error(rule: str, message: str) -> Problem:
    return Problem(file="", line=0, level="error", rule=rule, message=message)


_SOME_TRUST: Final[dict[str, Any]] = {
    "trust_domain": "pratique.local",
    "roles": {"builder": {"signers": ["spiffe://{trust_domain}/builder"], "may_sign": ["provenance"]}},
    "require": {"provenance": {"command": "pratique build"}},
}
