"""Evidence that others made, taken into one's own journal (docs/spec/imported-evidence.md).

The record says which file, which of its signatures, under which trusted root and by which key. What it says
of signer and claim is for people: whoever reads it verifies the signature again, and holds the record to it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import (
    ConfigError,
    CouldNotCheckError,
    EvidenceInvalidError,
    MalformedError,
    SignatureInvalidError,
)
from pratique.model.clock import format_time
from pratique.model.digest import Digest, parse_digest_set
from pratique.model.predicate import (
    APPROVAL,
    AUDIT_SEAL,
    DEPLOYMENT,
    ENROLMENT,
    IMPORTED,
    ISSUANCE,
    POLICY_RELEASE,
    REVOCATION,
    ROOT_ROTATION,
    WAIVER,
)
from pratique.model.strict_json import MAX_DEPTH, canonical_json
from pratique.trust.acceptance import SKEW, Artifact, is_about
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.foreign.table import read_evidence
from pratique.trust.identity import KEYS_ALONE, Identity, check_root_name
from pratique.trust.keyring import make_keyring
from pratique.trust.publickey import load_spki
from pratique.trust.root import TrustedRoot, encode_root, parse_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import verify_entity

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pratique.trust.established import Established, Verified

OF_ONES_OWN: Final = frozenset(
    {
        APPROVAL,
        AUDIT_SEAL,
        DEPLOYMENT,
        ENROLMENT,
        IMPORTED,
        ISSUANCE,
        POLICY_RELEASE,
        REVOCATION,
        ROOT_ROTATION,
        WAIVER,
    }
)
"""What only one's own people and roles can say: it rests on enrolments, decisions and roots of one's own."""

ROOTS: Final = 16
MAX_PREDICATE_DEPTH: Final = MAX_DEPTH - 8
"""A decision's input has to hold it, in canonical JSON and a few levels down."""
_MEMBERS: Final = frozenset({"evidence", "carrier", "predicateType", "signer", "trustedRoot"})


class Source(msgspec.Struct, frozen=True):
    """Where a record's evidence is, and under what it was verified.

    Attributes:
        evidence: SHA-256 of the file that holds it.
        signature: which of the file's signatures it is, from 0.
        root_name: what the trusted root is called here; `KEYS_ALONE` where a key is believed without one.
        root: the trusted root's fingerprint.
        key: DER SubjectPublicKeyInfo of the key that signed; None where a certificate did.
    """

    evidence: Digest
    signature: int
    root_name: str
    root: Digest
    key: bytes | None = None


class Imported(msgspec.Struct, frozen=True):
    """Others' evidence that held, and the record that brought it in.

    Attributes:
        record: the record, verified.
        source: what it names.
        established: the evidence, verified.
        statement: its claim.
    """

    record: Verified
    source: Source
    established: Established
    statement: Statement

    @property
    def digest(self) -> Digest:
        """The identity of the evidence here: the record's."""
        return self.record.digest

    @property
    def signer(self) -> Identity:
        """Who signed the evidence, under the root's name."""
        return msgspec.structs.replace(self.established.signer, root=self.source.root_name)

    @property
    def signed_at(self) -> datetime:
        """When it was signed, at the latest; where nobody of the root says so, when it was recorded."""
        return self.established.signed_at or self.record.signed_at

    @property
    def as_own(self) -> Verified:
        """The claim as if it stood in the record itself, about what the record is about."""
        statement = msgspec.structs.replace(self.statement, subjects=self.record.statement.subjects)
        return msgspec.structs.replace(
            self.record, statement=statement, signer=self.signer, signed_at=self.signed_at
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What the evidence calls the artifact."""
        about = self.record.statement.subjects[0].digest
        agreeing = (
            subject.name
            for subject in self.statement.subjects
            if any(about.get(name) == value.lower() for name, value in subject.digest.items())
        )
        return tuple(sorted({name for name in agreeing if name}))


def keys_alone() -> TrustedRoot:
    """Give the root that vouches for nobody: only signatures by given keys hold under it."""
    return _root(encode_root((), (), (), ()))


def import_statement(
    established: Established, subject: Subject, *, signature: int, root_name: str, root: TrustedRoot
) -> Statement:
    """Write the record of one piece of evidence.

    Args:
        established: the evidence, verified under `root`.
        subject: the artifact, by every digest that the evidence may name it by; SHA-256 among them.
        signature: which of its file's signatures it is.
        root_name: what the root is called here.
        root: the trusted root.

    Raises:
        SignatureInvalidError: evidence without a statement, about something else, or of a kind that is only
            one's own to make.
        MalformedError: a predicate without a canonical form, or nested too deep.
    """
    _check_fit(established, subject)
    statement = established.statement
    if statement is None:  # `_check_fit` refused it already
        raise SignatureInvalidError("a bare signature claims nothing")
    signer = established.signer
    predicate: dict[str, Any] = {
        "evidence": {"digest": established.entity.source.digest_set, "signature": signature},
        "carrier": established.entity.carrier,
        "predicateType": statement.predicate_type,
        "signer": {"kind": signer.kind, "subject": signer.subject, "issuer": signer.issuer},
        "trustedRoot": {"name": root_name, "digest": root.fingerprint.digest_set},
    }
    if signer.kind == "key" and established.key is not None:
        predicate["signer"]["publicKey"] = b64encode(established.key.spki)
    return Statement((subject,), IMPORTED, predicate)


def read_source(statement: Statement) -> Source:
    """Read what a record names.

    Raises:
        MalformedError: not such a record, an unknown or missing member, or not exactly one subject.
    """
    predicate, what = statement.predicate, "imported evidence"
    if statement.predicate_type != IMPORTED or predicate.keys() != _MEMBERS:
        raise MalformedError(f"{what}: another predicate type, or other members than the specification's")
    if len(statement.subjects) != 1:
        raise MalformedError(f"{what}: it has {len(statement.subjects)} subjects, not one")
    evidence, root, signer = (predicate[name] for name in ("evidence", "trustedRoot", "signer"))
    if not isinstance(evidence, dict) or evidence.keys() != {"digest", "signature"}:
        raise MalformedError(f"{what}: it does not say which evidence")
    signature = evidence["signature"]
    if not isinstance(signature, int) or isinstance(signature, bool) or signature < 0:
        raise MalformedError(f"{what}: it does not say which signature")
    if not isinstance(root, dict) or root.keys() != {"name", "digest"} or not isinstance(root["name"], str):
        raise MalformedError(f"{what}: it does not say under which trusted root")
    if not isinstance(signer, dict) or signer.keys() - {"publicKey"} != {"kind", "subject", "issuer"}:
        raise MalformedError(f"{what}: it does not say who signed")
    try:
        check_root_name(root["name"], what=what)
    except ConfigError as error:
        raise MalformedError(error.message) from error
    key = signer.get("publicKey")
    return Source(
        evidence=parse_digest_set(evidence["digest"]),
        signature=signature,
        root_name=root["name"],
        root=parse_digest_set(root["digest"]),
        key=None if key is None else b64decode(key, what=f"{what}: public key"),
    )


def verify_import(record: Verified, get: Callable[[Digest], bytes]) -> Imported:
    """Verify the evidence that a record brought in, under the root that it was brought in under.

    Whether the record's own signer may bring evidence in is the caller's to say.

    Args:
        record: the record, verified.
        get: gives the bytes of a digest: the evidence's file and the trusted root.

    Raises:
        EvidenceInvalidError: see `verify_source`, or it is not what the record says of it.
    """
    source = read_source(record.statement)
    root = keys_alone() if source.root_name == KEYS_ALONE else _root(get(source.root))
    if root.fingerprint != source.root:
        raise SignatureInvalidError(f"imported evidence {record.digest.short}: of another trusted root")
    established = verify_source(record, source, root, get(source.evidence))
    statement, signer = established.statement, established.signer
    said = record.statement.predicate
    named = {name: said["signer"].get(name) for name in ("kind", "subject", "issuer")}
    if statement is None or (statement.predicate_type, established.entity.carrier, named) != (
        said["predicateType"],
        said["carrier"],
        {"kind": signer.kind, "subject": signer.subject, "issuer": signer.issuer},
    ):
        raise SignatureInvalidError(
            f"imported evidence {record.digest.short}: the record says otherwise of it than it is"
        )
    return Imported(record, source, established, statement)


def verify_source(record: Verified, source: Source, root: TrustedRoot, data: bytes) -> Established:
    """Verify a record's evidence under a root: the record's, or what goes by that name by now.

    Raises:
        EvidenceInvalidError: it does not hold, is about something else, is younger than the record, or is of
            a kind that is only one's own to make.
    """
    place = f"imported evidence {record.digest.short}"
    entities = read_evidence(data)
    if source.signature >= len(entities):
        raise MalformedError(f"{place}: signature {source.signature} of {len(entities)}")
    try:
        keys = make_keyring(() if source.key is None else (load_spki(source.key),))
        established = verify_entity(entities[source.signature], root, keys=keys)
        _check_fit(established, record.statement.subjects[0])
    except CouldNotCheckError as error:
        raise SignatureInvalidError(f"{place}: {error.message}", hint=error.hint) from error
    except EvidenceInvalidError as error:
        raise type(error)(f"{place}: {error.message}", hint=error.hint) from error
    if established.signed_at is not None and established.signed_at > record.signed_at + SKEW:
        raise SignatureInvalidError(
            f"{place}: it was signed at {format_time(established.signed_at)}, after it was recorded"
        )
    return established


def _check_fit(established: Established, subject: Subject) -> None:
    statement = established.statement
    if statement is None:
        raise SignatureInvalidError(
            "a bare signature claims nothing, so no policy could ask for it",
            hint="have a statement signed, as in-toto attestations are",
        )
    if statement.predicate_type in OF_ONES_OWN:
        raise SignatureInvalidError(
            f"a claim of type {statement.predicate_type} says nothing outside of the journal it was made for"
        )
    canonical_json(statement.predicate, max_depth=MAX_PREDICATE_DEPTH)
    if not is_about(established, _artifact(subject.digest)):
        raise SignatureInvalidError("it is about something else than this artifact")


def _artifact(digests: Mapping[str, str]) -> Artifact:
    parse_digest_set(dict(digests))
    return Artifact({name: digests[name] for name in ("sha256", "sha384", "sha512") if name in digests})


@lru_cache(maxsize=ROOTS)
def _root(data: bytes) -> TrustedRoot:
    """Parse a root once: its certificates and keys are checked once too."""
    return parse_root(data)
