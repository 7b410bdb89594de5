"""Whose evidence is believed about what: a verification policy over signatures that held.

Verification says who signed what and when; this says whether that is enough. Pure: evidence, policy and time
in, the roles that are filled and those that are not out. Signers are counted by identity, certificate or key,
never by a key's hint or by how often they signed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import ConfigError
from pratique.trust.entity import Message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pratique.trust.established import Established
    from pratique.trust.identity import Identity
    from pratique.trust.pattern import IdentityPattern

SIGNATURE: Final = "signature"
"""What a bare signature claims, where a statement has a predicate type: nothing but that it was made."""

SKEW: Final = timedelta(minutes=5)


class Artifact(msgspec.Struct, frozen=True):
    """What is verified: bytes by their digests, or a directory by its files'.

    Attributes:
        digests: algorithm to lower-case hex; empty for a directory.
        files: for a directory, the SHA-256 of each file by its path inside, with `/`.
    """

    digests: dict[str, str]
    files: dict[str, str] = {}


class Role(msgspec.Struct, frozen=True):
    """Somebody whose word is needed.

    Attributes:
        name: what the policy calls them.
        signers: whose signatures count.
        may_sign: predicate types that count, or `signature` for a bare signature; empty for any.
        threshold: how many different signers it takes.
        max_age_days: signatures made longer ago do not count; None when any age will do.
    """

    name: str
    signers: tuple[IdentityPattern, ...]
    may_sign: tuple[str, ...] = ()
    threshold: int = 1
    max_age_days: int | None = None


class Revocation(msgspec.Struct, frozen=True):
    """What no longer counts, and from when on.

    Attributes:
        kind: `key`, `certificate` or `digest` (of the evidence, or of an artifact).
        hex: SHA-256 of the SubjectPublicKeyInfo, of the DER certificate, or of the bytes.
        since: signatures proven to be older still count; None when none does.
        reason: for people.
    """

    kind: str
    hex: str
    since: datetime | None = None
    reason: str = ""


class Acceptance(msgspec.Struct, frozen=True):
    """A verification policy: every role has to be filled."""

    roles: tuple[Role, ...]
    revoked: tuple[Revocation, ...] = ()

    def __post_init__(self) -> None:
        if not self.roles:
            raise ConfigError("a verification policy without a role would accept anything")
        for role in self.roles:
            if not role.signers:
                raise ConfigError(f"role {role.name!r} has no signers, so nobody can fill it")
            if role.threshold < 1:
                raise ConfigError(f"role {role.name!r} needs a threshold of at least 1")


class Filled(msgspec.Struct, frozen=True):
    """A role, the signers who fill it or part of it, and by which pattern each does."""

    role: Role
    by: tuple[tuple[Identity, IdentityPattern], ...]

    @property
    def enough(self) -> bool:
        """Say whether the threshold is met."""
        return len(self.by) >= self.role.threshold


class Aside(msgspec.Struct, frozen=True):
    """Evidence that held and does not count, and why."""

    signer: str
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """How a policy looks at evidence."""

    roles: tuple[Filled, ...]
    aside: tuple[Aside, ...]

    @property
    def accepted(self) -> bool:
        """Say whether every role is filled; a policy has at least one."""
        return bool(self.roles) and all(role.enough for role in self.roles)


def evaluate(
    policy: Acceptance, evidence: Sequence[Established], artifact: Artifact, now: datetime
) -> Outcome:
    """Ask a policy about an artifact.

    Args:
        policy: whose word is needed.
        evidence: signatures that held.
        artifact: only evidence about it counts.
        now: the time, for ages.
    """
    aside: list[Aside] = []
    counted: list[Established] = []
    for item in evidence:
        if not is_about(item, artifact):
            aside.append(Aside(str(item.signer), "is about something else than this artifact"))
        elif reason := _revoked(policy, item, artifact):
            aside.append(Aside(str(item.signer), reason))
        elif item.signed_at is not None and item.signed_at > now + SKEW:
            aside.append(Aside(str(item.signer), f"was signed in the future, at {item.signed_at}"))
        else:
            counted.append(item)
    filled: list[Filled] = []
    used: set[int] = set()
    for role in policy.roles:
        by: dict[Identity, IdentityPattern] = {}
        for at, item in enumerate(counted):
            pattern = next((one for one in role.signers if one.matches(item.signer)), None)
            if pattern is None:
                continue
            if reason := _unfit(role, item, now):
                aside.append(Aside(str(item.signer), f"{reason} (role {role.name})"))
                used.add(at)
                continue
            by.setdefault(item.signer, pattern)
            used.add(at)
        filled.append(Filled(role, tuple(sorted(by.items()))))
    nobody = [item for at, item in enumerate(counted) if at not in used]
    aside.extend(Aside(str(item.signer), "matches no role of the policy") for item in nobody)
    return Outcome(tuple(filled), tuple(dict.fromkeys(aside)))


def claim_of(item: Established) -> str:
    """Give what a signature claims: its statement's predicate type, or `signature`."""
    return SIGNATURE if item.statement is None else item.statement.predicate_type


def is_about(item: Established, artifact: Artifact) -> bool:
    """Say whether evidence is about an artifact.

    One of a statement's subjects has to be it: a digest agrees, and none that can be compared differs. For a
    directory the subjects have to be its files, every one and no other.
    """
    content = item.entity.content
    if isinstance(content, Message):
        return artifact.digests.get(content.algorithm) == content.digest.hex()
    if item.statement is None:
        return False
    if artifact.files:
        named = {subject.name: subject.digest.get("sha256") for subject in item.statement.subjects}
        return named == artifact.files and len(named) == len(item.statement.subjects)
    return any(_agrees(subject.digest, artifact.digests) for subject in item.statement.subjects)


def _agrees(digests: Mapping[str, str], artifact: Mapping[str, str]) -> bool:
    shared = [name for name in digests if name in artifact]
    return bool(shared) and all(digests[name].lower() == artifact[name] for name in shared)


def _unfit(role: Role, item: Established, now: datetime) -> str:
    if role.may_sign and claim_of(item) not in role.may_sign:
        return f"may not sign {claim_of(item)}"
    if role.max_age_days is None:
        return ""
    if item.signed_at is None:
        return "nobody says when it was signed, and the policy limits its age"
    if now - item.signed_at > timedelta(days=role.max_age_days):
        return f"was signed at {item.signed_at}, more than {role.max_age_days} days ago"
    return ""


def _revoked(policy: Acceptance, item: Established, artifact: Artifact) -> str:
    entity = item.entity
    names = {("digest", entity.source.hex), ("digest", artifact.digests.get("sha256", ""))}
    if item.signer.kind == "key":
        names.add(("key", item.signer.subject))
    if entity.certificate is not None:
        names.add(("certificate", sha256(entity.certificate).hexdigest()))
    if item.key is not None:
        names.add(("key", item.key.key_id))
    for revocation in policy.revoked:
        if (revocation.kind, revocation.hex) not in names:
            continue
        if revocation.since is None or item.signed_at is None or item.signed_at >= revocation.since:
            when = f" since {revocation.since}" if revocation.since else ""
            why = f": {revocation.reason}" if revocation.reason else ""
            return f"its {revocation.kind} {revocation.hex[:16]} is revoked{when}{why}"
    return ""
