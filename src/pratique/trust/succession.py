"""How one trusted root names the next: statements that lead from the root somebody pinned to today's (pure).

The administrator of the old root signs, under the old keys and into the same log, that the new root follows
(docs/spec/root-rotation.md). Whoever pinned an older fingerprint follows such statements, each verified
against the root before it, and believes the last root as far as they lead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest_set, sha256_bytes
from pratique.model.predicate import ROOT_ROTATION
from pratique.trust.identity import Identity, role_identity
from pratique.trust.root import TrustedRoot, instance_key, instances, parse_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_ROTATIONS: Final = 1024
SUBJECT: Final = "trusted_root.json"


class Link(msgspec.Struct, frozen=True):
    """A root of former times, and the bundle in which it names its successor."""

    root: bytes
    rotation: bytes


def administrator_of(root: TrustedRoot) -> Identity:
    """Give the one identity that may enrol people, seal packages and name the next root under a root.

    Raises:
        EvidenceInvalidError: a root of several logs' names, which has no one trust domain.
    """
    origins = {log.origin for log in root.tlogs}
    if len(origins) != 1:
        raise EvidenceInvalidError(f"the logs of this trusted root have {len(origins)} names, not one")
    return role_identity(origins.pop(), "administrator")


def rotation_statement(old: TrustedRoot, new: bytes, moment: datetime) -> Statement:
    """Write that a root follows, as the administrator of the old one signs it.

    Args:
        old: the root in force.
        new: the bytes of the root that follows.
        moment: from when on.
    """
    following = parse_root(new)
    before, after = instances(old), instances(following)
    replaced = [
        {
            "name": name,
            "previous": instance_key(before[name][0]).digest_set,
            "key": instance_key(after[name][0]).digest_set,
        }
        for name in before
        if instance_key(before[name][0]) != instance_key(after[name][0])
    ]
    predicate: dict[str, Any] = {
        "previous": {"digest": old.fingerprint.digest_set},
        "replaced": replaced,
        "rotatedAt": format_time(moment),
    }
    return Statement((Subject(SUBJECT, following.fingerprint.digest_set),), ROOT_ROTATION, predicate)


def read_rotation(statement: Statement) -> tuple[Digest, Digest]:
    """Give the fingerprints that a rotation statement goes from and to.

    Raises:
        MalformedError: not a rotation of one root by another.
    """
    previous = statement.predicate.get("previous")
    if statement.predicate_type != ROOT_ROTATION or len(statement.subjects) != 1:
        raise MalformedError("not a statement about one root that follows another")
    before = parse_digest_set(previous.get("digest") if isinstance(previous, dict) else None)
    return before, statement.subjects[0].sha256


def follow(pinned: Digest, newest: bytes, links: Mapping[Digest, Link]) -> tuple[Verified, ...]:
    """Follow rotations from the root that somebody pinned to the newest one.

    Args:
        pinned: fingerprint of the root that is believed.
        newest: the bytes of the root that is to be.
        links: former roots by fingerprint; those that are not on the way are not looked at.

    Returns:
        The rotation statements on the way, oldest first; none when it is the pinned root itself.

    Raises:
        SignatureInvalidError: no way leads from one to the other, or a statement on it does not hold.
        MalformedError: a root or a statement on the way does not parse.
    """
    goal, at = sha256_bytes(newest), pinned
    found: list[Verified] = []
    while not at.matches(goal):
        link = links.get(at)
        if link is None or len(found) >= min(len(links), MAX_ROTATIONS):
            raise SignatureInvalidError(
                f"the root has fingerprint {goal}, not {pinned}, and no rotation leads from there to it",
                hint="ask the root's owner for its fingerprint; if yours is right, this package is another's",
            )
        if not sha256_bytes(link.root).matches(at):
            raise SignatureInvalidError(f"what is said to be root {at} is another one")
        verified = verify_link(link)
        at = read_rotation(verified.statement)[1]
        found.append(verified)
    return tuple(found)


def verify_link(link: Link) -> Verified:
    """Verify that a root names its successor: by its own administrator, under its own keys.

    Raises:
        SignatureInvalidError: it does not hold, somebody else signed it, or it speaks for another root.
        MalformedError: root or statement does not parse.
    """
    root = parse_root(link.root)
    verified = verify_bundle(link.rotation, root)
    if read_rotation(verified.statement)[0] != root.fingerprint:
        raise SignatureInvalidError(f"rotation {verified.digest.short}: it is about another root's successor")
    if verified.signer != administrator_of(root):
        raise SignatureInvalidError(
            f"rotation {verified.digest.short}: signed by {verified.signer}, who may not name the next root"
        )
    return verified
