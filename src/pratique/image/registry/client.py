"""The endpoints of a registry (OCI distribution-spec 1.1), every digest checked on the way in and out."""

from __future__ import annotations

import hashlib
import re
from contextlib import closing
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.descriptor import INDEX, MANIFEST, Descriptor
from pratique.image.manifest import MAX_DOCUMENT_BYTES, encode_index, parse_index
from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.image.registry.http import Http, Reply

CHUNK: Final = 8 << 20
_TRIES: Final = 4
_READ: Final = 1 << 18
_NAME: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\Z"
)
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_DOCKER: Final = "application/vnd.docker.distribution.manifest"
_ACCEPT: Final = f"{MANIFEST}, {INDEX}, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"


class Repository:
    """One repository of a registry.

    Raises:
        UsageError: not a name the distribution-spec allows.
    """

    def __init__(self, http: Http, name: str) -> None:
        if not _NAME.match(name) or len(name) > 255:  # noqa: PLR2004 - the distribution-spec's limit
            raise UsageError(f"not a repository's name: {name[:80]!r}")
        self._http = http
        self._root = f"/v2/{name}"
        self._pull = f"repository:{name}:pull"
        self._push = f"repository:{name}:pull,push"
        self.name = f"{http.host}/{name}"

    def head(self, reference: str | Digest) -> Digest | None:
        """Say which manifest a tag or digest names, as the registry has it; None without one."""
        reply = self._http.request(
            "HEAD", self._manifest(reference), scope=self._pull, headers={"Accept": _ACCEPT}
        )
        with closing(reply):
            if reply.status == HTTPStatus.NOT_FOUND:
                return None
            self._expect(reply, HTTPStatus.OK)
            found = reply.header("Docker-Content-Digest").removeprefix("sha256:")
        if re.fullmatch(r"[0-9a-f]{64}", found):
            return Digest(found)
        return self.manifest(reference)[0].digest

    def manifest(self, reference: str | Digest) -> tuple[Descriptor, bytes]:
        """Pull a manifest or an index.

        Raises:
            UsageError: there is none.
            EvidenceInvalidError: its bytes are not of the digest asked for.
        """
        reply = self._http.request(
            "GET", self._manifest(reference), scope=self._pull, headers={"Accept": _ACCEPT}
        )
        with closing(reply):
            if reply.status == HTTPStatus.NOT_FOUND:
                raise UsageError(f"{self.name} has no {reference}")
            self._expect(reply, HTTPStatus.OK)
            data = reply.whole(MAX_DOCUMENT_BYTES)
            media_type = reply.header("Content-Type").partition(";")[0].strip()
        digest = sha256_bytes(data)
        if isinstance(reference, Digest) and not digest.matches(reference):
            raise EvidenceInvalidError(f"{self.name} gave {digest} for {reference}")
        return Descriptor(media_type=media_type, digest=digest, size=len(data)), data

    def document(self, descriptor: Descriptor) -> bytes:
        """Pull a manifest or an index that a descriptor names.

        Raises:
            UsageError: there is none.
            EvidenceInvalidError: its bytes are not of that digest.
        """
        return self.manifest(descriptor.digest)[1]

    def content(self, descriptor: Descriptor, limit: int) -> bytes:
        """Pull a blob whole.

        Raises:
            MalformedError: it is announced with more than `limit` bytes.
            EvidenceInvalidError: see `blob`.
        """
        if descriptor.size > limit:
            raise MalformedError(
                f"{self.name}: blob {descriptor.digest} has {descriptor.size} bytes: too many"
            )
        data = bytearray()
        self.blob(descriptor, data.extend)
        return bytes(data)

    def blob(self, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
        """Pull a blob, streamed; what was written counts only when this returns.

        Raises:
            EvidenceInvalidError: it is missing, or its bytes are not what the descriptor says.
        """
        path = f"{self._root}/blobs/{descriptor.digest}"
        reply = self._http.request("GET", path, scope=self._pull)
        hasher, size = hashlib.sha256(), 0
        with closing(reply):
            if reply.status == HTTPStatus.NOT_FOUND:
                raise EvidenceInvalidError(f"{self.name}: blob {descriptor.digest} is missing")
            self._expect(reply, HTTPStatus.OK)
            while size <= descriptor.size and (chunk := reply.read(_READ)):
                size += len(chunk)
                hasher.update(chunk)
                write(chunk)
        if size != descriptor.size or not Digest(hasher.hexdigest()).matches(descriptor.digest):
            raise EvidenceInvalidError(f"{self.name} gave {size} other bytes for blob {descriptor.digest}")

    def has_blob(self, digest: Digest) -> bool:
        """Say whether the repository has a blob."""
        reply = self._http.request("HEAD", f"{self._root}/blobs/{digest}", scope=self._push)
        with closing(reply):
            if reply.status == HTTPStatus.NOT_FOUND:
                return False
            self._expect(reply, HTTPStatus.OK)
        return True

    def push_blob(self, descriptor: Descriptor, source: IO[bytes]) -> None:
        """Push a blob in chunks; after an interruption go on where the registry says it has come to.

        Args:
            descriptor: what it is; the registry checks the digest at the end.
            source: its bytes, from the start, seekable.

        Raises:
            InfrastructureError: the registry refused, or was interrupted too often.
        """
        reply = self._http.request("POST", f"{self._root}/blobs/uploads/", scope=self._push, body=b"")
        with closing(reply):
            self._expect(reply, HTTPStatus.ACCEPTED)
            location = reply.header("Location")
        offset, tries = 0, 0
        while offset < descriptor.size:
            try:
                offset, location = self._push_chunk(location, source, offset)
            except InfrastructureError:
                tries += 1
                if tries >= _TRIES:
                    raise
                offset, location = self._progress(location)
        finish = f"{location}{'&' if '?' in location else '?'}digest={descriptor.digest}"
        reply = self._http.request("PUT", finish, scope=self._push, body=b"")
        with closing(reply):
            self._expect(reply, HTTPStatus.CREATED)

    def push_manifest(self, reference: str | Digest, data: bytes, media_type: str) -> bool:
        """Push a manifest or an index; say whether the registry lists it with its subject's referrers."""
        reply = self._http.request(
            "PUT",
            self._manifest(reference),
            scope=self._push,
            headers={"Content-Type": media_type},
            body=data,
        )
        with closing(reply):
            self._expect(reply, HTTPStatus.CREATED)
            return bool(reply.header("OCI-Subject"))

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List what refers to a manifest: by the endpoint, or by the fallback tag."""
        reply = self._http.request(
            "GET", f"{self._root}/referrers/{digest}", scope=self._pull, headers={"Accept": INDEX}
        )
        with closing(reply):
            if reply.status == HTTPStatus.OK:
                return parse_index(reply.whole(MAX_DOCUMENT_BYTES), f"referrers of {digest.short}")
            self._expect(reply, HTTPStatus.NOT_FOUND)
        return self._tagged_referrers(digest)

    def add_fallback(self, digest: Digest, referrer: Descriptor) -> None:
        """Add a referrer to the fallback tag, for a registry without the endpoint.

        Read, change, write: two that do this at once can lose one of the two, so it is read again and again.
        """
        for _ in range(_TRIES):
            known = self._tagged_referrers(digest)
            if any(item.digest == referrer.digest for item in known):
                return
            self.push_manifest(_fallback(digest), encode_index((*known, referrer)), INDEX)
        if all(item.digest != referrer.digest for item in self._tagged_referrers(digest)):
            raise InfrastructureError(f"{self.name}: others write the referrers of {digest.short} just now")

    def _tagged_referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        if self.head(_fallback(digest)) is None:
            return ()
        return parse_index(self.manifest(_fallback(digest))[1], f"referrers of {digest.short}")

    def _push_chunk(self, location: str, source: IO[bytes], offset: int) -> tuple[int, str]:
        source.seek(offset)
        chunk = source.read(CHUNK)
        if not chunk:
            raise EvidenceInvalidError("a blob that is shorter than its descriptor says")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{offset}-{offset + len(chunk) - 1}",
        }
        reply = self._http.request("PATCH", location, scope=self._push, headers=headers, body=chunk)
        with closing(reply):
            self._expect(reply, HTTPStatus.ACCEPTED)
            return offset + len(chunk), reply.header("Location") or location

    def _progress(self, location: str) -> tuple[int, str]:
        reply = self._http.request("GET", location, scope=self._push)
        with closing(reply):
            self._expect(reply, HTTPStatus.NO_CONTENT)
            last = reply.header("Range").rpartition("-")[2]
            received = int(last) + 1 if last.isdecimal() and last != "0" else 0
            return received, reply.header("Location") or location

    def _manifest(self, reference: str | Digest) -> str:
        if isinstance(reference, str) and not _TAG.match(reference):
            raise UsageError(f"not a tag: {reference[:80]!r}")
        return f"{self._root}/manifests/{reference}"

    def _expect(self, reply: Reply, status: HTTPStatus) -> None:
        if reply.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise UsageError(f"{self.name}: the registry does not allow it (HTTP {reply.status})")
        if reply.status != status:
            raise InfrastructureError(f"{self.name}: HTTP {reply.status}, where {status.value} was expected")


def _fallback(digest: Digest) -> str:
    """Give the tag of the referrers tag schema."""
    return f"sha256-{digest.hex}"
