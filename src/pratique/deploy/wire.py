"""What the predicates and plans of this room share on the wire: digest references, times, strict typing."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
LongText = Annotated[str, msgspec.Meta(max_length=4096)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}\Z")]


class DigestSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An in-toto DigestSet of which we write, and accept, SHA-256 alone."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pointer to bytes by digest: `{"digest": {"sha256": …}}` (in-toto ResourceDescriptor, digest only)."""

    digest: DigestSet

    @property
    def value(self) -> Digest:
        """The digest itself."""
        return Digest(self.digest.sha256)


def refer(digest: Digest) -> Reference:
    """Point at a digest."""
    return Reference(DigestSet(digest.hex))


T = TypeVar("T", bound=msgspec.Struct)


def parse_struct(value: Mapping[str, Any], kind: type[T], *, what: str) -> T:
    """Type a JSON object that the strict reader has parsed; nothing is coerced, nothing unknown let through.

    Raises:
        MalformedError: a field is missing, unknown, or not of its type.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{what}: {error}") from error


def to_json(value: msgspec.Struct) -> dict[str, Any]:
    """Give the JSON object of a struct of this room: lists and strings only, times as RFC 3339 in UTC."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain
