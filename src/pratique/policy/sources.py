"""A source of rules that a policy has besides its own: Rego files, with the conventions they are in.

Each source is evaluated by itself, over its own data. No source sees another's rules, so none can redefine a
helper of the shipped ones, and what it includes, excludes or excepts concerns its own rules alone.
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.clock import format_time
from pratique.model.digest import parse_digest
from pratique.policy.language.annotations import Outline, outline
from pratique.policy.language.catalogue import RuleInfo, catalogue, parse_moment
from pratique.policy.language.selection import Selection, Volatile, check_criterion
from pratique.policy.settings import typed

if TYPE_CHECKING:
    from collections.abc import Mapping

RegoVersion = Literal["v1", "v0"]
InputShape = Literal["evidence", "attestations"]

MAIN_NAME: Final = "pratique"
ADDED_PREFIX: Final = "project/"
_SHIPPED_PACKAGES: Final = {"pratique", "rule_data"}
# Where Conforma's rules look before the data files: what the configuration itself says.
CONFIGURED: Final = "rule_data__configuration__"
CONFORMA_DATA: Final = (CONFIGURED, "rule_data_custom")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
# What only the program itself reports.
RESERVED_CODES: Final = ("evidence.", "engine.", "policy.", "waivers.")


class VolatileTable(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A volatile criterion as it is written: times are RFC 3339 or a day.

    Attributes:
        value: the criterion.
        effective_on: first moment.
        effective_until: last moment.
        image_digest: the only artifact it is about, `sha256:…`.
        image_ref: the same; Conforma's older name.
        reason: why it is there.
    """

    value: str
    effective_on: str = ""
    effective_until: str = ""
    image_digest: str = ""
    image_ref: str = ""
    reason: str = ""


class SourceTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A source as it is written in a bundle.

    Attributes:
        name: tells it from the others, in every message.
        modules: Rego text by file name.
        rego: version of the language.
        input: what its rules see as `input`: `evidence`, or Conforma's `attestations`.
        data: what its rules see below `data`.
        include: criteria.
        exclude: criteria.
        volatile_include: criteria for a while, or for one artifact.
        volatile_exclude: likewise.
    """

    name: str
    modules: dict[str, str]
    rego: RegoVersion = "v1"
    input: InputShape = "evidence"
    data: dict[str, Any] = {}
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    volatile_include: tuple[VolatileTable, ...] = ()
    volatile_exclude: tuple[VolatileTable, ...] = ()


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One source of rules, checked.

    Attributes:
        name: see `SourceTable`.
        modules: by file name.
        rego: version of the language.
        input: what its rules see.
        data: below `data`.
        selection: which of its rules count.
        rules: what its METADATA declares, by code.
        outlines: what the modules' text shows.
        main: whether it is the policy itself: strict about codes, and nothing in it is excluded.
    """

    name: str
    modules: dict[str, str]
    rules: dict[str, RuleInfo]
    outlines: tuple[Outline, ...]
    rego: RegoVersion = "v1"
    input: InputShape = "evidence"
    data: dict[str, Any] = {}
    selection: Selection = Selection()
    main: bool = False

    def table(self) -> dict[str, Any]:
        """Give the plain table that `parse_source` reads back."""
        chosen = self.selection
        return {
            "name": self.name,
            "modules": self.modules,
            "rego": self.rego,
            "input": self.input,
            "data": self.data,
            "include": list(chosen.include),
            "exclude": list(chosen.exclude),
            "volatile_include": [_volatile_table(entry) for entry in chosen.volatile_include],
            "volatile_exclude": [_volatile_table(entry) for entry in chosen.volatile_exclude],
        }


_KEYS: Final = (*SourceTable.__struct_fields__, *VolatileTable.__struct_fields__)


def parse_source(table: Any, *, what: str) -> Source:
    """Type and check one source.

    Raises:
        ConfigError: any part that does not hold up.
    """
    wire = typed(table, SourceTable, what=what, known=_KEYS)
    if not _NAME.match(wire.name) or wire.name == MAIN_NAME:
        raise ConfigError(
            f"{what}: {wire.name!r} is no name for a source: lower-case letters, digits, - and _"
        )
    if not wire.modules:
        raise ConfigError(f"{what}: source {wire.name} has no rules at all")
    outlines = read_outlines(wire.modules)
    rules = catalogue(outlines, shipped=False)
    for info in rules.values():
        if info.code.startswith(RESERVED_CODES):
            raise ConfigError(f"{info.file}:{info.line}: code {info.code} is for pratique itself to report")
    for text in (*wire.include, *wire.exclude):
        check_criterion(text, f"{what}: source {wire.name}")
    return Source(
        name=wire.name,
        modules=dict(sorted(wire.modules.items())),
        rego=wire.rego,
        input=wire.input,
        data=wire.data,
        selection=Selection(
            include=wire.include,
            exclude=wire.exclude,
            volatile_include=tuple(_volatile(item, what) for item in wire.volatile_include),
            volatile_exclude=tuple(_volatile(item, what) for item in wire.volatile_exclude),
        ),
        rules=rules,
        outlines=outlines,
    )


def main_source(modules: Mapping[str, str]) -> Source:
    """Give the policy itself as a source.

    A project's additions are named `project/<file>`, and stay out of the shipped packages, where they could
    redefine a helper.

    Raises:
        ConfigError: a module without METADATA, a code declared twice, an addition in a shipped package.
    """
    outlines = read_outlines(modules)
    for item in outlines:
        if item.file.startswith(ADDED_PREFIX) and item.package.split(".")[0] in _SHIPPED_PACKAGES:
            raise ConfigError(
                f"{item.file}: package {item.package} is the shipped policy's own",
                hint="use a package of your own",
            )
    return Source(
        name=MAIN_NAME,
        modules=dict(sorted(modules.items())),
        rules=catalogue(outlines, shipped=True),
        outlines=outlines,
        main=True,
    )


def read_outlines(modules: Mapping[str, str]) -> tuple[Outline, ...]:
    """Read all modules' texts, in the order of their names.

    Raises:
        ConfigError: as `annotations.outline`.
    """
    return tuple(outline(name, text) for name, text in sorted(modules.items()))


def check_codes(main: Source, sources: tuple[Source, ...]) -> None:
    """Refuse sources of one name, and a code that two of them declare: a decision could not tell them apart.

    Raises:
        ConfigError: see above.
    """
    owner: dict[str, str] = dict.fromkeys(main.rules, "the policy itself")
    names = {main.name}
    for source in sources:
        if source.name in names:
            raise ConfigError(
                f"policy: two sources are called {source.name}", hint="give one a name of its own"
            )
        names.add(source.name)
        for code in source.rules:
            if code in owner:
                raise ConfigError(
                    f"policy: source {source.name} declares code {code}, as does {owner[code]}",
                    hint="rename the package or the short_name",
                )
            owner[code] = f"source {source.name}"


def _volatile(entry: VolatileTable, what: str) -> Volatile:
    check_criterion(entry.value, what)
    if entry.image_digest and entry.image_ref:
        raise ConfigError(f"{what}: {entry.value}: image_digest and image_ref say the same: leave one out")
    about = entry.image_digest or entry.image_ref
    try:
        subject = parse_digest(about) if about else None
    except MalformedError as error:
        raise ConfigError(f"{what}: {entry.value}: {error.message}") from error
    on, until = _moment(entry.effective_on, what), _moment(entry.effective_until, what)
    if on and until and until < on:
        raise ConfigError(f"{what}: {entry.value}: effective_until is before effective_on")
    return Volatile(
        value=entry.value, effective_on=on, effective_until=until, subject=subject, reason=entry.reason
    )


def _moment(text: str, what: str) -> datetime | None:
    try:
        return parse_moment(text).replace(microsecond=0) if text else None
    except ValueError as error:
        raise ConfigError(f"{what}: {text!r} is neither RFC 3339 nor YYYY-MM-DD") from error


def _volatile_table(entry: Volatile) -> dict[str, Any]:
    table = VolatileTable(
        value=entry.value,
        effective_on=format_time(entry.effective_on) if entry.effective_on else "",
        effective_until=format_time(entry.effective_until) if entry.effective_until else "",
        image_digest=str(entry.subject) if entry.subject else "",
        reason=entry.reason,
    )
    plain: dict[str, Any] = msgspec.to_builtins(table)
    return plain
