"""A registry as an ASGI application: bytes are streamed, everything that touches the disk runs in threads."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from pratique.errors import PratiqueError
from pratique.image.manifest import MAX_DOCUMENT_BYTES
from pratique.server.linger import linger
from pratique.server.registry.access import Action, Client, check_access
from pratique.server.registry.documents import Documents
from pratique.server.registry.problem import Problem, RegistryError
from pratique.server.registry.request import content_range, digest_of, is_range, repository_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pratique.server.http import Reply
    from pratique.server.registry.storage import Storage

    Endpoint = Callable[[Request, str], Awaitable[Response]]

log = logging.getLogger("pratique.server")
_CHUNK: Final = 1 << 20
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Docker-Distribution-API-Version": "registry/2.0"}


class Rules(msgspec.Struct, frozen=True):
    """What an application takes.

    Attributes:
        clients: who may do what; none for everybody.
        anonymous: what somebody without a token may do.
        hosts: names by which it may be called; none for any. On loopback this keeps a browser's page, whose
            name was made to lead here, from asking.
        body_seconds: how long a body may be silent.
    """

    clients: tuple[Client, ...] = ()
    anonymous: tuple[Action, ...] = ()
    hosts: tuple[str, ...] = ()
    body_seconds: float = 30.0


class Registry:
    """The endpoints."""

    def __init__(self, storage: Storage, rules: Rules) -> None:
        self._storage = storage
        self._rules = rules
        self._documents = Documents(storage)

    def application(self) -> Starlette:
        """Make the ASGI application."""
        uploads = "/v2/{name:path}/blobs/uploads/"
        manifests = "/v2/{name:path}/manifests/{reference}"
        table: list[tuple[str, str, Action, Endpoint]] = [
            ("GET", "/v2/", "pull", self._root),
            ("POST", uploads, "push", self._begin),
            ("GET", uploads + "{number}", "push", self._progress),
            ("PATCH", uploads + "{number}", "push", self._append),
            ("PUT", uploads + "{number}", "push", self._finish),
            ("DELETE", uploads + "{number}", "push", self._cancel),
            ("GET", "/v2/{name:path}/blobs/{digest}", "pull", self._get_blob),
            ("DELETE", "/v2/{name:path}/blobs/{digest}", "delete", self._delete_blob),
            ("GET", manifests, "pull", self._get_manifest),
            ("PUT", manifests, "push", self._put_manifest),
            ("DELETE", manifests, "delete", self._delete_manifest),
            ("GET", "/v2/{name:path}/tags/list", "pull", self._tags),
            ("GET", "/v2/{name:path}/referrers/{digest}", "pull", self._referrers),
        ]
        application = Starlette(
            routes=[
                Route(path, self._guarded(action, do), methods=[method]) for method, path, action, do in table
            ],
            exception_handlers={404: _unknown, 405: _unknown},
        )
        application.router.redirect_slashes = False
        return application

    def _guarded(self, action: Action, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                self._check_host(request.headers.get("host", ""))
                name = request.path_params.get("name", "")
                given = request.headers.get("authorization", "")
                check_access(self._rules.clients, self._rules.anonymous, given, action, name)
                response = await endpoint(request, repository_name(name) if name else "")
            except RegistryError as error:
                response = _refusal(error)
                if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                    await linger(request)
            except ClientDisconnect:
                response = _refusal(RegistryError(Problem.UPLOAD_INVALID, "the client left"))
            except PratiqueError as error:
                log.error("%s", error.message)  # noqa: TRY400 - the message says it
                response = _refusal(RegistryError(Problem.UNAVAILABLE, "try again later"))
            except Exception:
                log.exception("a defect in the registry")
                response = _refusal(RegistryError(Problem.UNAVAILABLE, "internal error", status=500))
            response.headers.update(_HEADERS)
            return response

        return guarded

    def _check_host(self, header: str) -> None:
        host = header.rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header
        if self._rules.hosts and host not in self._rules.hosts:
            raise RegistryError(Problem.DENIED, "not called by a name of this registry", status=421)

    async def _root(self, _request: Request, _name: str) -> Response:
        return Response(b"{}", HTTPStatus.OK, media_type="application/json")

    async def _begin(self, request: Request, name: str) -> Response:
        query = request.query_params
        if mount := query.get("mount"):
            digest, source = digest_of(mount), query.get("from", "")
            if source:
                given = request.headers.get("authorization", "")
                check_access(self._rules.clients, self._rules.anonymous, given, "pull", source)
                if await run_in_threadpool(self._storage.mount, repository_name(source), name, digest):
                    return _made(f"/v2/{name}/blobs/{digest}", str(digest))
        number = await run_in_threadpool(self._storage.begin_upload)
        if "digest" in query and not mount:
            return await self._complete(request, name, number, query["digest"])
        return _under_way(name, number, 0)

    async def _progress(self, request: Request, name: str) -> Response:
        number = request.path_params["number"]
        size = await run_in_threadpool(self._storage.upload_size, number)
        response = _under_way(name, number, size)
        response.status_code = HTTPStatus.NO_CONTENT
        return response

    async def _append(self, request: Request, name: str) -> Response:
        number = request.path_params["number"]
        return _under_way(name, number, await self._receive(request, number))

    async def _finish(self, request: Request, name: str) -> Response:
        digest = request.query_params.get("digest", "")
        return await self._complete(request, name, request.path_params["number"], digest)

    async def _complete(self, request: Request, name: str, number: str, digest: str) -> Response:
        wanted = digest_of(digest)
        await self._receive(request, number)
        await run_in_threadpool(self._storage.finish_upload, number, name, wanted)
        return _made(f"/v2/{name}/blobs/{wanted}", str(wanted))

    async def _cancel(self, request: Request, _name: str) -> Response:
        await run_in_threadpool(self._storage.cancel_upload, request.path_params["number"])
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _get_blob(self, request: Request, name: str) -> Response:
        digest = digest_of(request.path_params["digest"])
        path = await run_in_threadpool(self._storage.blob, name, digest)
        headers = {"Docker-Content-Digest": str(digest), "ETag": f'"{digest}"'}
        if not is_range(request.headers.get("range", "")):
            # RFC 9110, section 14.2: what is no range is ignored; several at once are not worth their risk.
            request.scope["headers"] = [one for one in request.scope["headers"] if one[0] != b"range"]
        return FileResponse(path, headers=headers, media_type="application/octet-stream")

    async def _delete_blob(self, request: Request, name: str) -> Response:
        digest = digest_of(request.path_params["digest"])
        await run_in_threadpool(self._storage.remove_blob, name, digest)
        return Response(status_code=HTTPStatus.ACCEPTED)

    async def _get_manifest(self, request: Request, name: str) -> Response:
        reference = request.path_params["reference"]
        return _plain(await run_in_threadpool(self._documents.get_manifest, name, reference))

    async def _put_manifest(self, request: Request, name: str) -> Response:
        data = bytearray()
        async for chunk in self._chunks(request):
            data += chunk
            if len(data) > MAX_DOCUMENT_BYTES:
                message = f"a manifest of more than {MAX_DOCUMENT_BYTES} bytes"
                raise RegistryError(Problem.SIZE_INVALID, message, status=413)
        kind = request.headers.get("content-type", "")
        reference = request.path_params["reference"]
        return _plain(
            await run_in_threadpool(self._documents.put_manifest, name, reference, bytes(data), kind)
        )

    async def _delete_manifest(self, request: Request, name: str) -> Response:
        reference = request.path_params["reference"]
        return _plain(await run_in_threadpool(self._documents.delete_manifest, name, reference))

    async def _tags(self, request: Request, name: str) -> Response:
        return _plain(await run_in_threadpool(self._documents.list_tags, name, request.query_params))

    async def _referrers(self, request: Request, name: str) -> Response:
        digest = request.path_params["digest"]
        return _plain(
            await run_in_threadpool(self._documents.list_referrers, name, digest, request.query_params)
        )

    async def _receive(self, request: Request, number: str) -> int:
        """Take a body into an upload, and say how much has arrived in all."""
        size = await run_in_threadpool(self._storage.upload_size, number)
        given = content_range(request.headers.get("content-range", ""))
        if given and given[0] != size:
            where = _under_way(request.path_params["name"], number, size).headers
            headers = {"Range": where["range"], "Location": where["location"]}
            raise RegistryError(Problem.UPLOAD_INVALID, f"{size} bytes are here", status=416, headers=headers)
        waiting = bytearray()
        async for chunk in self._chunks(request):
            waiting += chunk
            if len(waiting) >= _CHUNK:
                await run_in_threadpool(self._storage.append, number, size, bytes(waiting))
                size += len(waiting)
                waiting.clear()
        if waiting:
            await run_in_threadpool(self._storage.append, number, size, bytes(waiting))
        return size + len(waiting)

    async def _chunks(self, request: Request) -> Any:
        """Give a body's pieces as they come, none of which may keep one waiting too long."""
        stream = request.stream()
        while True:
            try:
                async with asyncio.timeout(self._rules.body_seconds):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise RegistryError(Problem.UPLOAD_INVALID, "the body stalled", status=408) from error
            yield chunk


def _under_way(name: str, number: str, size: int) -> Response:
    headers = {
        "Location": f"/v2/{name}/blobs/uploads/{number}",
        "Range": f"0-{max(0, size - 1)}",
        "Docker-Upload-UUID": number,
    }
    return Response(status_code=HTTPStatus.ACCEPTED, headers=headers)


def _made(location: str, digest: str) -> Response:
    return Response(
        status_code=HTTPStatus.CREATED, headers={"Location": location, "Docker-Content-Digest": digest}
    )


def _plain(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), media_type=reply.kind)


def _refusal(error: RegistryError) -> Response:
    headers = dict(error.headers)
    if error.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}:
        headers["Connection"] = "close"
    return Response(error.body(), error.status, headers, media_type="application/json")


def _unknown(_: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", HTTPStatus.NOT_FOUND)
    return _refusal(RegistryError(Problem.UNSUPPORTED, "no such endpoint", status=status))
