"""What every protocol handler takes and gives; nothing here knows the web framework."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import IntEnum
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

JSON = "application/json"


class Call(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        parameters: the named parts of the path.
        headers: lower-case names; of a repeated header the last value.
        body: all of it; never longer than its route allows.
        address: the peer's IP address, or `unix`.
    """

    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    address: str


class Reply(msgspec.Struct, frozen=True):
    """One response: status, body, media type, further headers."""

    status: int
    body: bytes
    kind: str = JSON
    headers: Mapping[str, str] = {}


Handler = Callable[[Call], Reply]


class Route(NamedTuple):
    """One entry of the table of routes.

    Attributes:
        method: HTTP method.
        path: pattern as Starlette has it: `/api/{name}`, `{name:path}`.
        handler: what answers.
        max_bytes: longest body taken.
    """

    method: str
    path: str
    handler: Handler
    max_bytes: int = 0


class Code(IntEnum):
    """Canonical codes that Sigstore's clients find in an error's body (google.rpc.Code)."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_STATUS = {
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}


class CallRefusedError(Exception):
    """A request that is not granted.

    Attributes:
        code: the canonical code; the HTTP status follows from it, unless given.
        message: what the client is told; never contains a token.
        reason: a fixed word under which refusals are counted in the audit.
        retry_after: seconds after which another attempt may pass.
    """

    def __init__(
        self, code: Code, message: str, *, reason: str, status: int | None = None, retry_after: float = 0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.status = status or _STATUS[code]
        self.retry_after = retry_after

    def reply(self) -> Reply:
        """Write it as gRPC's gateway would, which is what Fulcio's and Rekor's clients parse."""
        headers = {"Retry-After": str(int(self.retry_after) + 1)} if self.retry_after else {}
        body = {"code": int(self.code), "message": self.message, "details": []}
        return Reply(self.status, json.dumps(body).encode(), JSON, headers)


def json_reply(body: Mapping[str, Any], status: int = HTTPStatus.OK) -> Reply:
    """Answer with JSON."""
    return Reply(status, json.dumps(body, separators=(",", ":")).encode())
