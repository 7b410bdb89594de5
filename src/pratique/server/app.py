"""The table of routes as an ASGI application: bounded bodies, threads for handlers, errors as clients expect.

Handlers are plain synchronous functions (`http.Handler`), each called in a worker thread.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from pratique.errors import EvidenceInvalidError, PratiqueError
from pratique.server.http import Call, CallRefusedError, Code, Reply, Route
from pratique.server.limits import check_rate
from pratique.server.linger import linger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pratique.server.limits import RateLimit

log = logging.getLogger("pratique.server")
_SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def make_app(
    routes: Sequence[Route],
    *,
    per_address: RateLimit,
    body_seconds: float,
    refused: Callable[[str, CallRefusedError, str], None],
) -> Starlette:
    """Make the application.

    Args:
        routes: the table.
        per_address: limits requests of one address.
        body_seconds: how long a body may take to arrive.
        refused: is told of every refusal: path pattern, error, address.
    """
    application = Starlette(
        routes=[
            StarletteRoute(
                route.path, _endpoint(route, per_address, body_seconds, refused), methods=[route.method]
            )
            for route in routes
        ],
        exception_handlers={404: _not_found, 405: _not_found},
    )
    application.router.redirect_slashes = False
    return application


def _endpoint(
    route: Route,
    per_address: RateLimit,
    body_seconds: float,
    refused: Callable[[str, CallRefusedError, str], None],
) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        address = request.client.host if request.client else "unix"
        try:
            check_rate(per_address, address, "address")
            body = await _body(request, route.max_bytes, body_seconds)
            headers = {name.lower(): value for name, value in request.headers.items()}
            call = Call(request.path_params, headers, body, address)
            reply = await run_in_threadpool(answer, route.handler, call)
        except CallRefusedError as error:
            refused(route.path, error, address)
            reply = error.reply()
            if reply.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                await linger(request)
        return _response(reply)

    return endpoint


def answer(handler: Callable[[Call], Reply], call: Call) -> Reply:
    """Call a handler; an error that it does not foresee becomes one that tells the client nothing.

    Raises:
        CallRefusedError: the request is not granted.
    """
    try:
        return handler(call)
    except CallRefusedError:
        raise
    except EvidenceInvalidError as error:
        raise CallRefusedError(Code.INVALID_ARGUMENT, error.message, reason="malformed") from error
    except PratiqueError as error:
        log.error("%s", error.message)  # noqa: TRY400 - the message says it; there is no defect to trace
        raise CallRefusedError(Code.UNAVAILABLE, "try again later", reason="infrastructure") from error
    except Exception as error:
        log.exception("a defect in a handler")
        raise CallRefusedError(Code.INTERNAL, "internal error", reason="internal") from error


async def _body(request: Request, most: int, seconds: float) -> bytes:
    """Read a body that is neither longer nor slower than allowed."""
    too_long = CallRefusedError(
        Code.INVALID_ARGUMENT,
        f"a body of more than {most} bytes",
        reason="too-long",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit() or int(declared) > most:
        raise too_long
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > most:
                    raise too_long
    except TimeoutError as error:
        raise CallRefusedError(
            Code.INVALID_ARGUMENT,
            "the body did not arrive in time",
            reason="too-slow",
            status=HTTPStatus.REQUEST_TIMEOUT,
        ) from error
    except ClientDisconnect as error:
        raise CallRefusedError(Code.INVALID_ARGUMENT, "the client left", reason="disconnected") from error
    return bytes(data)


def _not_found(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", HTTPStatus.NOT_FOUND)
    return _response(CallRefusedError(Code.NOT_FOUND, "no such endpoint", reason="", status=status).reply())


def _response(reply: Reply) -> Response:
    headers = {**_SECURITY_HEADERS, "Content-Type": reply.kind, **reply.headers}
    if reply.status in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT}:
        headers["Connection"] = "close"  # all of the body may not have been read
    return Response(reply.body, reply.status, headers)
