"""What a registry's status codes mean to a person."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from pratique.errors import InfrastructureError, MalformedError, UsageError
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from pratique.image.registry.http import Reply

_MAX_ERROR_BYTES: Final = 1 << 16


def expect(reply: Reply, status: HTTPStatus, who: str) -> None:
    """See that a reply has the status that was expected.

    Raises:
        UsageError: the registry does not allow it.
        InfrastructureError: any other status; the registry's own words are given.
    """
    if reply.status == status:
        return
    if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise UsageError(
            f"{who}: the registry does not allow it (HTTP {reply.status})",
            hint="log in as somebody who may: docker login, skopeo login",
        )
    said = _words(reply)
    raise InfrastructureError(f"{who}: HTTP {reply.status}, where {status.value} was expected{said}")


def _words(reply: Reply) -> str:
    """Give the first error of the body (distribution-spec, "Error Codes"), or nothing."""
    try:
        errors = parse_json_object(reply.whole(_MAX_ERROR_BYTES), what="error").get("errors")
    except (MalformedError, InfrastructureError):
        return ""
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    words = ": ".join(str(first[key]) for key in ("code", "message") if first.get(key))
    return f": {ascii(words[:200])[1:-1]}" if words else ""
