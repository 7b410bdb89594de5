"""The judgement on a signed entity: one mechanism, nine steps, and an error that names the step it failed at.

`verify_bundle` is for bundles of our own, which have exactly one of everything; `verify_entity` for what
others made. Both go through the same steps:

1. *bundle*: it parses, into one signature and what came with it (`trust.bundle`, `trust.foreign`).
2. *statement*: an envelope's payload is an in-toto statement.
3. *timestamp*: a timestamp authority of the root, or a log of it by its promise, saw it at a time T.
4. *signer*: a certificate chains to an authority of the root at every T, was valid then, has a strong key for
   code signing alone, and names one subject and its issuer; or the key is one that the caller knows.
5. *certificate transparency*: a log of the root has the certificate (not for keys).
6. *signature*: the signature over the PAE, or over the artifact's digest, is by that certificate or key.
7. *log entry*: it is about the signature, content and signer above, and nothing else.
8. *checkpoint*: a log of the root, believed at T, signed the tree head that the proof claims.
9. *inclusion*: the entry is in that tree.

What a root can vouch for, it demands: a certificate needs a log entry where the root names logs, and an SCT
where it names certificate-transparency logs, whatever carried it; carrying it otherwise gains nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import CouldNotCheckError, EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import as_own, key_id_of, parse_own_entity
from pratique.trust.certificate import (
    certificate_identity,
    foreign_identity,
    load_certificate,
    signing_key,
    verify_chain,
)
from pratique.trust.entity import Entity, Envelope
from pratique.trust.entry import KIND
from pratique.trust.envelope import pae
from pratique.trust.established import Established, Logged, Moment, Verified
from pratique.trust.identity import EnrolledKey, Identity
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.note import Checkpoint, verify_checkpoint, verify_rekor_checkpoint
from pratique.trust.promise import verify_promise
from pratique.trust.publickey import P256, PublicKey, load_spki, verify_digest, verify_signature
from pratique.trust.rekor import verify_entry
from pratique.trust.scheme import ECDSA_P256, REKORD, DetachedKey, rekord_body, verify_detached
from pratique.trust.sct import verify_scts
from pratique.trust.statement import FOREIGN_TYPES, OWN_TYPES, Statement, parse_statement
from pratique.trust.timestamp import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from pratique.model.digest import Digest
    from pratique.trust.entity import InclusionProof, LogEntry
    from pratique.trust.keyring import KeyRing
    from pratique.trust.root import LogInstance, TrustedRoot

__all__ = ["STEPS", "Established", "Verified", "log_public_key", "verify_bundle", "verify_entity"]

STEPS: Final = (
    "bundle",
    "statement",
    "timestamp",
    "signer",
    "certificate transparency",
    "signature",
    "log entry",
    "checkpoint",
    "inclusion",
)


class _Signer(msgspec.Struct, frozen=True):
    """Who may have signed, before the signature says so."""

    identity: Identity
    key: PublicKey | DetachedKey
    authority: str = ""
    ct_logs: tuple[str, ...] = ()


def verify_bundle(
    data: bytes, root: TrustedRoot, *, keys: Mapping[str, EnrolledKey] | None = None
) -> Verified:
    """Verify a bundle of ours against a trusted root, and enrolled keys where a person's key signed.

    The caller decides whether this signer may make this claim: compare `Verified.signer` as a whole.

    Args:
        data: the bundle's bytes.
        root: what to believe.
        keys: enrolled keys by key id (hex SHA-256 of the SubjectPublicKeyInfo).

    Raises:
        MalformedError: something does not parse; the message names the step.
        SignatureInvalidError: something does not hold; the message names the step.
    """
    with _step(sha256_bytes(data), 1):
        entity = parse_own_entity(data)
        bundle = as_own(entity)

    def enrolled(moments: Sequence[datetime]) -> _Signer:
        return _enrolled(bundle.key_id or "", keys or {}, moments)

    found = _judge(entity, root, enrolled, own=True)
    if found.statement is None:
        raise MalformedError("an envelope without a statement")
    return Verified(
        bundle.digest, found.statement, found.signer, found.moments[0].at, bundle.log.index, bundle
    )


def verify_entity(entity: Entity, root: TrustedRoot, *, keys: KeyRing) -> Established:
    """Verify what others signed, against the trusted root that their evidence is of and keys that were given.

    The caller decides whether this signer may make this claim, and holds the statement's subjects, or the
    message's digest, to the artifact.

    Args:
        entity: what `trust.foreign` read.
        root: what to believe.
        keys: keys whose signatures count; each may sign without a log or a timestamp.

    Raises:
        MalformedError: something does not parse; the message names the step.
        SignatureInvalidError: something does not hold; the message names the step.
        CouldNotCheckError: a certificate signed and nothing here says when, or a key that was not given.
    """

    def given(_: Sequence[datetime]) -> _Signer:
        named = keys.named(entity.key_hint)
        tried = keys.keys if named is None else (named,)
        believed = [key for key in tried if named is not None or _holds(entity, key)]
        found = [_Signer(Identity("key", key.key_id), key) for key in believed]
        if not found:
            who = f"the key {entity.key_hint[:60]!r}" if entity.key_hint else "a key without a name"
            raise CouldNotCheckError(
                f"{who} signed it, which is not among the {len(keys.keys)} given",
                hint="give the signer's public key: --key FILE",
            )
        return found[0]

    return _judge(entity, root, given, own=False)


def _judge(
    entity: Entity, root: TrustedRoot, by_key: Callable[[Sequence[datetime]], _Signer], *, own: bool
) -> Established:
    place = entity.source
    with _step(place, 2):
        statement = _statement(entity, own=own)
    with _step(place, 3):
        moments = _moments(entity, root)
        times = [moment.at for moment in moments]
    if entity.certificate is None:
        with _step(place, 4):
            signer = by_key(times)
    else:
        signer = _certified(entity, entity.certificate, root, times, own=own)
    with _step(place, 6):
        if isinstance(signer.key, DetachedKey):
            verify_detached(signer.key, entity.signature, _covered(entity), at=times[0])
        else:
            _verify_signature(entity, signer.key)
    with _step(place, 7):
        if entity.certificate is not None and root.tlogs and not entity.entries:
            raise SignatureInvalidError("it has no log entry, and this trusted root has logs")
        for entry in entity.entries:
            _verify_entry(entry, entity, signer.key, own=own)
    logs = tuple(_verify_log(entry, root, times, place) for entry in entity.entries)
    _check_claimed(entity, statement, signer.identity)
    return Established(
        entity=entity,
        statement=statement,
        signer=signer.identity,
        key=signer.key if isinstance(signer.key, PublicKey) else None,
        moments=moments,
        logs=logs,
        authority=signer.authority,
        ct_logs=signer.ct_logs,
    )


class _step:  # noqa: N801 - reads as the statement that it is
    """Names the bundle and the step in whatever is raised inside."""

    __slots__ = ("_digest", "_number")

    def __init__(self, digest: Digest, number: int) -> None:
        self._digest = digest
        self._number = number

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, EvidenceInvalidError | CouldNotCheckError):
            place = f"bundle {self._digest.short}: step {self._number} ({STEPS[self._number - 1]})"
            raise type(error)(f"{place}: {error.message}", hint=error.hint) from error


def _statement(entity: Entity, *, own: bool) -> Statement | None:
    content = entity.content
    if not isinstance(content, Envelope):
        return None
    if content.payload_type != PAYLOAD_TYPE:
        raise MalformedError(f"payload type {content.payload_type[:80]!r}, not {PAYLOAD_TYPE}")
    return parse_statement(content.payload, types=OWN_TYPES if own else FOREIGN_TYPES)


def _moments(entity: Entity, root: TrustedRoot) -> tuple[Moment, ...]:
    """Every timestamp and every promise has to hold; each says that the signature was there by then."""
    moments: list[Moment] = []
    for token in entity.timestamps:
        at, authority = verify_timestamp(token, entity.signature, root)
        moments.append(Moment(at, f"timestamp authority {authority.uri or authority.subject[1]}"))
    for entry in entity.entries:
        if entry.promise is not None:
            at, log = verify_promise(entry, root)
            moments.append(Moment(at, f"log {log.origin}"))
    if not moments and entity.certificate is not None:
        if entity.entries:
            raise SignatureInvalidError("nobody whom the trusted root names says when it was signed")
        raise CouldNotCheckError(
            "a certificate signed it, and nothing here says when, so that nobody can tell whether the"
            " certificate was valid then",
            hint="its maker's tools ask the transparency log online; get a Sigstore bundle, which has the"
            " log's answer inside",
        )
    return tuple(moments)


def _certified(
    entity: Entity, der: bytes, root: TrustedRoot, times: Sequence[datetime], *, own: bool
) -> _Signer:
    with _step(entity.source, 4):
        leaf = load_certificate(der)
        authority = verify_chain(leaf, root, *times)
        key = signing_key(leaf)
        if own and key.kind != P256:
            raise SignatureInvalidError("the certificate's key is not ECDSA P-256")
        if not set(entity.chain) <= set(authority.chain):
            raise SignatureInvalidError("a certificate shown beside the signer's is not its authority's")
        identity = certificate_identity(leaf) if own else foreign_identity(leaf, authority)
    logs: tuple[LogInstance, ...] = ()
    if own or root.ctlogs:
        with _step(entity.source, 5):
            logs = verify_scts(leaf, authority.issuing_key_hash, root, strict=own)
    return _Signer(identity, key, authority.subject[1], tuple(log.base_url for log in logs))


def _enrolled(key_id: str, keys: Mapping[str, EnrolledKey], times: Sequence[datetime]) -> _Signer:
    enrolled = keys.get(key_id)
    if enrolled is None:
        raise SignatureInvalidError(
            f"key {key_id[:16]} is not enrolled", hint="enrol it with `pratique trust enrol`"
        )
    if key_id_of(enrolled.public_key) != key_id:
        raise SignatureInvalidError(f"key {key_id[:16]} is enrolled under another key's id")
    for at in times:
        if not enrolled.valid_at(at):
            raise SignatureInvalidError(f"key {key_id[:16]} of {enrolled.person} was not valid at {at}")
    if enrolled.scheme != ECDSA_P256:
        return _Signer(Identity("key", key_id), DetachedKey(enrolled.scheme, enrolled.public_key))
    key = load_spki(enrolled.public_key)
    if key.kind != P256:
        raise SignatureInvalidError("the public key is not ECDSA P-256")
    return _Signer(Identity("key", key_id), key)


def _verify_signature(entity: Entity, key: PublicKey) -> None:
    content = entity.content
    if isinstance(content, Envelope):
        covered = pae(content.payload_type, content.payload)
        verify_signature(key, entity.signature, covered, what="the envelope's signature")
    else:
        verify_digest(key, entity.signature, content.algorithm, content.digest, what="the signature")


def _covered(entity: Entity) -> bytes:
    """Give what a signature over an envelope covers."""
    if not isinstance(entity.content, Envelope):
        raise SignatureInvalidError("SSH and OpenPGP keys sign statements only")
    return pae(entity.content.payload_type, entity.content.payload)


def _holds(entity: Entity, key: PublicKey) -> bool:
    try:
        _verify_signature(entity, key)
    except SignatureInvalidError:
        return False
    return True


def _verify_entry(entry: LogEntry, entity: Entity, key: PublicKey | DetachedKey, *, own: bool) -> None:
    if isinstance(key, DetachedKey):
        if entry.kind != REKORD or rekord_body(key, _covered(entity), entity.signature) != entry.body:
            raise SignatureInvalidError("the log entry is about another signature, signer or payload")
        return
    if own and entry.kind != KIND:
        kind, version = entry.kind
        raise SignatureInvalidError(f"a log entry of kind {kind[:40]}/{version[:20]}, not hashedrekord/0.0.2")
    verify_entry(entry, entity, key)


def _verify_log(entry: LogEntry, root: TrustedRoot, times: Sequence[datetime], place: Digest) -> Logged:
    proof = entry.proof
    with _step(place, 8):
        log = root.tlog(entry.log_id, *times)
        if proof is None:  # the promise held already, at step 3
            return Logged(log.origin, entry.index, "promise")
        checkpoint = _verify_head(log, proof)
    with _step(place, 9):
        leaf = leaf_hash(entry.body)
        verify_inclusion(leaf, proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    if isinstance(log.public_key.key, Ed25519PublicKey) and entry.index != proof.index:
        raise SignatureInvalidError("the log entry's index differs from its inclusion proof's")
    return Logged(log.origin, entry.index, "proof", checkpoint.size)


@lru_cache
def _head(log: LogInstance, note: str) -> Checkpoint:
    """Verify a checkpoint; entries that are proven together share one, and only what held is remembered."""
    public = log.public_key
    if isinstance(public.key, Ed25519PublicKey):
        return verify_checkpoint(note, log.origin, public.key)
    return verify_rekor_checkpoint(note, log.origin, log.log_id, public)


def _verify_head(log: LogInstance, proof: InclusionProof) -> Checkpoint:
    checkpoint = _head(log, proof.checkpoint)
    if (checkpoint.size, checkpoint.root) != (proof.tree_size, proof.root_hash):
        raise SignatureInvalidError("the inclusion proof is for another tree head than the checkpoint's")
    return checkpoint


def _check_claimed(entity: Entity, statement: Statement | None, signer: Identity) -> None:
    """Hold the carrier to what it says about its content outside the signature."""
    claimed, place = entity.claimed, f"bundle {entity.source.short}"
    if claimed.predicate_type and (statement is None or statement.predicate_type != claimed.predicate_type):
        raise SignatureInvalidError(
            f"{place}: its carrier announces {claimed.predicate_type[:80]!r}, and the statement is another"
        )
    if claimed.issuer and (
        signer.issuer != claimed.issuer or not signer.subject.startswith(claimed.subject_prefix)
    ):
        raise SignatureInvalidError(
            f"{place}: its carrier names {claimed.subject_prefix} as publisher, and {signer} signed it"
        )


def log_public_key(log: LogInstance) -> Ed25519PublicKey:
    """Give a tile log's key, checked against the id that the trusted root gives the log.

    Raises:
        MalformedError: the key does not parse.
        SignatureInvalidError: not an Ed25519 key, or another log's id.
    """
    key = log.public_key.key
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureInvalidError(f"log {log.origin} signs with {log.key_details}; only Ed25519 is read")
    return key
