"""The TUF repository as `pratique trust export` published it: files, read at each request."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from pratique.server.http import JSON, Call, CallRefusedError, Code, Reply, Route

if TYPE_CHECKING:
    from pratique.server.service import Service

_NAME: Final = re.compile(r"(?:targets/[0-9a-f]{64}\.)?[A-Za-z0-9][A-Za-z0-9._-]{0,100}\Z")


def routes(service: Service) -> list[Route]:
    """Give this protocol's part of the table."""
    folder = service.repository
    absent = CallRefusedError(Code.NOT_FOUND, "no such file", reason="")

    def file(call: Call) -> Reply:
        name = call.parameters["name"]
        if not _NAME.match(name):
            raise absent
        try:
            data = (folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise absent from None
        return Reply(HTTPStatus.OK, data, JSON)

    return [Route("GET", "/tuf/{name:path}", file)]
