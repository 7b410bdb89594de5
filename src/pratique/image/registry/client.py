"""A repository of a registry (OCI distribution-spec 1.1), every digest checked on the way in and out."""

from __future__ import annotations

import re
import tempfile
from contextlib import contextmanager
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from pratique.errors import EvidenceInvalidError, InfrastructureError, MalformedError, UsageError
from pratique.image.descriptor import INDEX, MANIFEST, Descriptor
from pratique.image.graph import parse_links
from pratique.image.manifest import MAX_DOCUMENT_BYTES, parse_index
from pratique.image.reference import is_repository_name, is_tag
from pratique.image.registry.blobs import Repo, has_blob, mount_blob, pull_blob, push_blob
from pratique.image.registry.expect import expect
from pratique.image.registry.fallback import add_fallback, fallback_tag, remove_fallback
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import parse_json_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pratique.image.place import Reader
    from pratique.image.registry.http import Http, Reply

_NEXT: Final = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_DOCKER: Final = "application/vnd.docker.distribution.manifest"
_ACCEPT: Final = {"Accept": f"{MANIFEST}, {INDEX}, {_DOCKER}.v2+json, {_DOCKER}.list.v2+json"}
_MAX_PAGES: Final = 1000
_PAGE: Final = 1000
_TRIES: Final = 3
_SPOOL: Final = 1 << 23


class Repository:
    """One repository of a registry: a `Reader` and a `Writer`.

    Raises:
        UsageError: not a name the distribution-spec allows.
    """

    def __init__(self, http: Http, name: str) -> None:
        if not is_repository_name(name):
            raise UsageError(f"not a repository's name: {name[:80]!r}")
        self.repo = Repo(http, name)
        self.name = str(self.repo)

    def head(self, reference: str | Digest) -> Digest | None:
        """Say which manifest a tag or digest names, as the registry has it; None without one."""
        with self._request("HEAD", self._manifest(reference), "pull", headers=_ACCEPT) as reply:
            if reply.status == HTTPStatus.NOT_FOUND:
                return None
            expect(reply, HTTPStatus.OK, self.name)
            found = reply.header("Docker-Content-Digest").removeprefix("sha256:")
        if re.fullmatch(r"[0-9a-f]{64}", found):
            return Digest(found)
        return self.manifest(reference)[0].digest

    def manifest(self, reference: str | Digest) -> tuple[Descriptor, bytes]:
        """Pull a manifest or an index.

        Raises:
            UsageError: there is none.
            EvidenceInvalidError: its bytes are not of the digest asked for, or announced.
        """
        with self._request("GET", self._manifest(reference), "pull", headers=_ACCEPT) as reply:
            if reply.status == HTTPStatus.NOT_FOUND:
                raise UsageError(f"{self.name} has no {reference}")
            expect(reply, HTTPStatus.OK, self.name)
            data = reply.whole(MAX_DOCUMENT_BYTES)
            media_type = reply.header("Content-Type").partition(";")[0].strip()
            announced = reply.header("Docker-Content-Digest")
        digest = sha256_bytes(data)
        if isinstance(reference, Digest) and not digest.matches(reference):
            raise EvidenceInvalidError(f"{self.name} gave {digest} for {reference}")
        if announced.startswith("sha256:") and announced != str(digest):
            raise EvidenceInvalidError(f"{self.name} announced {announced[:80]} and gave {digest}")
        return Descriptor(media_type=media_type, digest=digest, size=len(data)), data

    def resolve(self, name: str, digest: Digest | None) -> Descriptor:
        """Find a manifest by its digest, or else by its tag."""
        return self.manifest(digest or name or "latest")[0]

    def document(self, descriptor: Descriptor) -> bytes:
        """Pull a manifest or an index that a descriptor names.

        Raises:
            EvidenceInvalidError: there is none, or its bytes are of another length.
        """
        try:
            data = self.manifest(descriptor.digest)[1]
        except UsageError as error:
            raise EvidenceInvalidError(error.message, hint=error.hint) from error
        if len(data) != descriptor.size:
            raise EvidenceInvalidError(
                f"{self.name}: {descriptor.digest} has {len(data)} bytes, not the {descriptor.size} announced"
            )
        return data

    def content(self, descriptor: Descriptor, limit: int) -> bytes:
        """Pull a blob whole.

        Raises:
            MalformedError: it is announced with more than `limit` bytes.
            EvidenceInvalidError: see `blob`.
        """
        if descriptor.size > limit:
            raise MalformedError(
                f"{self.name}: blob {descriptor.digest} is too large: {descriptor.size} bytes"
            )
        data = bytearray()
        self.blob(descriptor, data.extend)
        return bytes(data)

    def blob(self, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
        """Pull a blob, streamed; see `pull_blob`."""
        pull_blob(self.repo, descriptor, write)

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[IO[bytes]]:
        """Pull a blob into a temporary file."""
        with tempfile.SpooledTemporaryFile(_SPOOL) as stream:
            self.blob(descriptor, stream.write)
            stream.seek(0)
            yield stream

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Say whether the repository has a blob."""
        return has_blob(self.repo, descriptor.digest)

    def has_manifest(self, descriptor: Descriptor) -> bool:
        """Say whether the repository has a manifest; it takes none without its parts."""
        return self.head(descriptor.digest) is not None

    def put_blob(self, descriptor: Descriptor, source: Reader) -> bool:
        """Push a blob out of a reader; from another repository of this registry it is mounted if possible."""
        repo = self.repo
        if (
            isinstance(source, Repository)
            and source.repo.http.host == repo.http.host
            and mount_blob(repo, descriptor.digest, source.repo.name)
        ):
            return False
        with source.open(descriptor) as stream:
            push_blob(repo, descriptor, stream)
        return True

    def push_blob(self, descriptor: Descriptor, source: IO[bytes]) -> None:
        """Push a blob; see `blobs.push_blob`."""
        push_blob(self.repo, descriptor, source)

    def put_manifest(self, descriptor: Descriptor, data: bytes, name: str | None = None) -> None:
        """Push a manifest or an index under its digest or a tag, and see that its subject's list has it."""
        listed = self.push_manifest(name or descriptor.digest, data, descriptor.media_type)
        links = parse_links(data, descriptor.media_type, f"manifest {descriptor.digest.short}")
        if links.subject and not listed:
            add_fallback(self, links.subject.digest, links.listed(descriptor), data)

    def push_manifest(self, reference: str | Digest, data: bytes, media_type: str) -> bool:
        """Push a manifest or an index; say whether the registry lists it with its subject's referrers.

        One that is refused is pushed again: Debian's registry, when others write the same files just then,
        and those on object storage find parts for bad or missing that are there a moment later.
        """
        for attempt in range(_TRIES):
            with self._request(
                "PUT",
                self._manifest(reference),
                "pull",
                "push",
                headers={"Content-Type": media_type},
                body=data,
            ) as reply:
                if reply.status != HTTPStatus.BAD_REQUEST or attempt + 1 == _TRIES:
                    expect(reply, HTTPStatus.CREATED, self.name)
                    return bool(reply.header("OCI-Subject"))
            self.repo.http.pause(attempt)
        raise AssertionError  # pragma: no cover - the loop returns

    def flush(self) -> None:
        """Do nothing: a registry offers at once what it is given."""

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List what refers to a manifest: by the endpoint, or by the fallback tag."""
        found: list[Descriptor] = []
        path = f"{self.repo.root}/referrers/{digest}"
        for _ in range(_MAX_PAGES):
            with self._request("GET", path, "pull", headers={"Accept": INDEX}) as reply:
                if reply.status == HTTPStatus.NOT_FOUND and not found:
                    return self.tagged_referrers(digest)
                expect(reply, HTTPStatus.OK, self.name)
                found += parse_index(reply.whole(MAX_DOCUMENT_BYTES), f"referrers of {digest.short}")
                path = self._next(reply.header("Link"), path)
            if not path:
                return tuple({one.digest: one for one in found}.values())
        raise MalformedError(f"{self.name}: the list of referrers has no end")

    def tagged_referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List what refers to a manifest by the fallback tag alone."""
        tag = fallback_tag(digest)
        if self.head(tag) is None:
            return ()
        return parse_index(self.manifest(tag)[1], f"referrers of {digest.short}")

    def tags(self, last: str = "") -> Iterator[str]:
        """List tags, page by page, in the registry's order.

        Args:
            last: where the registry may begin, after this tag; one without pagination gives all.

        Raises:
            UsageError: there is no such repository.
        """
        path = f"{self.repo.root}/tags/list?n={_PAGE}{f'&last={last}' if last else ''}"
        for _ in range(_MAX_PAGES):
            with self._request("GET", path, "pull") as reply:
                if reply.status == HTTPStatus.NOT_FOUND:
                    raise UsageError(f"{self.name}: the registry has no such repository")
                expect(reply, HTTPStatus.OK, self.name)
                body = parse_json_object(
                    reply.whole(MAX_DOCUMENT_BYTES), what=f"tags of {self.name}", max_bytes=MAX_DOCUMENT_BYTES
                )
                path = self._next(reply.header("Link"), path)
            tags = body.get("tags") or []
            if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
                raise MalformedError(f"{self.name}: the registry's list of tags is none")
            yield from (tag for tag in tags if is_tag(tag))
            if not path:
                return
        raise MalformedError(f"{self.name}: the list of tags has no end")

    def delete(self, reference: str | Digest) -> None:
        """Delete a manifest by its digest, with all its tags; or one tag.

        Raises:
            UsageError: there is none, or this registry does not delete.
        """
        links = None
        if isinstance(reference, Digest):
            descriptor, data = self.manifest(reference)
            links = parse_links(data, descriptor.media_type, f"manifest {reference.short}")
        with self._request("DELETE", self._manifest(reference), "pull", "push", "delete") as reply:
            if reply.status == HTTPStatus.NOT_FOUND:
                raise UsageError(f"{self.name} has no {reference}")
            if reply.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED}:
                kind = "manifests" if isinstance(reference, Digest) else "tags"
                raise UsageError(
                    f"{self.name}: this registry does not delete {kind} (HTTP {reply.status})",
                    hint="delete by digest" if kind == "tags" else "its configuration has to allow it",
                )
            expect(reply, HTTPStatus.ACCEPTED, self.name)
        if links and links.subject and isinstance(reference, Digest):
            remove_fallback(self, links.subject.digest, reference)

    def _request(self, method: str, path: str, *actions: str, **more: object) -> Reply:
        return self.repo.http.request(method, path, scopes=self.repo.scopes(*actions), **more)  # type: ignore[arg-type] # passed on as it is

    def _next(self, link: str, path: str) -> str:
        """Give the path of the next page (RFC 8288), which has to be of the same registry."""
        found = _NEXT.search(link)
        if not found:
            return ""
        url: str = urljoin(f"{self.repo.http.base}{path}", found[1])
        if urlsplit(url)[:2] != urlsplit(self.repo.http.base)[:2]:
            raise InfrastructureError(f"{self.name}: the next page is elsewhere: {url[:120]!r}")
        return url

    def _manifest(self, reference: str | Digest) -> str:
        if isinstance(reference, str) and not is_tag(reference):
            raise UsageError(f"not a tag: {reference[:80]!r}")
        return f"{self.repo.root}/manifests/{reference}"
