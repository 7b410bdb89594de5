"""Who signed: a certificate's subject and issuer, or a person's enrolled key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from pratique.errors import ConfigError, UsageError
from pratique.trust.scheme import ECDSA_P256

if TYPE_CHECKING:
    from datetime import datetime

ROLES: Final = (
    "runner",
    "builder",
    "rebuilder",
    "scanner",
    "verifier",
    "deployer",
    "administrator",
    "authority",
)
KEYS_ALONE: Final = "none"
"""Stands where a root's name would, for signatures by keys that are believed without any root."""

_ROOT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TRUST_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL}){{0,15}}\Z")


class Identity(msgspec.Struct, frozen=True, order=True):
    """A signer, as verification established it; compare whole identities, never a part of one.

    Attributes:
        kind: what proved it.
        subject: the certificate's one subject alternative name, or the key's id (hex SHA-256 of its
            SubjectPublicKeyInfo).
        issuer: who vouched for the certificate's subject (Fulcio issuer extension); empty for a key.
        root: name of the trusted root that vouched for all that, where it is not one's own; `KEYS_ALONE` for
            a key that no root says anything about.
    """

    kind: Literal["certificate", "key"]
    subject: str
    issuer: str = ""
    root: str = ""

    def __str__(self) -> str:
        shown = self.subject if self.kind == "certificate" else f"key {self.subject}"
        return f"{shown} (root {self.root})" if self.root else shown


class EnrolledKey(msgspec.Struct, frozen=True):
    """A person's key, with what enrolment statements say about it (`trust.enrolment`).

    Attributes:
        public_key: the key, in the form of its scheme (`trust.scheme`).
        person: whose it is.
        not_before: signatures before this moment do not count.
        not_after: signatures from this moment on do not count; None when nothing limits it.
        grants: the roles held, each tuple from its moment on, oldest first.
        emails: the addresses the person commits under, by the latest enrolment.
        scheme: how the key signs.
    """

    public_key: bytes
    person: str
    not_before: datetime
    not_after: datetime | None = None
    grants: tuple[tuple[datetime, tuple[str, ...]], ...] = ()
    emails: tuple[str, ...] = ()
    scheme: str = ECDSA_P256

    def valid_at(self, moment: datetime) -> bool:
        """Say whether a signature made at that moment counts."""
        return self.not_before <= moment and (self.not_after is None or moment < self.not_after)

    def roles_at(self, moment: datetime) -> tuple[str, ...]:
        """Give the roles held at a moment: a later grant never reaches back."""
        held: tuple[str, ...] = ()
        for since, roles in self.grants:
            if since <= moment:
                held = roles
        return held


def is_root_name(name: str) -> bool:
    """Say whether a trusted root beside one's own can have this name."""
    return bool(_ROOT_NAME.match(name))


def check_root_name(name: str, *, what: str) -> str:
    """Give back a name that a trusted root can have beside one's own.

    Raises:
        ConfigError: it is none.
    """
    if not is_root_name(name):
        raise ConfigError(
            f"{what}: {name[:80]!r} cannot name a trusted root",
            hint="lower-case letters, digits, dots and hyphens",
        )
    return name


def check_trust_domain(name: str) -> str:
    """Give back a trust domain that can be a SPIFFE trust domain, a log's origin and a URL's host.

    Raises:
        UsageError: it is not a lower-case host name.
    """
    if not _TRUST_DOMAIN.match(name):
        raise UsageError(
            f"not a trust domain: {name[:80]!r}", hint="use a lower-case host name, such as pratique.local"
        )
    return name


def is_role(identity: Identity, trust_domain: str) -> bool:
    """Say whether an identity is one of the roles of a trust domain's embedded authority."""
    return any(identity == role_identity(trust_domain, role) for role in ROLES)


def role_identity(trust_domain: str, role: str) -> Identity:
    """Give the identity that the embedded authority of a trust domain certifies for a role.

    Raises:
        UsageError: no such role.
    """
    if role not in ROLES:
        raise UsageError(f"no role {role[:40]!r}", hint=f"roles are {', '.join(ROLES)}")
    check_trust_domain(trust_domain)
    return Identity("certificate", f"spiffe://{trust_domain}/{role}", f"https://{trust_domain}/pratique")
