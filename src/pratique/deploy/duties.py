"""Separation of duties, derived: whoever wrote, built or asked for a release does not also approve it.

Nothing is configured. The commit authors come from the artifact's own provenance, the builder too, the
requester from the request; an approver who is among them is excluded, and told why.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import CouldNotCheckError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<email>[^<>]*)>\s*\Z")
_NO_AUTHORS_HINT = "build from a git work tree, so that the provenance can name the authors of the source"


class Person(msgspec.Struct, frozen=True):
    """Someone enrolled: the name and all e-mail addresses they are known by."""

    name: str
    emails: tuple[str, ...] = ()


class Involved(msgspec.Struct, frozen=True, kw_only=True):
    """Who had a hand in a release, as written in its evidence: `Name <e-mail>`, one of both, or a URI."""

    authors: tuple[str, ...]
    builder: str
    requester: str


def parse_involved(provenance: Mapping[str, Any], requester: str) -> Involved:
    """Take from SLSA provenance v1 who was involved.

    Args:
        provenance: the predicate of the artifact's verified provenance.
        requester: who asked for the deployment.

    Raises:
        MalformedError: the provenance has another shape.
        CouldNotCheckError: it names no authors, so nobody can be told apart from them.
    """
    authors: list[str] = []
    try:
        dependencies = provenance["buildDefinition"]["resolvedDependencies"]
        builder = str(provenance["runDetails"]["builder"]["id"])
        notes = [dependency.get("annotations") or {} for dependency in dependencies]
        sources = [note for note in notes if note.get("kind") == "source"]
        for source in sources:
            named = source.get("authors")
            if not named:
                raise CouldNotCheckError(
                    "separation of duties: the provenance names a source without authors",
                    hint=_NO_AUTHORS_HINT,
                )
            authors += [_author(author) for author in named]
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedError("provenance: not of the shape that SLSA provenance v1 has") from error
    if not authors:
        raise CouldNotCheckError(
            "separation of duties: the provenance names no source and no authors", hint=_NO_AUTHORS_HINT
        )
    return Involved(authors=tuple(dict.fromkeys(authors)), builder=builder, requester=requester)


def conflicts(person: Person, involved: Involved) -> tuple[str, ...]:
    """Give every reason why a person may not approve; none means that they may."""
    if not any(_fold(email) for email in person.emails):
        return (f"{person.name} is enrolled without an e-mail address: no telling them from commit authors",)
    reasons = [
        f"{person.name} is an author of the source ({author})"
        for author in involved.authors
        if _same(person, author)
    ]
    if _same(person, involved.builder):
        reasons.append(f"{person.name} ran the build ({involved.builder})")
    if _same(person, involved.requester):
        reasons.append(f"{person.name} asked for this deployment ({involved.requester})")
    return tuple(reasons)


def same_name(one: str, other: str) -> bool:
    """Say whether two names or addresses are the same but for spelling that does not make another person."""
    return _fold(one) == _fold(other)


def _author(value: object) -> str:
    """An author is written as one string, or as an object with `name` and `email`."""
    if isinstance(value, dict):
        name, email = str(value.get("name", "")), str(value.get("email", ""))
        value = f"{name} <{email}>" if email else name
    if not isinstance(value, str) or not _names(value):
        raise MalformedError("provenance: an author without a name or e-mail address")
    return value


def _same(person: Person, written: str) -> bool:
    return not _names(written).isdisjoint({_fold(known) for known in (person.name, *person.emails)})


def _names(written: str) -> set[str]:
    """Both halves of `Name <e-mail>`, or the whole where it has no such form (`mailto:` left out)."""
    found = _MAILBOX.match(written)
    parts: Iterable[str] = found.group("name", "email") if found else (written.removeprefix("mailto:"),)
    return {folded for part in parts if (folded := _fold(part))}


def _fold(text: str) -> str:
    """Case, Unicode form and spacing do not make another person; neither does an e-mail sub-address."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    local, at, domain = folded.rpartition("@")
    return f"{local.split('+')[0]}@{domain}" if at and local else folded
