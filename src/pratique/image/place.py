"""Where images are: what a repository of a registry, a layout's folder and an archive have in common.

Everything read is checked: a reader gives the bytes a descriptor names, or raises. Both ports may be used
from several threads at once.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from pratique.image.descriptor import Descriptor
    from pratique.model.digest import Digest


class Reader(Protocol):
    """A repository or a layout, for reading.

    Every method raises `EvidenceInvalidError` for bytes that are missing or not what the descriptor says, and
    `InfrastructureError` when the disk or the registry fails.
    """

    def resolve(self, name: str, digest: Digest | None) -> Descriptor:
        """Find a manifest or an index, by its digest or else by its name.

        Raises:
            UsageError: there is none, or without either of the two there are several.
        """

    def document(self, descriptor: Descriptor) -> bytes:
        """Read a manifest or an index."""

    def content(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a blob whole; one of more than `limit` bytes is refused."""

    def blob(self, descriptor: Descriptor, write: Callable[[bytes], object]) -> None:
        """Read a blob in pieces; what was written counts only when this returns."""

    def open(self, descriptor: Descriptor) -> AbstractContextManager[IO[bytes]]:
        """Open a blob that has been checked, seekable."""

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List the manifests whose subject is this one, with their artifact types."""


class Writer(Protocol):
    """A repository or a layout, for writing: blobs first, then what names them."""

    def has_blob(self, descriptor: Descriptor) -> bool:
        """Say whether a blob is there already."""

    def has_manifest(self, descriptor: Descriptor) -> bool:
        """Say whether a manifest is there already, with its blobs."""

    def put_blob(self, descriptor: Descriptor, source: Reader) -> bool:
        """Take a blob from a reader; say whether its bytes had to be sent.

        Nothing is kept of one that is not what the descriptor says.
        """

    def put_manifest(self, descriptor: Descriptor, data: bytes, name: str | None = None) -> None:
        """Take a manifest or an index whose parts are there; list it with its subject's referrers.

        Args:
            descriptor: what it is.
            data: its bytes.
            name: a tag; empty for none; None for a part of an index, which is not offered by itself.
        """

    def flush(self) -> None:
        """Offer what was put: before, a layout is as it was."""
