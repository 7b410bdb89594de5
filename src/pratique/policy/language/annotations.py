"""Looks at Rego source before any parser does: how deep it nests, and what its METADATA comments declare.

Annotations follow OPA's convention (`# METADATA`, then a YAML mapping in the comment), in the small part of
YAML that needs no YAML parser: `key: value`, one nested mapping under `custom:`, and lists of plain words
in brackets. The engine drops comments, so they are read here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*+"|`[^`]*`|#[^\n]*|[{}\[\]()]')
_CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+\Z")
_LINE = re.compile(r"(?P<indent> *)(?P<key>[a-z_]+):(?: +(?P<value>\S.*))?\Z")
_TOP: Final = {"scope", "title", "description", "custom"}
_CUSTOM: Final = {"short_name", "severity", "solution", "needs", "controls"}
_SEVERITIES: Final = {"critical", "high", "medium", "low"}


class RuleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What one METADATA block declares.

    Attributes:
        code: stable id of what the rule checks: `<package's last part>.<short_name>`.
        title: what holds when the rule is silent.
        description: why it matters.
        severity: how grave a failure is.
        solution: what to do about it.
        needs: predicate short name without which the rule has nothing to look at; empty for none.
        controls: practices it serves, for example `SSDF:PW.6.2`.
        file: module it is in.
        line: where the block starts, from 1.
    """

    code: str
    title: str
    description: str
    severity: str
    solution: str
    needs: str
    controls: tuple[str, ...]
    file: str
    line: int


def nesting(source: str) -> int:
    """Count the deepest bracket nesting, comments and strings skipped."""
    deepest = depth = 0
    for token in _TOKEN.finditer(source):
        match token.group():
            case "{" | "[" | "(":
                depth += 1
                deepest = max(deepest, depth)
            case "}" | "]" | ")":
                depth -= 1
            case _:
                pass
    return deepest


def catalogue(modules: Mapping[str, str]) -> dict[str, RuleInfo]:
    """Collect what all modules declare, by code.

    Raises:
        ConfigError: a module that declares nothing, a code declared twice, or a malformed block.
    """
    found: dict[str, RuleInfo] = {}
    for file, source in sorted(modules.items()):
        infos = _annotations(file, source)
        if not infos:
            raise ConfigError(
                f"{file}: no METADATA block with custom.short_name",
                hint="annotate each rule as in docs/policy.md; its code appears in every decision",
            )
        for info in infos:
            if info.code in found:
                earlier = found[info.code]
                raise ConfigError(
                    f"{file}:{info.line}: code {info.code} is declared in {earlier.file}:{earlier.line} too"
                )
            found[info.code] = info
    return found


def _annotations(file: str, source: str) -> list[RuleInfo]:
    package = re.search(r"^package\s+([A-Za-z0-9_.]+)", source, re.MULTILINE)
    prefix = package[1].rsplit(".", 1)[-1].replace("_", "-") if package else file.removesuffix(".rego")
    lines = source.split("\n")
    infos: list[RuleInfo] = []
    for start, line in enumerate(lines):
        if line.strip() == "# METADATA":
            block = _block(file, start, lines)
            if "short_name" in block:
                infos.append(_info(file, start + 1, prefix, block))
    return infos


def _block(file: str, start: int, lines: list[str]) -> dict[str, str]:
    """Read one block into a flat mapping; `custom`'s keys and the top level's are disjoint."""
    block: dict[str, str] = {}
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if not line.startswith("#"):
            break
        text = line[1:].removeprefix(" ").rstrip()
        found = _LINE.match(text)
        allowed = (_CUSTOM if found["indent"] else _TOP) if found else set()
        if not found or found["key"] not in allowed or found["key"] in block:
            raise ConfigError(
                f"{file}:{number}: METADATA cannot be read here: {text[:60]!r}",
                hint=f"one line each of {', '.join(sorted(_TOP | _CUSTOM))}; see docs/policy.md",
            )
        block[found["key"]] = (found["value"] or "").strip().strip('"')
    return block


def _info(file: str, line: int, prefix: str, block: dict[str, str]) -> RuleInfo:
    where = f"{file}:{line}"
    code = f"{prefix}.{block['short_name']}"
    severity = block.get("severity", "high")
    if not _CODE.match(code) or not block.get("title"):
        raise ConfigError(f"{where}: METADATA needs a title and a short_name of lower-case words and dashes")
    if severity not in _SEVERITIES:
        raise ConfigError(f"{where}: severity {severity!r} is none of {', '.join(sorted(_SEVERITIES))}")
    controls = block.get("controls", "").strip("[]")
    return RuleInfo(
        code=code,
        title=block["title"],
        description=block.get("description", ""),
        severity=severity,
        solution=block.get("solution", ""),
        needs=block.get("needs", ""),
        controls=tuple(item.strip().strip('"') for item in controls.split(",") if item.strip()),
        file=file,
        line=line,
    )
