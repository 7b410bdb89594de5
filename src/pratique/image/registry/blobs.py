"""A repository's blobs: pulled and pushed in pieces, and taken up again where they were cut off."""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, InfrastructureError
from pratique.image.registry.expect import expect
from pratique.model.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.image.descriptor import Descriptor
    from pratique.image.registry.http import Http, Reply

CHUNK: Final = 8 << 20
_MAX_CHUNK: Final = 64 << 20
_TRIES: Final = 4
_READ: Final = 1 << 18
_HEADWAY: Final = 1 << 20  # so much more, and the tries are counted anew
_RANGE = re.compile(r"bytes (\d+)-")


class Repo(msgspec.Struct, frozen=True):
    """A repository: how to reach it, and its name there."""

    http: Http
    name: str

    def __str__(self) -> str:
        return f"{self.http.host}/{self.name}"

    @property
    def root(self) -> str:
        """Path of its endpoints."""
        return f"/v2/{self.name}"

    def scopes(self, *actions: str) -> tuple[str, ...]:
        """What a token must allow."""
        return (f"repository:{self.name}:{','.join(actions)}",)


def pull_blob(repo: Repo, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
    """Pull a blob, streamed; what was written counts only when this returns.

    Raises:
        EvidenceInvalidError: it is missing, or its bytes are not what the descriptor says.
        InfrastructureError: the registry cut it off too often.
    """
    hasher, size, tries, mark = hashlib.sha256(), 0, 0, 0
    while True:
        try:
            with _from(repo, descriptor, size) as reply:
                skip = size if reply.status == HTTPStatus.OK else 0
                while size <= descriptor.size and (chunk := reply.read(_READ)):
                    chunk, skip = chunk[skip:], max(0, skip - len(chunk))
                    size += len(chunk)
                    hasher.update(chunk)
                    write(chunk)
            break
        except InfrastructureError:
            tries = tries + 1 if size - mark < _HEADWAY else 1
            mark = size
            if tries == _TRIES:
                raise
    if size != descriptor.size or not Digest(hasher.hexdigest()).matches(descriptor.digest):
        raise EvidenceInvalidError(
            f"{repo} gave other bytes for blob {descriptor.digest} than its descriptor says",
            hint="nothing was kept of them; tell whoever runs the registry",
        )


def _from(repo: Repo, descriptor: Descriptor, start: int) -> Reply:
    """Ask for a blob, from some byte on; a registry may give the whole all the same."""
    headers = {"Range": f"bytes={start}-"} if start else {}
    path = f"{repo.root}/blobs/{descriptor.digest}"
    reply = repo.http.request("GET", path, scopes=repo.scopes("pull"), headers=headers)
    try:
        _see_part(reply, start, f"{repo}: blob {descriptor.digest}")
    except BaseException:
        reply.close()
        raise
    return reply


def _see_part(reply: Reply, start: int, what: str) -> None:
    if reply.status == HTTPStatus.NOT_FOUND:
        raise EvidenceInvalidError(f"{what} is missing")
    if reply.status == HTTPStatus.PARTIAL_CONTENT and start:
        given = _RANGE.match(reply.header("Content-Range"))
        if given is None or int(given[1]) != start:
            raise InfrastructureError(f"{what}: another part than was asked for")
    else:
        expect(reply, HTTPStatus.OK, what)


def push_blob(repo: Repo, descriptor: Descriptor, source: IO[bytes]) -> None:
    """Push a blob, in chunks when it is large; after an interruption go on where the registry has come to.

    Args:
        repo: where to.
        descriptor: what it is; the registry checks the digest at the end.
        source: its bytes, from the start, seekable.

    Raises:
        InfrastructureError: the registry refused, or was interrupted too often.
    """
    for attempt in range(_TRIES):
        try:
            _upload(repo, descriptor, source)
        except InfrastructureError:
            if attempt + 1 == _TRIES:
                raise
            repo.http.pause(attempt)
        else:
            return


def mount_blob(repo: Repo, digest: Digest, source: str) -> bool:
    """Ask the registry to take a blob out of another of its repositories; say whether it did."""
    scopes = (*repo.scopes("pull", "push"), f"repository:{source}:pull")
    path = f"{repo.root}/blobs/uploads/?mount={digest}&from={source}"
    with repo.http.request("POST", path, scopes=scopes, body=b"") as reply:
        if reply.status == HTTPStatus.CREATED:
            return True
        expect(reply, HTTPStatus.ACCEPTED, str(repo))  # an upload has begun instead
        location = reply.header("Location")
    repo.http.request("DELETE", location, scopes=repo.scopes("pull", "push"), once=True).close()
    return False


def has_blob(repo: Repo, digest: Digest) -> bool:
    """Say whether the repository has a blob."""
    scopes = repo.scopes("pull", "push")
    with repo.http.request("HEAD", f"{repo.root}/blobs/{digest}", scopes=scopes) as reply:
        if reply.status == HTTPStatus.NOT_FOUND:
            return False
        expect(reply, HTTPStatus.OK, str(repo))
    return True


def _upload(repo: Repo, descriptor: Descriptor, source: IO[bytes]) -> None:
    scopes = repo.scopes("pull", "push")
    with repo.http.request("POST", f"{repo.root}/blobs/uploads/", scopes=scopes, body=b"") as reply:
        expect(reply, HTTPStatus.ACCEPTED, str(repo))
        location = reply.header("Location")
        least = reply.header("OCI-Chunk-Min-Length")
    chunk = max(CHUNK, min(int(least), _MAX_CHUNK)) if least.isascii() and least.isdecimal() else CHUNK
    offset, tries = 0, 0
    if descriptor.size <= chunk:
        _finish(repo, descriptor, location, _piece(source, 0, descriptor.size))
        return
    while offset < descriptor.size:
        try:
            piece = _piece(source, offset, min(chunk, descriptor.size - offset))
            location = _send_chunk(repo, location, piece, offset)
            offset += len(piece)
        except InfrastructureError:
            tries += 1
            if tries == _TRIES:
                raise
            repo.http.pause(tries)
            offset, location = _progress(repo, location)
    _finish(repo, descriptor, location, b"")


def _piece(source: IO[bytes], offset: int, size: int) -> bytes:
    source.seek(offset)
    data = source.read(size)
    if len(data) != size:
        raise EvidenceInvalidError("a blob that is shorter than its descriptor says")
    return data


def _finish(repo: Repo, descriptor: Descriptor, location: str, data: bytes) -> None:
    """End an upload, all of it in one piece or after the last; without an answer it may have ended, too."""
    url = f"{location}{'&' if '?' in location else '?'}digest={descriptor.digest}"
    headers = {"Content-Type": "application/octet-stream"} if data else {}
    try:
        with repo.http.request(
            "PUT", url, scopes=repo.scopes("pull", "push"), headers=headers, body=data, once=True
        ) as reply:
            expect(reply, HTTPStatus.CREATED, str(repo))
    except InfrastructureError:
        if not has_blob(repo, descriptor.digest):
            raise


def _send_chunk(repo: Repo, location: str, chunk: bytes, offset: int) -> str:
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Range": f"{offset}-{offset + len(chunk) - 1}",
    }
    with repo.http.request(
        "PATCH", location, scopes=repo.scopes("pull", "push"), headers=headers, body=chunk, once=True
    ) as reply:
        expect(reply, HTTPStatus.ACCEPTED, str(repo))
        return reply.header("Location") or location


def _progress(repo: Repo, location: str) -> tuple[int, str]:
    with repo.http.request("GET", location, scopes=repo.scopes("pull", "push")) as reply:
        expect(reply, HTTPStatus.NO_CONTENT, str(repo))
        last = reply.header("Range").rpartition("-")[2]
        received = int(last) + 1 if last.isascii() and last.isdecimal() and last != "0" else 0
        return received, reply.header("Location") or location
