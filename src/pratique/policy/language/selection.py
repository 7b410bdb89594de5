"""Include and exclude: which of a source's rules count, by Conforma's scores.

The criteria and scores are those of https://conforma.dev/docs/cli/configuration.html, "Including and
excluding rules" and "Volatile inclusions and exclusions":

- `@collection` scores 10, and nothing more;
- otherwise 1 for `*`, 10 for a package (`pkg`, `pkg.`, `pkg.*`), 100 more for a term (`…:term`), 100 more
  for a rule (`pkg.rule`);
- the scores of all criteria that match are added up, for each list; a rule or finding is included if its
  include score is the higher one. Without any include criterion in force, there is `*`.

A package is known by its whole name and by its last part. Time is the effective time; it is an argument.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from pratique.errors import ConfigError
from pratique.model.clock import format_time
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

Kind = Literal["include", "exclude"]

_COLLECTION: Final = 10
_EVERYTHING: Final = 1
_PACKAGE: Final = 10
_TERM: Final = 100
_RULE: Final = 100


class Volatile(msgspec.Struct, frozen=True, kw_only=True):
    """One criterion that holds for a while, or for one artifact.

    Attributes:
        value: the criterion.
        effective_on: first moment at which it holds.
        effective_until: last moment at which it holds.
        subject: the only artifact for which it holds (`imageDigest`, or `imageRef` as it once was).
        reason: why it is there.
    """

    value: str
    effective_on: datetime | None = None
    effective_until: datetime | None = None
    subject: Digest | None = None
    reason: str = ""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """A source's criteria."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    volatile_include: tuple[Volatile, ...] = ()
    volatile_exclude: tuple[Volatile, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be selected: a rule, or one finding of it.

    Attributes:
        package: Rego package, dotted.
        rule: short name, without the package.
        collections: that the rule is in.
        terms: what the finding is about; none for a rule as a whole.
    """

    package: str
    rule: str
    collections: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()


class Criteria(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force for one artifact at one time.

    Attributes:
        include: criteria; never empty.
        exclude: criteria.
        in_force: each volatile criterion that holds, and of which list it is.
        lapsed: `(list, criterion, why)` for each volatile one that does not.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    in_force: tuple[tuple[Kind, Volatile], ...] = ()
    lapsed: tuple[tuple[Kind, Volatile, str], ...] = ()

    def included(self, target: Target) -> bool:
        """Say whether a rule or finding counts."""
        return total(self.include, target) > total(self.exclude, target)

    def why_not(self, target: Target) -> str:
        """Say what excludes it, for people."""
        against = [text for text in self.exclude if score(text, target)]
        if not against:
            return "no include criterion selects it"
        return f"excluded by {', '.join(dict.fromkeys(against))}"

    def unmatched(self, targets: Iterable[Target]) -> list[tuple[Kind, str]]:
        """List the criteria that select nothing there is, as a slip of the pen does."""
        known = list(targets)
        lists: tuple[tuple[Kind, tuple[str, ...]], ...] = (
            ("include", self.include),
            ("exclude", self.exclude),
        )
        return [
            (kind, text)
            for kind, texts in lists
            for text in dict.fromkeys(texts)
            if text != "*" and not any(_may_match(text, target) for target in known)
        ]


def criteria(selection: Selection, subject: Digest, at: datetime) -> Criteria:
    """Work out what is in force for an artifact at the effective time."""
    lists: dict[Kind, list[str]] = {"include": list(selection.include), "exclude": list(selection.exclude)}
    in_force: list[tuple[Kind, Volatile]] = []
    lapsed: list[tuple[Kind, Volatile, str]] = []
    volatile: tuple[tuple[Kind, tuple[Volatile, ...]], ...] = (
        ("include", selection.volatile_include),
        ("exclude", selection.volatile_exclude),
    )
    for kind, entries in volatile:
        for entry in entries:
            if why := _lapsed(entry, at):
                lapsed.append((kind, entry, why))
            elif entry.subject in {None, subject}:
                lists[kind].append(entry.value)
                in_force.append((kind, entry))
    return Criteria(
        include=tuple(lists["include"]) or ("*",),
        exclude=tuple(lists["exclude"]),
        in_force=tuple(in_force),
        lapsed=tuple(lapsed),
    )


def check_criterion(text: str, what: str) -> None:
    """Refuse what could never match.

    Raises:
        ConfigError: an empty part, or a space.
    """
    name, colon, term = text.partition(":")
    bare = name.removeprefix("@").removesuffix(".*").removesuffix(".")
    parts = bare.split(".")
    stars = "*" in bare and bare != "*"
    if not all(parts) or any(map(str.isspace, name)) or stars or (colon and not term):
        raise ConfigError(
            f"{what}: {text!r} is no criterion", hint="@collection, package, package.rule, …:term, or *"
        )
    if text.startswith("@") and colon:
        raise ConfigError(f"{what}: {text!r}: a collection has no terms")


def total(criteria_: Iterable[str], target: Target) -> int:
    """Add up the scores of all criteria that match."""
    return sum(score(text, target) for text in criteria_)


def score(text: str, target: Target) -> int:
    """Give a criterion's score for a target; 0 if it does not match."""
    if text.startswith("@"):
        return _COLLECTION if text[1:] in target.collections else 0
    name, colon, term = text.partition(":")
    if colon and term not in target.terms:
        return 0
    worth = _TERM if colon else 0
    if name == "*":
        return worth + _EVERYTHING
    for package in dict.fromkeys((target.package, target.package.rsplit(".", 1)[-1])):
        if name in {package, f"{package}.", f"{package}.*"}:
            return worth + _PACKAGE
        if name == f"{package}.{target.rule}":
            return worth + _PACKAGE + _RULE
    return 0


def _may_match(text: str, target: Target) -> bool:
    """Whether a criterion selects a rule, whatever its findings' terms turn out to be."""
    return bool(score(text if text.startswith("@") else text.partition(":")[0], target))


def _lapsed(entry: Volatile, at: datetime) -> str:
    if entry.effective_on and at < entry.effective_on:
        return f"does not hold before {format_time(entry.effective_on)}"
    if entry.effective_until and at > entry.effective_until:
        return f"ended at {format_time(entry.effective_until)}"
    return ""
