"""Where images are, to read them: what a repository of a registry and a layout on the disk have in common.

Everything read is checked: a reader gives the bytes a descriptor names, or raises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pratique.image.descriptor import Descriptor
    from pratique.model.digest import Digest


class Reader(Protocol):
    """A repository or a layout, for reading.

    Every method raises `EvidenceInvalidError` for bytes that are missing or not what the descriptor says, and
    `InfrastructureError` when the disk or the registry fails.
    """

    def document(self, descriptor: Descriptor) -> bytes:
        """Read a manifest or an index."""

    def content(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a blob whole; one of more than `limit` bytes is refused."""

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        """List the manifests whose subject is this one, with their artifact types."""
