"""A registry's folder: bytes by their digest, uploads under way, and the catalogue (I/O).

    catalogue.sqlite
    blobs/sha256/ab/ab…          each once, whichever repositories have it
    uploads/<id>                 what has arrived of a blob; an id is unguessable

Bytes are on the disk before anything says that they are there.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final

from pratique.errors import InfrastructureError
from pratique.model.digest import Digest
from pratique.server.registry.catalogue import Catalogue
from pratique.server.registry.problem import Problem, RegistryError
from pratique.store.atomic import make_folder, sync_paths, write_atomic

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.image.descriptor import Descriptor
    from pratique.image.graph import Links

MAX_UPLOADS: Final = 1000
_STALE_SECONDS: Final = 24 * 3600
_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_CHUNK: Final = 1 << 20


class Storage:
    """One registry's folder, of which this process is the only server. Safe to share between threads.

    Args:
        root: the folder; made when it is missing.
        max_blob_bytes: longer uploads are refused.
    """

    def __init__(self, root: Path, max_blob_bytes: int) -> None:
        self._root = root
        self._most = max_blob_bytes
        self._lock = threading.Lock()  # between a blob's bytes and what the catalogue says of them
        for folder in ("uploads", "blobs/sha256"):
            make_folder(root / folder)
        self.catalogue = Catalogue(root / "catalogue.sqlite")
        self._remove_stale()

    def path(self, digest: Digest) -> Path:
        """Say where bytes are."""
        return self._root / "blobs" / "sha256" / digest.hex[:2] / digest.hex

    def begin_upload(self) -> str:
        """Begin an upload and give its id.

        Raises:
            RegistryError: too many are under way.
        """
        if sum(1 for _ in (self._root / "uploads").iterdir()) >= MAX_UPLOADS:
            self._remove_stale()
            raise RegistryError(Problem.TOO_MANY, "too many uploads are under way")
        number = secrets.token_hex(16)
        os.close(os.open(self._upload(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return number

    def upload_size(self, number: str) -> int:
        """Say how much of an upload has arrived.

        Raises:
            RegistryError: there is no such upload.
        """
        try:
            return self._upload(number).stat().st_size
        except FileNotFoundError as error:
            raise RegistryError(Problem.UPLOAD_UNKNOWN, "no such upload") from error

    def append(self, number: str, offset: int, data: bytes) -> None:
        """Add to an upload at its end.

        Raises:
            RegistryError: it is not that far, or further, or becomes too long.
        """
        with self._lock:
            if self.upload_size(number) != offset:
                raise RegistryError(
                    Problem.UPLOAD_INVALID, "another request writes to this upload", status=416
                )
            if offset + len(data) > self._most:
                raise RegistryError(
                    Problem.SIZE_INVALID, f"a blob of more than {self._most} bytes", status=413
                )
            with self._upload(number).open("ab") as stream:
                stream.write(data)

    def finish_upload(self, number: str, repository: str, digest: Digest) -> None:
        """Keep an upload as a blob, if it is what it is called; else nothing is left of it.

        Raises:
            RegistryError: its bytes have another digest.
        """
        path = self._closed(number)
        with path.open("rb") as stream:
            found = Digest(hashlib.file_digest(stream, "sha256").hexdigest())
        if not found.matches(digest):
            path.unlink(missing_ok=True)
            raise RegistryError(Problem.DIGEST_INVALID, f"the bytes have the digest {found}")
        target = self.path(digest)
        with self._lock:
            if target.exists():
                path.unlink(missing_ok=True)
            else:
                make_folder(target.parent)
                sync_paths([path])
                path.replace(target)
                sync_paths([target.parent])
            self.catalogue.add_blob(repository, digest)

    def cancel_upload(self, number: str) -> None:
        """Throw an upload away."""
        self.upload_size(number)
        self._upload(number).unlink(missing_ok=True)

    def mount(self, source: str, target: str, digest: Digest) -> bool:
        """Let a repository have a blob of another; say whether that one has it."""
        with self._lock:
            if not self.catalogue.has_blob(source, digest):
                return False
            self.catalogue.add_blob(target, digest)
        return True

    def blob(self, repository: str, digest: Digest) -> Path:
        """Give the file of a repository's blob.

        Raises:
            RegistryError: it has none.
        """
        if not self.catalogue.has_blob(repository, digest):
            raise RegistryError(Problem.BLOB_UNKNOWN, "no such blob here")
        return self.path(digest)

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Take a blob from a repository; its bytes go with the last that has it."""
        self.blob(repository, digest)
        with self._lock:
            self.catalogue.remove_blob(repository, digest)
            self._remove_bytes(digest)

    def put_manifest(
        self, repository: str, descriptor: Descriptor, data: bytes, links: Links, tag: str
    ) -> None:
        """Keep a manifest, under a tag if one is given."""
        with self._lock:
            write_atomic(self.path(descriptor.digest), data)
            self.catalogue.add_manifest(repository, descriptor, links, tag)

    def read_document(self, digest: Digest) -> bytes:
        """Read a manifest's bytes.

        Raises:
            InfrastructureError: they are damaged, or gone.
        """
        data = self.path(digest).read_bytes() if self.path(digest).is_file() else b""
        if hashlib.sha256(data).hexdigest() != digest.hex:
            raise InfrastructureError(f"{self.path(digest)} is damaged")
        return data

    def remove_manifest(self, repository: str, digest: Digest) -> None:
        """Take a manifest from a repository, with its tags; its bytes go with the last that has it."""
        with self._lock:
            self.catalogue.remove_manifest(repository, digest)
            self._remove_bytes(digest)

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()

    def _remove_bytes(self, digest: Digest) -> None:
        if not self.catalogue.is_needed(digest):
            self.path(digest).unlink(missing_ok=True)

    def _upload(self, number: str) -> Path:
        if not _ID.match(number):
            raise RegistryError(Problem.UPLOAD_UNKNOWN, "no such upload")
        return self._root / "uploads" / number

    def _closed(self, number: str) -> Path:
        """Give an upload a name that no request leads to: what is hashed now must not grow any more."""
        with self._lock:
            self.upload_size(number)
            return self._upload(number).rename(self._root / "uploads" / f"{number}.closed")

    def _remove_stale(self) -> None:
        oldest = time.time() - _STALE_SECONDS
        for path in (self._root / "uploads").iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)
