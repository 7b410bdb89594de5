"""The referrers tag schema, kept complete though many write to it at once.

For registries without the referrers endpoint (distribution-spec 1.1, "Backwards Compatibility").

The list is an index under the tag `sha256-<hex>`: read, changed, written, and a registry offers nothing to
make that one step, so that a writer can undo what another has just written. Therefore each referrer is
announced first, by a tag of its own (`sha256-<hex>.r-<referrer>`), which nobody else writes. A writer is done
when it has seen, after its own last write, a list with everything announced. Whoever writes last has seen
every announcement of a writer that was done before, so none is lost; what a killed writer undid, the next one
puts back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.errors import EvidenceInvalidError, InfrastructureError, UsageError
from pratique.image.descriptor import INDEX, Descriptor
from pratique.image.graph import parse_links, refers_to
from pratique.image.manifest import encode_index

if TYPE_CHECKING:
    from pratique.image.registry.client import Repository
    from pratique.model.digest import Digest

_TRIES: Final = 50
_SHOWN: Final = 16
_OF_THIS_SCHEMA: Final = re.compile(rf"sha256-[0-9a-f]{{64}}(?:\.r-[0-9a-f]{{{_SHOWN}}})?\Z")


def fallback_tag(digest: Digest) -> str:
    """Give the tag of the list."""
    return f"sha256-{digest.hex}"


def is_fallback_tag(tag: str) -> bool:
    """Say whether a tag is of this schema, and no name that a person gave."""
    return bool(_OF_THIS_SCHEMA.match(tag))


def add_fallback(repository: Repository, subject: Digest, referrer: Descriptor, data: bytes) -> None:
    """Add a referrer to the list of its subject (I/O).

    Args:
        repository: where both are.
        subject: what it refers to.
        referrer: its descriptor, as the list has it.
        data: its manifest.

    Raises:
        InfrastructureError: the registry failed, or others write without end.
    """
    repository.push_manifest(_announcement(subject, referrer.digest), data, referrer.media_type)
    for _ in range(_TRIES):
        announced = _announced(repository, subject)
        known = {one.digest: one for one in repository.tagged_referrers(subject)}
        missing = {
            one.digest: one
            for one in (referrer, *_described(repository, subject, announced, set(known)))
            if one.digest not in known
        }
        if not missing:
            return
        repository.push_manifest(
            fallback_tag(subject), encode_index((*known.values(), *missing.values())), INDEX
        )
    raise InfrastructureError(f"{repository.name}: others write the referrers of {subject.short} without end")


def remove_fallback(repository: Repository, subject: Digest, referrer: Digest) -> None:
    """Take a deleted referrer off the list of its subject, if there is one (I/O)."""
    tag = _announcement(subject, referrer)
    if repository.head(tag) is not None:
        repository.delete(tag)
    for _ in range(_TRIES):
        known = repository.tagged_referrers(subject)
        kept = tuple(one for one in known if one.digest != referrer)
        if len(kept) == len(known):
            return
        repository.push_manifest(fallback_tag(subject), encode_index(kept), INDEX)


def _announcement(subject: Digest, referrer: Digest) -> str:
    return f"{fallback_tag(subject)}.r-{referrer.hex[:_SHOWN]}"


def _announced(repository: Repository, subject: Digest) -> list[str]:
    prefix = f"{fallback_tag(subject)}.r-"
    return [tag for tag in repository.tags(last=fallback_tag(subject)) if tag.startswith(prefix)]


def _described(
    repository: Repository, subject: Digest, announced: list[str], known: set[Digest]
) -> list[Descriptor]:
    """Describe what was announced and is not on the list; what is none of its referrers is passed over."""
    found = []
    listed = {_announcement(subject, digest) for digest in known}
    for tag in announced:
        if tag in listed:
            continue
        try:
            descriptor, data = repository.manifest(tag)
            links = parse_links(data, descriptor.media_type, tag)
        except (UsageError, EvidenceInvalidError):
            continue  # deleted since, or nobody's referrer
        if refers_to(links, subject):
            found.append(links.listed(descriptor))
    return found
