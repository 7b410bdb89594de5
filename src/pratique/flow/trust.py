"""Making the trust root, making keys, and enrolling people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pratique.deploy.duties import same_name
from pratique.errors import MalformedError, UsageError
from pratique.flow.progress import Outcome
from pratique.flow.publickey import given_key
from pratique.flow.signing import key_opener, nobody_to_ask, surroundings
from pratique.trust.authority.folder import KEY_FILES, RemoteKeySource
from pratique.trust.authority.init import initialise
from pratique.trust.bundle import key_id_of
from pratique.trust.enrolment import Enrolment, enrolment_statement
from pratique.trust.keys import generate_key, load_public_key, write_new_file
from pratique.trust.rootfile import load_root

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.flow.people import Community
    from pratique.flow.progress import Progress
    from pratique.flow.workspace import Workspace
    from pratique.journal.writer import Recorded
    from pratique.model.clock import Clock
    from pratique.trust.root import TrustedRoot
    from pratique.trust.signers.port import AskSecret

DEFAULT_TRUST_DOMAIN = "pratique.local"
_MAX_NAME = 100
_ROLE = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z")  # as in the quorum rules of pratique.toml


def init_trust(
    home: Path,
    *,
    trust_domain: str,
    clock: Clock,
    remote: Mapping[str, str] | None = None,
    ask: AskSecret = nobody_to_ask,
) -> TrustedRoot:
    """Make a private trust root in a state directory that has none.

    Args:
        home: the state directory.
        trust_domain: names identities and the log.
        clock: the time.
        remote: URIs of the authority's keys that are elsewhere already, by name: `ca`, `tsa`, `ctlog`, `log`.
        ask: gives their PINs.

    Raises:
        UsageError: there is one already, or a journal that another root began; not a trust domain; no such
            key of the authority.
        ConfigError: a key cannot be used.
        InfrastructureError: what holds it does not answer.
    """
    if unknown := sorted(set(remote or {}) - set(KEY_FILES)):
        raise UsageError(f"no key {unknown[0]!r}", hint=f"keys are {', '.join(KEY_FILES)}")
    if (home / "journal").exists() and not (home / "trust").exists():
        raise UsageError(
            f"{home} holds a journal whose trust root is gone; a new root could not continue it",
            hint=f"restore {home / 'trust'} from its copy, or choose another --home",
        )
    opened = key_opener(ask, clock)
    sources = {name: RemoteKeySource(uri, opened(name, uri)) for name, uri in (remote or {}).items()}
    return initialise(home / "trust", trust_domain=trust_domain, clock=clock, remote=sources)


def ensure_trust(home: Path, *, clock: Clock, progress: Progress) -> None:
    """Make a private trust root on a state directory's first use, and say so; one that is there stays.

    Raises:
        UsageError: a journal is there whose root is gone.
    """
    if (home / "trust").exists():
        return
    progress.begin("trust", f"a private trust root for {home}")
    root = init_trust(home, trust_domain=DEFAULT_TRUST_DOMAIN, clock=clock)
    progress.end(Outcome.DONE, f"made a private trust root in {home / 'trust'}: {root.fingerprint.short}")


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
    public_key: str,
    ask: AskSecret,
    emails: Sequence[str],
    roles: Sequence[str],
    not_after: datetime | None = None,
) -> tuple[Enrolment, Recorded]:
    """Journal, as administrator, that a key is a person's, and what the person may approve.

    Raises:
        UsageError: the key or an address is another person's already, or a value that no enrolment can have.
        ConfigError: not a public key, or one of a kind that is not taken.
    """
    _check_names(person, roles)
    given = given_key(public_key, surroundings(workspace, ask))
    enrolment = Enrolment(
        person=person,
        emails=tuple(emails),
        roles=tuple(roles),
        public_key=given.public_key,
        enrolled_at=workspace.clock(),
        not_after=not_after,
        scheme=given.scheme,
    )
    _refuse_second_person(workspace.community, enrolment, public_key)
    try:
        statement = enrolment_statement(enrolment)
    except MalformedError as error:
        raise UsageError(error.message, hint="see: pratique trust enrol --help") from error
    recorded = workspace.record(
        "administrator", statement.predicate_type, statement.predicate, statement.subjects
    )
    return enrolment, recorded


def _check_names(person: str, roles: Sequence[str]) -> None:
    if not person.strip() or not person.isprintable() or len(person) > _MAX_NAME:
        raise UsageError(
            f"not a person's name: {person[:80]!r}", hint=f"1 to {_MAX_NAME} printable characters"
        )
    for role in roles:
        if not _ROLE.match(role):
            raise UsageError(f"not a role: {role[:80]!r}", hint="a lower-case name, as in a quorum's rules")


def _refuse_second_person(community: Community, enrolment: Enrolment, public_key: str) -> None:
    """Keep one person from being two: in a quorum they would count twice."""
    person = enrolment.person
    holder = community.keys.get(enrolment.key_id)
    if holder and holder.person != person:
        raise UsageError(
            f"{public_key}: this key is {holder.person}'s already",
            hint=f"every person has a key of their own: pratique trust keygen {person}.key",
        )
    for other in community.keys.values():
        if other.person == person:
            continue
        if same_name(other.person, person):
            raise UsageError(
                f"{person!r} is a name of {other.person!r}, who is enrolled",
                hint=f"enrol {other.person} under that very name, or add what tells the two apart",
            )
        for email in enrolment.emails:
            if any(same_name(email, known) for known in (*other.emails, other.person)):
                raise UsageError(
                    f"{email} is an address of {other.person} already; one person under two names would count"
                    " twice",
                    hint=f"another key of the same person: pratique trust enrol {other.person} …",
                )
