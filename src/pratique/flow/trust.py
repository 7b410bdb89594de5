"""Making the trust root, making keys, and enrolling people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.errors import UsageError
from pratique.trust.authority.init import initialise, load_root
from pratique.trust.bundle import key_id_of
from pratique.trust.enrolment import Enrolment, enrolment_statement
from pratique.trust.keys import generate_key, load_public_key, write_new_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.flow.workspace import Workspace
    from pratique.journal.writer import Recorded
    from pratique.model.clock import Clock
    from pratique.trust.root import TrustedRoot


def init_trust(home: Path, *, trust_domain: str, clock: Clock) -> TrustedRoot:
    """Make a private trust root in a state directory that has none.

    Raises:
        UsageError: there is one already, or not a trust domain.
    """
    return initialise(home / "trust", trust_domain=trust_domain, clock=clock)


def show_trust(home: Path) -> TrustedRoot:
    """Load the trust root, without its keys.

    Raises:
        ConfigError: there is none.
    """
    return load_root(home / "trust" / "trusted_root.json")


class KeyPair(msgspec.Struct, frozen=True):
    """Where a new key went, and its id (hex SHA-256 of the public key's SubjectPublicKeyInfo)."""

    private: Path
    public: Path
    key_id: str


def generate_key_pair(path: Path, *, passphrase: bytes | None) -> KeyPair:
    """Make a P-256 key for a person: `path` (0600) and `path.pub`.

    Raises:
        UsageError: one of the files is there already; nothing is overwritten.
    """
    public = path.with_name(f"{path.name}.pub")
    for file in (path, public):
        if file.exists():
            raise UsageError(
                f"{file} is there already", hint="choose another name; keys are never overwritten"
            )
    key = generate_key(path, passphrase=passphrase)
    write_new_file(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return KeyPair(path, public, key_id_of(load_public_key(public)))


def enrol(
    workspace: Workspace,
    person: str,
    *,
    public_key: Path,
    emails: Sequence[str],
    roles: Sequence[str],
    not_after: datetime | None = None,
) -> tuple[Enrolment, Recorded]:
    """Journal, as administrator, that a key is a person's, and what the person may approve.

    Raises:
        UsageError: the key is another person's already.
        MalformedError: not a P-256 public key, or not a name.
    """
    enrolment = Enrolment(
        person=person,
        emails=tuple(emails),
        roles=tuple(roles),
        spki=load_public_key(public_key),
        enrolled_at=workspace.clock(),
        not_after=not_after,
    )
    holder = workspace.community.keys.get(enrolment.key_id)
    if holder and holder.person != person:
        raise UsageError(
            f"{public_key}: this key is {holder.person}'s already",
            hint=f"every person has a key of their own: pratique trust keygen {person}.key",
        )
    statement = enrolment_statement(enrolment)
    recorded = workspace.record(
        "administrator", statement.predicate_type, statement.predicate, statement.subjects
    )
    return enrolment, recorded
