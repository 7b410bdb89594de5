"""Manifests, tags and referrers of a registry (distribution-spec 1.1); synchronous, called in threads."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from pratique.errors import MalformedError
from pratique.image.descriptor import INDEX, Descriptor
from pratique.image.graph import parse_links
from pratique.image.manifest import encode_index
from pratique.model.digest import Digest, sha256_bytes
from pratique.server.http import Reply
from pratique.server.registry.problem import Problem, RegistryError
from pratique.server.registry.request import MAX_PAGE, digest_of, page_size, reference_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.server.registry.storage import Storage

_REFERRERS_PAGE: Final = 500
_JSON: Final = "application/json"


class Documents:
    """The endpoints over one storage; each gives the reply, or raises `RegistryError`."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._catalogue = storage.catalogue

    def get_manifest(self, repository: str, reference: str) -> Reply:
        """GET or HEAD a manifest."""
        found = self._catalogue.manifest(repository, reference_of(reference))
        if found is None:
            raise RegistryError(Problem.MANIFEST_UNKNOWN, "no such manifest here")
        data = self._storage.read_document(found.digest)
        headers = {"Docker-Content-Digest": str(found.digest), "ETag": f'"{found.digest}"'}
        return Reply(HTTPStatus.OK, data, found.media_type, headers)

    def put_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> Reply:
        """PUT a manifest: its parts have to be here, its subject need not be."""
        where = reference_of(reference)
        digest = sha256_bytes(data)
        if isinstance(where, Digest) and not digest.matches(where):
            raise RegistryError(Problem.DIGEST_INVALID, f"the bytes have the digest {digest}")
        kind = media_type.partition(";")[0].strip()
        try:
            links = parse_links(data, kind, "manifest")
        except MalformedError as error:
            raise RegistryError(Problem.MANIFEST_INVALID, error.message) from error
        for blob in links.blobs:
            if not self._catalogue.has_blob(repository, blob.digest):
                raise RegistryError(Problem.MANIFEST_BLOB_UNKNOWN, f"blob {blob.digest} is not here")
        for part in links.manifests:
            if self._catalogue.manifest(repository, part.digest) is None:
                raise RegistryError(Problem.MANIFEST_BLOB_UNKNOWN, f"manifest {part.digest} is not here")
        described = Descriptor(media_type=kind, digest=digest, size=len(data))
        tag = where if isinstance(where, str) else ""
        self._storage.put_manifest(repository, described, data, links, tag)
        headers = {"Location": f"/v2/{repository}/manifests/{digest}", "Docker-Content-Digest": str(digest)}
        if links.subject:
            headers["OCI-Subject"] = str(links.subject.digest)
        return Reply(HTTPStatus.CREATED, b"", _JSON, headers)

    def delete_manifest(self, repository: str, reference: str) -> Reply:
        """DELETE a tag alone, or a manifest with its tags."""
        where = reference_of(reference)
        if self._catalogue.manifest(repository, where) is None:
            raise RegistryError(Problem.MANIFEST_UNKNOWN, "no such manifest here")
        if isinstance(where, Digest):
            self._storage.remove_manifest(repository, where)
        else:
            self._catalogue.remove_tag(repository, where)
        return Reply(HTTPStatus.ACCEPTED, b"")

    def list_tags(self, repository: str, query: Mapping[str, str]) -> Reply:
        """GET a page of tags."""
        if not self._catalogue.is_known(repository):
            raise RegistryError(Problem.NAME_UNKNOWN, "no such repository")
        count = page_size(query.get("n"))
        tags = self._catalogue.tags(repository, query.get("last", ""), count + 1)
        headers = {}
        if len(tags) > count and count:
            tags = tags[:count]
            last = quote(tags[-1], safe="")
            headers["Link"] = f'</v2/{repository}/tags/list?n={count}&last={last}>; rel="next"'
        body = json.dumps({"name": repository, "tags": tags[:count]}).encode()
        return Reply(HTTPStatus.OK, body, _JSON, headers)

    def list_referrers(self, repository: str, digest: str, query: Mapping[str, str]) -> Reply:
        """GET a page of what refers to a manifest; nothing refers to what is not here."""
        subject, kind = digest_of(digest), query.get("artifactType", "")
        count = min(_REFERRERS_PAGE, MAX_PAGE)
        found = self._catalogue.referrers(repository, subject, kind, query.get("last", ""), count + 1)
        headers = {"OCI-Filters-Applied": "artifactType"} if kind else {}
        if len(found) > count:
            found = found[:count]
            filtered = f"&artifactType={quote(kind, safe='')}" if kind else ""
            page = f"/v2/{repository}/referrers/{subject}?last={found[-1].digest.hex}{filtered}"
            headers["Link"] = f'<{page}>; rel="next"'
        return Reply(HTTPStatus.OK, encode_index(tuple(found)), INDEX, headers)
