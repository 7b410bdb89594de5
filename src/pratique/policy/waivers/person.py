"""The people behind the keys that evidence was signed with, handed to the gate as plain values."""

from __future__ import annotations

import unicodedata
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import Annotated, Any

import msgspec

from pratique.model.clock import format_time, parse_time

_Key = Annotated[str, msgspec.Meta(pattern=r"^key:sha256:[0-9a-f]{64}\Z")]


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """The roles a key holds from a moment on, in place of earlier ones."""

    since: datetime
    roles: tuple[str, ...]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """An enrolled key, and whose it is.

    Attributes:
        key: `key:sha256:<hex of the SubjectPublicKeyInfo>`, as `Evidence.signer` has it.
        name: the name the person is enrolled under.
        not_before: signatures before this moment do not count.
        not_after: signatures from this moment on do not count.
        grants: oldest first.
        involved: why the person may not judge this artifact, such as having written it; empty if they may.
    """

    key: str
    name: str
    not_before: datetime
    not_after: datetime | None = None
    grants: tuple[Grant, ...] = ()
    involved: str = ""

    @property
    def identity(self) -> str:
        """What tells people apart: spelling, spacing and Unicode form of a name do not make two of one."""
        return " ".join(unicodedata.normalize("NFKC", self.name).casefold().split())

    def valid_at(self, moment: datetime) -> bool:
        """Say whether a signature made at that moment counts."""
        return self.not_before <= moment and (self.not_after is None or moment < self.not_after)

    def roles_at(self, moment: datetime) -> tuple[str, ...]:
        """Give the roles held at a moment; a later grant never reaches back."""
        held: tuple[str, ...] = ()
        for grant in self.grants:
            if grant.since <= moment:
                held = grant.roles
        return held


class PersonWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A person as the input document has it."""

    key: _Key
    name: str
    not_before: str
    grants: list[GrantWire]
    not_after: str | None = None
    involved: str = ""


class GrantWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A grant as the input document has it."""

    since: str
    roles: list[str]


def person_document(person: Person) -> dict[str, Any]:
    """Write a person for the input document."""
    document: dict[str, Any] = {
        "key": person.key,
        "name": person.name,
        "not_before": format_time(person.not_before),
        "grants": [
            {"since": format_time(grant.since), "roles": sorted(set(grant.roles))} for grant in person.grants
        ],
    }
    if person.not_after is not None:
        document["not_after"] = format_time(person.not_after)
    return document | ({"involved": person.involved} if person.involved else {})


def parse_person(wire: PersonWire) -> Person:
    """Read a person of an input document.

    Raises:
        MalformedError: a time that is none.
    """
    return Person(
        key=wire.key,
        name=wire.name,
        not_before=parse_time(wire.not_before),
        not_after=None if wire.not_after is None else parse_time(wire.not_after),
        grants=tuple(Grant(since=parse_time(item.since), roles=tuple(item.roles)) for item in wire.grants),
        involved=wire.involved,
    )
