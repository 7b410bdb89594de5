"""Revocation: which key, certificate or evidence no longer counts, and since when (docs/spec/revocation.md).

What is revoked from a time on still counts where it is proven to be older. A timestamp proves that, unless
the timestamp authority's own key is among what is revoked: whoever has it writes any time. A place in the log
proves it too, unless the log's key is revoked: the statement says how many entries were there by then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import PrecertificateSignedCertificateTimestamps

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.clock import format_time, parse_time
from pratique.model.digest import Digest, parse_digest_set
from pratique.model.predicate import REVOCATION
from pratique.trust.bundle import parse_bundle
from pratique.trust.certificate import load_certificate
from pratique.trust.root import instance_key
from pratique.trust.statement import Statement, Subject
from pratique.trust.succession import administrator_of
from pratique.trust.tstoken import parse_token
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pratique.trust.bundle import Bundle
    from pratique.trust.established import Established
    from pratique.trust.root import TrustedRoot

KINDS: Final = ("key", "certificate", "evidence")
_MEMBERS: Final = frozenset({"revoked", "since", "logSize", "reason", "revokedAt"})


class RevokedError(SignatureInvalidError):
    """Evidence that rests on what was revoked, and is not proven to be older."""


class Revocation(msgspec.Struct, frozen=True):
    """What one revocation statement says.

    Attributes:
        kind: `key` (a person's, an authority's or a log's), `certificate` or `evidence`.
        digest: SHA-256 of the SubjectPublicKeyInfo, or of what else the scheme has as key; of the DER
            certificate; of the bundle.
        revoked_at: when it was said.
        log_size: entries of the log that were there at `since`, or when it was said.
        since: what is proven to be older still counts; None when nothing does.
        reason: for people.
    """

    kind: str
    digest: Digest
    revoked_at: datetime
    log_size: int
    since: datetime | None = None
    reason: str = ""


def revocation_statement(revocation: Revocation) -> Statement:
    """Write a revocation as the statement that an administrator signs."""
    since = {} if revocation.since is None else {"since": format_time(revocation.since)}
    predicate: dict[str, Any] = {
        "revoked": {"kind": revocation.kind, "digest": revocation.digest.digest_set},
        "logSize": revocation.log_size,
        "reason": revocation.reason,
        "revokedAt": format_time(revocation.revoked_at),
        **since,
    }
    return Statement((Subject(revocation.kind, revocation.digest.digest_set),), REVOCATION, predicate)


def parse_revocation(statement: Statement) -> Revocation:
    """Read a revocation statement.

    Raises:
        MalformedError: another predicate type, an unknown or missing member, or a subject that is not what
            is revoked.
    """
    predicate, what = statement.predicate, "revocation"
    if statement.predicate_type != REVOCATION or predicate.keys() - _MEMBERS:
        raise MalformedError(f"{what}: another predicate type, or unknown members")
    revoked, size, since = predicate.get("revoked"), predicate.get("logSize"), predicate.get("since")
    if not isinstance(revoked, dict) or revoked.keys() != {"kind", "digest"} or revoked["kind"] not in KINDS:
        raise MalformedError(f"{what}: it does not say what is revoked")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise MalformedError(f"{what}: logSize is not a number of entries")
    digest = parse_digest_set(revoked["digest"])
    if len(statement.subjects) != 1 or statement.subjects[0].sha256 != digest:
        raise MalformedError(f"{what}: its one subject is not what it revokes")
    return Revocation(
        kind=revoked["kind"],
        digest=digest,
        revoked_at=parse_time(str(predicate.get("revokedAt"))),
        log_size=size,
        since=None if since is None else parse_time(str(since)),
        reason=str(predicate.get("reason", "")),
    )


def read_revocations(bundles: Iterable[bytes], roots: Sequence[TrustedRoot]) -> tuple[Revocation, ...]:
    """Read the revocations that an administrator signed, under the root in force or a former one.

    A former root will do, even where its keys were revoked later: a revocation only ever takes away, and one
    must not be undone by revoking what signed it.

    Args:
        bundles: revocation statements; what another signer signed under that type revokes nothing.
        roots: the root in force, and former ones of the same journal.

    Raises:
        EvidenceInvalidError: one verifies under none of the roots: nobody can tell what it would take away.
    """
    verified = [verify_under_any(data, roots) for data in bundles]
    administrators = {administrator_of(root) for root in roots}
    return tuple(parse_revocation(item.statement) for item in verified if item.signer in administrators)


def verify_under_any(data: bytes, roots: Sequence[TrustedRoot]) -> Verified:
    """Verify a revocation statement under the first of these roots that it holds under.

    Raises:
        EvidenceInvalidError: it holds under none; what the first root says about it.
    """
    failures: list[EvidenceInvalidError] = []
    for root in roots:
        try:
            return verify_bundle(data, root)
        except EvidenceInvalidError as error:
            failures.append(error)
    raise failures[0]


def refuse_revoked(data: bytes, root: TrustedRoot, revocations: Sequence[Revocation]) -> None:
    """Refuse a bundle that rests on what was revoked, unless it is proven to be older (pure).

    What the bundle says is not verified here: verify it too. Nothing that it says can make it pass but a
    timestamp and a place in the log, which verification holds it to.

    Args:
        data: the bundle.
        root: the root in force, which still names keys that were replaced.
        revocations: see `read_revocations`.

    Raises:
        RevokedError: it does not count; the message names what was revoked, since when, and why.
        MalformedError: it does not parse, where anything is revoked.
    """
    if not revocations:
        return
    bundle = parse_bundle(data)
    rests = _rests_on(bundle, root)
    stamped = parse_token(bundle.timestamp).moment
    hit = [item for item in revocations if (item.kind, item.digest.hex) in rests]
    authority = [item for item in hit if rests[item.kind, item.digest.hex] == "timestamp authority"]
    log_revoked = any(rests[item.kind, item.digest.hex] == "log" for item in hit)

    def placed(item: Revocation) -> bool:
        return not log_revoked and bundle.log.index < item.log_size

    timely = all(placed(item) for item in authority)
    for item in hit:
        what = rests[item.kind, item.digest.hex]
        older = item.since is not None and (
            placed(item) or (item not in authority and timely and stamped < item.since)
        )
        if item.kind == "evidence" or not older:
            raise RevokedError(
                f"bundle {bundle.digest.short}: its {what} {item.digest.short} is {_revoked_words(item)};"
                f" nothing proves that this is older (it says {format_time(stamped)})",
                hint="make the evidence again under keys that hold",
            )


def refuse_revoked_entity(
    established: Established, root: TrustedRoot, revocations: Sequence[Revocation]
) -> None:
    """Refuse a signature of others that rests on what was revoked, unless it is proven to be older (pure).

    A timestamp or a log's promise proves that, if no revoked key gave it. A place in a log is not asked:
    these are entries of other logs.

    Args:
        established: the signature, which held under `root`.
        root: what it was verified under.
        revocations: see `read_revocations`.

    Raises:
        RevokedError: it does not count; the message names what was revoked, since when, and why.
    """
    if not revocations:
        return
    rests, moments = _entity_rests_on(established, root)
    revoked = {(item.kind, item.digest.hex) for item in revocations}
    sound = [at for at, keys in moments if not keys & revoked]
    for item in revocations:
        what = rests.get((item.kind, item.digest.hex))
        if what is None:
            continue
        older = item.since is not None and any(at < item.since for at in sound)
        if item.kind == "evidence" or not older:
            raise RevokedError(
                f"evidence {established.entity.source.short}: its {what} {item.digest.short} is"
                f" {_revoked_words(item)}",
                hint="ask its maker for evidence under keys that hold",
            )


def _entity_rests_on(
    established: Established, root: TrustedRoot
) -> tuple[dict[tuple[str, str], str], list[tuple[datetime, set[tuple[str, str]]]]]:
    """Give what a signature rests on, and each moment with the keys that say so."""
    entity = established.entity
    rests = {("evidence", entity.source.hex): "own digest"}
    moments: list[tuple[datetime, set[tuple[str, str]]]] = []
    if established.key is not None:
        rests["key", established.key.key_id] = "signer's key"
    if entity.certificate is not None:
        rests |= _certified(entity.certificate, root, strict=bool(root.ctlogs))
    for entry in entity.entries:
        keys = {("key", instance_key(log).hex): "log" for log in root.tlogs if log.log_id == entry.log_id}
        rests |= keys
        if entry.promise is not None and entry.integrated_time is not None:
            moments.append((datetime.fromtimestamp(entry.integrated_time, UTC), set(keys)))
    for token in map(parse_token, entity.timestamps):
        keys = {
            ("key", instance_key(authority).hex): "timestamp authority"
            for authority in root.timestamp_authorities
            if (token.issuer, token.serial) == authority.timestamp_signer
        }
        rests |= keys
        moments.append((token.moment, set(keys)))
    return rests, moments


def _revoked_words(item: Revocation) -> str:
    since = f" since {format_time(item.since)}" if item.since else ""
    return f"revoked{since}" + (f": {item.reason}" if item.reason else "")


def _rests_on(bundle: Bundle, root: TrustedRoot) -> dict[tuple[str, str], str]:
    """Give everything a bundle rests on, as a revocation names it, and what it is to the bundle."""
    found = {("evidence", bundle.digest.hex): "own digest"}
    if bundle.key_id is not None:
        found["key", bundle.key_id] = "signer's key"
    if bundle.certificate is not None:
        found |= _certified(bundle.certificate, root)
    for log in root.tlogs:
        if log.log_id == bundle.log.log_id:
            found["key", instance_key(log).hex] = "log"
    token = parse_token(bundle.timestamp)
    for authority in root.timestamp_authorities:
        if (token.issuer, token.serial) == authority.timestamp_signer:
            found["key", instance_key(authority).hex] = "timestamp authority"
    return found


def _certified(der: bytes, root: TrustedRoot, *, strict: bool = True) -> dict[tuple[str, str], str]:
    found = {("certificate", sha256(der).hexdigest()): "certificate"}
    leaf = load_certificate(der)
    for authority in root.certificate_authorities:
        try:
            leaf.verify_directly_issued_by(authority.issuing_certificate)
        except (ValueError, TypeError, InvalidSignature):
            continue
        found["key", instance_key(authority).hex] = "certificate authority"
    try:
        scts = leaf.extensions.get_extension_for_class(PrecertificateSignedCertificateTimestamps).value
        ids = {sct.log_id for sct in scts}
    except Exception as error:
        if not strict:
            return found
        raise MalformedError("the certificate has no readable embedded SCT") from error
    for log in root.ctlogs:
        if log.log_id in ids:
            found["key", instance_key(log).hex] = "certificate-transparency log"
    return found
