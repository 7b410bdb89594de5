"""The people whose approval can count: a fold of the journal's enrolment statements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.deploy.consent import Enrolled
from pratique.deploy.duties import Person
from pratique.trust.enrolment import enrolled_keys
from pratique.trust.identity import EnrolledKey, Identity, role_identity

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pratique.trust.verify import Verified


class Community(msgspec.Struct, frozen=True):
    """Everyone enrolled, by key id (hex SHA-256 of the key's SubjectPublicKeyInfo)."""

    keys: dict[str, EnrolledKey]

    def at(self, moment: datetime) -> list[Enrolled]:
        """Give the people whose enrolment holds at a moment, as the approval rules want them."""
        return [
            Enrolled(Person(key.person, key.emails), key_id, frozenset(key.roles_at(moment)))
            for key_id, key in sorted(self.keys.items())
            if key.valid_at(moment)
        ]

    def name_of(self, signer: Identity) -> str:
        """Give the person a key belongs to; empty for certificates and strangers."""
        known = self.keys.get(signer.subject) if signer.kind == "key" else None
        return known.person if known else ""


def fold_people(enrolments: Iterable[Verified], trust_domain: str) -> Community:
    """Fold verified enrolment statements into the people that count.

    Raises:
        EvidenceInvalidError: somebody other than the administrator enrolled, or a key has two people.
    """
    return Community(enrolled_keys(enrolments, administrator=role_identity(trust_domain, "administrator")))
