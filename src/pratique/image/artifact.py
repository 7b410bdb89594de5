"""Small artifacts made in memory: what refers to an image, ready to be copied to where the image is."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.image.descriptor import EMPTY, MANIFEST, Descriptor
from pratique.image.layout import plain
from pratique.image.manifest import Manifest
from pratique.model.digest import Digest, sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_NOTHING: Final = b"{}"


class Artifact:
    """One artifact and its blobs: a `Reader`.

    Args:
        kind: its artifact type, and its only layer's media type.
        data: that layer.
        subject: what it refers to.
        annotations: of its manifest.
    """

    def __init__(self, kind: str, data: bytes, subject: Descriptor, annotations: Mapping[str, str]) -> None:
        self._data = {sha256_bytes(_NOTHING): _NOTHING, sha256_bytes(data): data}
        self.manifest = Manifest(
            config=_describe(_NOTHING, EMPTY),
            layers=(_describe(data, kind),),
            artifact_type=kind,
            subject=plain(subject),
            annotations=dict(annotations),
        ).encode()
        self.descriptor = _describe(self.manifest, MANIFEST)
        self._data[self.descriptor.digest] = self.manifest

    def resolve(self, _name: str, digest: Digest | None) -> Descriptor:
        """Give the manifest's descriptor."""
        if digest not in {None, self.descriptor.digest}:
            raise UsageError(f"there is no {digest}")
        return self.descriptor

    def document(self, descriptor: Descriptor) -> bytes:
        """Give the manifest."""
        return self._bytes(descriptor)

    def content(self, descriptor: Descriptor, _limit: int) -> bytes:
        """Give a blob."""
        return self._bytes(descriptor)

    def blob(self, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
        """Give a blob in one piece."""
        write(self._bytes(descriptor))

    @contextmanager
    def open(self, descriptor: Descriptor) -> Iterator[IO[bytes]]:
        """Open a blob."""
        yield io.BytesIO(self._bytes(descriptor))

    def referrers(self, _digest: Digest) -> tuple[Descriptor, ...]:
        """Give nothing: nothing refers to what was just made."""
        return ()

    def _bytes(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self._data:
            raise EvidenceInvalidError(f"there is no {descriptor.digest}")
        return self._data[descriptor.digest]


def _describe(data: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=sha256_bytes(data), size=len(data))
