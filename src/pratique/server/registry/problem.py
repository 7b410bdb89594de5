"""What a registry answers when it does not do what it is asked (distribution-spec 1.1, "Error Codes")."""

from __future__ import annotations

import json
from enum import Enum
from http import HTTPStatus


class Problem(Enum):
    """Error codes with the status that goes with each."""

    BLOB_UNKNOWN = ("BLOB_UNKNOWN", HTTPStatus.NOT_FOUND)
    UPLOAD_INVALID = ("BLOB_UPLOAD_INVALID", HTTPStatus.BAD_REQUEST)
    UPLOAD_UNKNOWN = ("BLOB_UPLOAD_UNKNOWN", HTTPStatus.NOT_FOUND)
    DIGEST_INVALID = ("DIGEST_INVALID", HTTPStatus.BAD_REQUEST)
    MANIFEST_BLOB_UNKNOWN = ("MANIFEST_BLOB_UNKNOWN", HTTPStatus.NOT_FOUND)
    MANIFEST_INVALID = ("MANIFEST_INVALID", HTTPStatus.BAD_REQUEST)
    MANIFEST_UNKNOWN = ("MANIFEST_UNKNOWN", HTTPStatus.NOT_FOUND)
    NAME_INVALID = ("NAME_INVALID", HTTPStatus.BAD_REQUEST)
    NAME_UNKNOWN = ("NAME_UNKNOWN", HTTPStatus.NOT_FOUND)
    SIZE_INVALID = ("SIZE_INVALID", HTTPStatus.BAD_REQUEST)
    UNAUTHORIZED = ("UNAUTHORIZED", HTTPStatus.UNAUTHORIZED)
    DENIED = ("DENIED", HTTPStatus.FORBIDDEN)
    UNSUPPORTED = ("UNSUPPORTED", HTTPStatus.METHOD_NOT_ALLOWED)
    TOO_MANY = ("TOOMANYREQUESTS", HTTPStatus.TOO_MANY_REQUESTS)
    UNAVAILABLE = ("UNAVAILABLE", HTTPStatus.SERVICE_UNAVAILABLE)


class RegistryError(Exception):
    """A request that is not granted; the message is for the client.

    Attributes:
        status: the HTTP status, by default the problem's.
        headers: further ones of the answer.
    """

    def __init__(
        self,
        problem: Problem,
        message: str,
        *,
        status: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = int(status or problem.value[1])
        self.headers = headers or {}
        self._code = problem.value[0]
        self._message = message

    def body(self) -> bytes:
        """Write it as clients parse it."""
        return json.dumps({"errors": [{"code": self._code, "message": self._message}]}).encode()
