"""Enrolment: which person a key stands for, in which roles, from when to when (docs/spec/enrolment.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError
from pratique.model.clock import format_time, parse_time
from pratique.model.predicate import ENROLMENT
from pratique.trust.bundle import key_id_of
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.identity import EnrolledKey, Identity
from pratique.trust.scheme import ECDSA_P256, OPENPGP, SSHSIG, check_public_key
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pratique.trust.verify import Verified

MAX_ROLES: Final = 32
MAX_EMAILS: Final = 32
_MEMBERS: Final = frozenset({"person", "emails", "roles", "key", "enrolledAt", "notAfter"})
_KEY_MEMBERS: Final = {ECDSA_P256: "spki", SSHSIG: "publicKey", OPENPGP: "publicKey"}


class Enrolment(msgspec.Struct, frozen=True):
    """What one enrolment statement says.

    Attributes:
        person: who; a label that policy uses, for example an e-mail address.
        roles: what the person may act as, for example `approver`; empty takes all roles away.
        public_key: the person's key, in the form of its scheme (`trust.scheme`).
        enrolled_at: the key counts from here on, but never from before the statement was signed.
        not_after: the key stops counting here; None for no limit.
        emails: the addresses the person commits under, which tell authors from approvers.
        scheme: how the key signs.
    """

    person: str
    roles: tuple[str, ...]
    public_key: bytes
    enrolled_at: datetime
    not_after: datetime | None = None
    emails: tuple[str, ...] = ()
    scheme: str = ECDSA_P256

    @property
    def key_id(self) -> str:
        """Hex SHA-256 of the key."""
        return key_id_of(self.public_key)


def enrolment_statement(enrolment: Enrolment) -> Statement:
    """Write an enrolment as the statement that an administrator signs.

    Raises:
        MalformedError: no person, a role twice, or a key that does not parse.
        SignatureInvalidError: a kind of key that is not taken.
    """
    _check(enrolment)
    limit = {} if enrolment.not_after is None else {"notAfter": format_time(enrolment.not_after)}
    predicate: dict[str, Any] = {
        "person": enrolment.person,
        "emails": list(enrolment.emails),
        "roles": list(enrolment.roles),
        "key": {"scheme": enrolment.scheme, _KEY_MEMBERS[enrolment.scheme]: b64encode(enrolment.public_key)},
        "enrolledAt": format_time(enrolment.enrolled_at),
        **limit,
    }
    return Statement((Subject(enrolment.person, {"sha256": enrolment.key_id}),), ENROLMENT, predicate)


def parse_enrolment(statement: Statement) -> Enrolment:
    """Read an enrolment statement.

    Raises:
        MalformedError: another predicate type, a missing member, or a subject that is not the key.
        SignatureInvalidError: a kind of key that is not taken.
    """
    if statement.predicate_type != ENROLMENT:
        raise MalformedError(f"enrolment: predicate type {statement.predicate_type[:80]!r}")
    predicate = statement.predicate
    key, roles, not_after = predicate.get("key"), predicate.get("roles"), predicate.get("notAfter")
    if unknown := sorted(predicate.keys() - _MEMBERS):
        raise MalformedError(f"enrolment: unknown member {unknown[0][:40]!r}, which might be a condition")
    scheme, public_key = _key(key)
    emails = predicate.get("emails", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise MalformedError("enrolment: roles is not a list of names")
    if not isinstance(emails, list) or not all(isinstance(email, str) for email in emails):
        raise MalformedError("enrolment: emails is not a list of addresses")
    enrolment = Enrolment(
        person=_text(predicate, "person"),
        roles=tuple(roles),
        public_key=public_key,
        enrolled_at=parse_time(_text(predicate, "enrolledAt")),
        not_after=None if not_after is None else parse_time(_text(predicate, "notAfter")),
        emails=tuple(emails),
        scheme=scheme,
    )
    _check(enrolment)
    subject = statement.subjects[0]
    if len(statement.subjects) != 1 or subject.sha256.hex != enrolment.key_id:
        raise MalformedError("enrolment: its one subject is not the key that it enrols")
    if subject.name != enrolment.person:
        raise MalformedError("enrolment: its subject and its predicate name different people")
    return enrolment


def _check(enrolment: Enrolment) -> None:
    if not enrolment.person.strip() or not enrolment.person.isprintable():
        raise MalformedError("enrolment: it names no person")
    if len(set(enrolment.roles)) != len(enrolment.roles) or not all(enrolment.roles):
        raise MalformedError("enrolment: a role that is empty or named twice")
    if len(enrolment.roles) > MAX_ROLES or len(enrolment.emails) > MAX_EMAILS:
        raise MalformedError(f"enrolment: more than {MAX_ROLES} roles or {MAX_EMAILS} addresses")
    for email in enrolment.emails:
        if "@" not in email or not email.isprintable() or email != email.strip():
            raise MalformedError(f"enrolment: not an e-mail address: {email[:80]!r}")
    check_public_key(enrolment.scheme, enrolment.public_key)


def _key(key: object) -> tuple[str, bytes]:
    """Read scheme and public key; an unknown member might be a condition."""
    scheme = key.get("scheme") if isinstance(key, dict) else None
    member = _KEY_MEMBERS.get(scheme) if isinstance(scheme, str) else None
    if not isinstance(key, dict) or member is None or key.keys() != {"scheme", member}:
        raise MalformedError(f"enrolment: its key is not of a known scheme ({', '.join(_KEY_MEMBERS)})")
    return str(scheme), b64decode(key[member], what="enrolment: key")


def _text(predicate: dict[str, Any], name: str) -> str:
    value = predicate.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"enrolment: {name} is missing")
    return value


def enrolled_keys(evidence: Iterable[Verified], *, administrator: Identity) -> dict[str, EnrolledKey]:
    """Fold verified enrolment statements, oldest log entry first, into the keys that count (pure).

    A key counts from its first enrolment on. A later enrolment of the same key changes its roles from then
    on, and replaces its `notAfter` altogether: that is how a key is revoked, backwards in time if need be.

    Args:
        evidence: verified enrolment statements, in any order.
        administrator: the one identity that may enrol.

    Raises:
        EvidenceInvalidError: a statement by anyone else, or one key claimed for two people.
    """
    by_key: dict[str, list[tuple[Verified, Enrolment]]] = {}
    for verified in sorted(evidence, key=lambda item: item.log_index):
        if verified.signer != administrator:
            raise EvidenceInvalidError(
                f"enrolment {verified.digest.short}: signed by {verified.signer}, not by {administrator}",
                hint="only the administrator of this trust domain may enrol people",
            )
        enrolment = parse_enrolment(verified.statement)
        by_key.setdefault(enrolment.key_id, []).append((verified, enrolment))
    return {key_id: _fold(history) for key_id, history in by_key.items()}


def _fold(history: Sequence[tuple[Verified, Enrolment]]) -> EnrolledKey:
    since = [max(verified.signed_at, enrolment.enrolled_at) for verified, enrolment in history]
    verified, latest = history[-1]
    if any(enrolment.person != latest.person for _, enrolment in history):
        raise EvidenceInvalidError(
            f"enrolment {verified.digest.short}: key {latest.key_id[:16]} already stands for another person"
        )
    grants = tuple((start, item.roles) for start, (_, item) in zip(since, history, strict=True))
    return EnrolledKey(
        latest.public_key, latest.person, since[0], latest.not_after, grants, latest.emails, latest.scheme
    )
