"""Reads Rego source as text, before any parser does: how deep it nests, and what its METADATA comments say.

Annotations follow OPA (https://www.openpolicyagent.org/docs/policy-language#annotations): a comment that is
the word METADATA, then a YAML mapping in the comment lines that follow at once. A block speaks of the
statement after it. Engines drop comments, so they are read here, and nothing in them is executed.
"""

from __future__ import annotations

import functools
import itertools
import re
from typing import Any, Final, Literal

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.strict_yaml import parse_yaml
from pratique.policy.settings import nearest

Scope = Literal["rule", "document", "package", "subpackages"]

# Possessive, so that text made to look like an endless string costs no more than reading it.
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*+"|`[^`]*+`|#[^\n]*+')
_TOKEN = re.compile(_QUOTED.pattern + r"|[{}\[\]()]")
_PACKAGE = re.compile(r"^package[ \t]+([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)[ \t]*(?:#.*)?$", re.MULTILINE)
_STATEMENT = re.compile(r"(?:default[ \t]+)?([A-Za-z_]\w*)")
_MARK = re.compile(r"#[ \t]*METADATA[ \t\r]*\Z")
_CALL = re.compile(
    r"(?<![\w.])(?:rego[ \t]*\.[ \t]*metadata[ \t]*\.[ \t]*(chain|rule)|time[ \t]*\.[ \t]*(now_ns))"
    r"[ \t]*\([ \t]*\)"
)
_HEAD = re.compile(r"^[A-Za-z_]", re.MULTILINE)
_TOP: Final = {
    "scope",
    "title",
    "description",
    "related_resources",
    "authors",
    "organizations",
    "schemas",
    "entrypoint",
    "custom",
}
_MAX_BLOCK: Final = 64 * 1024


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One METADATA block.

    Attributes:
        file: module it is in.
        line: where it starts, from 1.
        end: offset in the source of the first character after the block.
        scope: what it speaks of.
        rule: name of the rule it stands above; empty above a package clause or an import.
        table: what it says, as JSON values.
    """

    file: str
    line: int
    end: int
    scope: Scope
    rule: str
    table: dict[str, Any]

    @property
    def custom(self) -> dict[str, Any]:
        """The `custom` table, which OPA leaves to its users."""
        custom: dict[str, Any] = self.table.get("custom") or {}
        return custom


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What the text of one module shows.

    Attributes:
        file: its name.
        package: what the package clause names, dotted.
        blocks: in order.
        heads: offset and name of each top-level statement that could be a rule, in order.
        calls: offset, length and name of each call that is answered before evaluation: `rego.metadata.chain`,
            `rego.metadata.rule`, `time.now_ns`.
    """

    file: str
    package: str
    blocks: tuple[Block, ...]
    heads: tuple[tuple[int, str], ...]
    calls: tuple[tuple[int, int, str], ...]


@functools.lru_cache(maxsize=256)
def nesting(source: str) -> int:
    """Count the deepest bracket nesting, comments and strings skipped; kept, as it is asked for often."""
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


def bracket_depths(source: str) -> list[int]:
    """Give for each line how deep in brackets it begins, comments and strings skipped."""
    depths, depth = [], 0
    for line in _without(source, comments=True).split("\n"):
        depths.append(depth)
        depth += sum(line.count(char) for char in "{[(") - sum(line.count(char) for char in ")]}")
    return depths


def outline(file: str, source: str) -> Outline:
    """Read one module's text.

    That the text's package is the one the engine sees is not taken on trust: exactly one line outside strings
    may look like a package clause, and the parser needs one at the top.

    Raises:
        ConfigError: no package clause or several, or a METADATA block that does not hold up.
    """
    bare = _without(source, comments=True)
    packages = _PACKAGE.findall(bare)
    if len(packages) != 1:
        raise ConfigError(f"{file}: needs exactly one line `package <name>`, of plain words joined by dots")
    heads = tuple(
        (match.start(), found[1])
        for match in _HEAD.finditer(bare)
        if (found := _STATEMENT.match(bare, match.start())) and found[1] not in {"package", "import", "else"}
    )
    return Outline(
        file=file,
        package=packages[0],
        blocks=tuple(_blocks(file, _without(source, comments=False), bare)),
        heads=heads,
        calls=tuple((match.start(), len(match[0]), match[1] or match[2]) for match in _CALL.finditer(bare)),
    )


def _without(source: str, *, comments: bool) -> str:
    """Blank out strings, and comments too, at the same length and with the same lines."""

    def blank(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] == "#":
            return " " * len(token) if comments else token
        return "\n".join(" " * len(line) for line in token.split("\n"))

    return _QUOTED.sub(blank, source)


def _blocks(file: str, text: str, bare: str) -> list[Block]:
    lines = text.split("\n")
    starts = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    found = []
    for number, line in enumerate(lines):
        if _MARK.match(line):
            after = number + 1
            while after < len(lines) and lines[after].startswith("#"):
                after += 1
            end = min(starts[after], len(text))
            found.append(_block(file, number + 1, lines[number + 1 : after], end, bare))
    return found


def _block(file: str, line: int, comment: list[str], end: int, bare: str) -> Block:
    where = f"{file}:{line}"
    yaml = "\n".join(text[1:].removeprefix(" ") for text in comment)
    try:
        table = parse_yaml(yaml.encode("utf-8", "replace"), what=f"{where}: METADATA", max_bytes=_MAX_BLOCK)
    except MalformedError as error:
        raise ConfigError(error.message, hint="see docs/policy-language.md, METADATA") from error
    if not isinstance(table, dict) or not isinstance(table.get("custom") or {}, dict):
        raise ConfigError(f"{where}: METADATA is no mapping, or its custom is none")
    for key in table:
        if key not in _TOP:
            raise ConfigError(f"{where}: METADATA has no key {key!r}", hint=nearest(key, _TOP))
    following = re.compile(r"\S[^\n]*").search(bare, end)
    statement = _STATEMENT.match(following[0]) if following else None
    name = statement[1] if statement else ""
    above = "package" if name == "package" else "rule"
    scope = table.get("scope", above)
    if scope not in {"rule", "document", "package", "subpackages"}:
        raise ConfigError(
            f"{where}: METADATA scope {scope!r} is none of rule, document, package, subpackages"
        )
    rule = "" if name in {"package", "import"} else name
    return Block(file=file, line=line, end=end, scope=scope, rule=rule, table=table)
