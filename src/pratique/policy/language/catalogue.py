"""What a source's METADATA declares: one entry for each code that its rules can report.

Keys under `custom` are Conforma's where it has one (https://conforma.dev/docs/policy/authoring.html):
`short_name`, `failure_msg`, `solution`, `collections`, `effective_on`, `depends_on`, `severity`; `needs` and
`controls` are ours. What a rule's block leaves out is taken from the nearest block above it that says it: of
the document, the package, the enclosing packages. `short_name`, `title`, `description` and `failure_msg` are
not handed down from packages: they speak of one rule.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError
from pratique.policy.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.policy.language.annotations import Block, Outline

Outcome = Literal["failure", "warning", ""]

ENTRY: Final = re.compile(r"(deny|violation|warn)(_\w+)*\Z")
GRAVITIES: Final = ("critical", "high", "medium", "low")
DEFAULT_GRAVITY: Final = "high"
_OUTCOMES: Final = {"failure", "warning"}
_CODE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+\Z")
_SHIPPED_CODE = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+\Z")
_OF_ONE_RULE: Final = {"short_name", "failure_msg"}
_KNOWN: Final = {
    "short_name",
    "failure_msg",
    "solution",
    "collections",
    "effective_on",
    "depends_on",
    "severity",
    "needs",
    "controls",
}
_CLOSE: Final = 0.85


class RuleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What one METADATA block declares of a rule.

    Attributes:
        code: stable id of what the rule checks.
        package: Rego package it is in.
        rule: name of the rule, for example `deny`.
        title: what holds when the rule is silent.
        description: why it matters.
        severity: how grave a failure is: critical, high, medium or low.
        outcome: `warning` makes a denial a warning, `failure` a warning a denial; empty: as the rule's name.
        solution: what to do about it.
        needs: predicate short name without which the rule has nothing to look at; empty for none.
        controls: practices it serves, for example `SSDF:PW.6.2`.
        collections: what it is a part of; selected as `@name`.
        effective_on: before this moment a violation is a warning.
        depends_on: codes without whose success this rule has nothing to say.
        file: module it is in.
        line: where the block starts, from 1.
    """

    code: str
    package: str
    rule: str
    title: str
    description: str = ""
    severity: str = DEFAULT_GRAVITY
    outcome: Outcome = ""
    solution: str = ""
    needs: str = ""
    controls: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    effective_on: datetime | None = None
    depends_on: tuple[str, ...] = ()
    file: str = ""
    line: int = 0


def catalogue(outlines: Iterable[Outline], *, shipped: bool) -> dict[str, RuleInfo]:
    """Collect what all modules of a source declare, by code.

    Args:
        outlines: the modules.
        shipped: whether each module with such rules must declare something, under codes of the short form
            `<package's last part>.<short_name>`. Otherwise a code is `<package>.<short_name>`, as Conforma's.

    Raises:
        ConfigError: a code declared twice, a malformed block, or, of a shipped module, a missing one.
    """
    outlines = sorted(outlines, key=lambda item: item.file)
    blocks = {item.file: above(item, outlines) for item in outlines}
    found: dict[str, RuleInfo] = {}
    for item in outlines:
        infos = [
            _info(item.package, chain, shipped=shipped)
            for chain in blocks[item.file]
            if ENTRY.match(chain[0].rule) and "short_name" in chain[0].custom
        ]
        if shipped and not infos and any(ENTRY.match(name) for _, name in item.heads):
            raise ConfigError(
                f"{item.file}: no METADATA block with custom.short_name",
                hint="annotate each rule as in docs/policy-language.md; its code appears in every decision",
            )
        for info in infos:
            if info.code in found:
                earlier = found[info.code]
                raise ConfigError(
                    f"{info.file}:{info.line}: code {info.code} is declared in"
                    f" {earlier.file}:{earlier.line} too"
                )
            found[info.code] = info
    return found


def above(module: Outline, modules: Iterable[Outline]) -> list[tuple[Block, ...]]:
    """Give for each rule block of a module the chain of blocks that speak of the rule, nearest first."""
    everything = [(other.package, block) for other in modules for block in other.blocks]
    return [
        (block, *inherited(module.package, block.rule, everything))
        for block in module.blocks
        if block.rule and block.scope == "rule"
    ] + [
        (block, *inherited(module.package, "", everything))
        for block in module.blocks
        if block.rule and block.scope == "document"
    ]


def inherited(package: str, rule: str, everything: Iterable[tuple[str, Block]]) -> list[Block]:
    """Give the blocks that speak of all rules of a name, if any, of the package, and of those around it."""
    found = []
    for owner, block in everything:
        if block.scope == "document" and rule and (owner, block.rule) == (package, rule):
            found.append((0, block))
        elif block.scope == "package" and not block.rule and owner == package:
            found.append((1, block))
        elif block.scope == "subpackages" and not block.rule and f"{package}.".startswith(f"{owner}."):
            found.append((2 + len(package) - len(owner), block))
    return [block for _, block in sorted(found, key=lambda item: (item[0], item[1].file, item[1].line))]


def _info(package: str, chain: tuple[Block, ...], *, shipped: bool) -> RuleInfo:
    block = chain[0]
    where = f"{block.file}:{block.line}"
    custom = _custom(chain)
    _refuse_near_misses(custom, where)
    prefix = package.rsplit(".", 1)[-1].replace("_", "-") if shipped else package
    code = f"{prefix}.{custom['short_name']}"
    title = block.table.get("title")
    if shipped and (not _SHIPPED_CODE.match(code) or not title):
        raise ConfigError(f"{where}: METADATA needs a title and a short_name of lower-case words and dashes")
    if not _CODE.match(code):
        raise ConfigError(f"{where}: short_name {custom['short_name']!r} is no word")
    severity, outcome = severity_of(custom.get("severity", ""), where)
    return RuleInfo(
        code=code,
        package=package,
        rule=block.rule,
        title=_text(title, where, "title") or f"{code} has nothing to report",
        description=_text(block.table.get("description"), where, "description"),
        severity=severity or DEFAULT_GRAVITY,
        outcome=outcome,
        solution=_text(custom.get("solution"), where, "solution"),
        needs=_text(custom.get("needs"), where, "needs"),
        controls=_texts(custom.get("controls"), where, "controls"),
        collections=_texts(custom.get("collections"), where, "collections"),
        effective_on=_moment(custom.get("effective_on"), where),
        depends_on=_texts(custom.get("depends_on"), where, "depends_on"),
        file=block.file,
        line=block.line,
    )


def _custom(chain: tuple[Block, ...]) -> dict[str, Any]:
    custom: dict[str, Any] = {}
    for block in reversed(chain):
        handed_down = block is chain[0] or block.scope == "document"
        custom |= {
            key: value for key, value in block.custom.items() if handed_down or key not in _OF_ONE_RULE
        }
    return custom


def _refuse_near_misses(custom: dict[str, Any], where: str) -> None:
    """`custom` is free for other keys, but a slip of the pen there would weaken a rule unnoticed."""
    for key in sorted(custom.keys() - _KNOWN):
        if difflib.get_close_matches(key, _KNOWN, n=1, cutoff=_CLOSE):
            raise ConfigError(f"{where}: METADATA custom has {key!r}", hint=nearest(key, _KNOWN))


def severity_of(value: object, where: str) -> tuple[str, Outcome]:
    """Read a severity: a gravity of ours, or what Conforma makes of the result, `failure` or `warning`.

    Raises:
        ConfigError: neither.
    """
    text = value.lower() if isinstance(value, str) else value
    if text == "":
        return "", ""
    if text in GRAVITIES:
        return str(text), ""
    if text == "failure" or text == "warning":  # noqa: PLR1714 - mypy narrows a comparison, not a membership
        return "", text
    raise ConfigError(
        f"{where}: severity {value!r} is none of {', '.join(GRAVITIES)}, {', '.join(sorted(_OUTCOMES))}"
    )


def parse_moment(text: str) -> datetime:
    """Read a time as Conforma does: RFC 3339, or a day, which begins at midnight UTC.

    Raises:
        ValueError: neither.
    """
    if not re.match(
        r"(?:19|20|21)\d\d-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[-+]\d\d:\d\d))?\Z", text, re.ASCII
    ):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def _moment(value: object, where: str) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return parse_moment(value if isinstance(value, str) else "")
    except ValueError as error:
        raise ConfigError(f"{where}: effective_on {value!r} is neither RFC 3339 nor YYYY-MM-DD") from error


def _text(value: object, where: str, key: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {key} is no text")
    return value.strip()


def _texts(value: object, where: str, key: str) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value] if value is not None else []
    return tuple(_text(item, where, key) for item in items)
