"""Former trusted roots of a journal, each with the statement in which it names its successor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError
from pratique.model import predicate as p
from pratique.model.digest import Digest, sha256_bytes
from pratique.report.audit.manifest import former_names
from pratique.trust.bundle import parse_bundle
from pratique.trust.statement import parse_statement
from pratique.trust.succession import Link, read_rotation, verify_link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.journal.journal import Journal
    from pratique.store.blobs import BlobStore
    from pratique.trust.root import TrustedRoot


def former_links(root: TrustedRoot, *, journal: Journal, blobs: BlobStore) -> dict[Digest, Link]:
    """Give every former root of a journal by its fingerprint, the newest first.

    Raises:
        EvidenceInvalidError: a former root or a rotation is damaged.
    """
    links: dict[Digest, Link] = {}
    at = root.fingerprint
    while link := _link_to(at, journal, blobs):
        at = sha256_bytes(link.root)
        if at in links:
            raise EvidenceInvalidError(f"the rotations of this journal lead in a circle, at root {at}")
        links[at] = link
    return links


def former_members(links: Mapping[Digest, Link]) -> dict[str, bytes]:
    """Give the members of a package that carry former roots and rotations."""
    members: dict[str, bytes] = {}
    for digest, link in links.items():
        root, rotation = former_names(digest)
        members |= {root: link.root, rotation: link.rotation}
    return members


def _link_to(root: Digest, journal: Journal, blobs: BlobStore) -> Link | None:
    """Find the rotation that leads to a root; what others said of it under that type is passed over."""
    for found in journal.find(root, p.ROOT_ROTATION):
        rotation = journal.get(found.digest)
        try:
            previous = read_rotation(parse_statement(parse_bundle(rotation).payload))[0]
            if not blobs.has(previous):
                continue
            link = Link(blobs.get(previous), rotation)
            verify_link(link)
        except EvidenceInvalidError:
            continue
        return link
    return None
