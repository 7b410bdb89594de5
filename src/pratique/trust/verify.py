"""The judgement on a bundle: one function, nine steps, and an error that names the step it failed at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import Bundle, Signed, key_id_of, parse_bundle
from pratique.trust.certificate import certificate_identity, signing_key, verify_chain
from pratique.trust.entry import KIND, hashedrekord_body
from pratique.trust.envelope import pae
from pratique.trust.identity import EnrolledKey, Identity
from pratique.trust.keys import load_certificate, load_p256_spki, verify_p256
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.note import Checkpoint, log_key_id, verify_checkpoint
from pratique.trust.root import KEY_ED25519, LogInstance, TrustedRoot
from pratique.trust.sct import verify_sct
from pratique.trust.statement import Statement, parse_statement
from pratique.trust.timestamp import verify_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec

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


class Verified(msgspec.Struct, frozen=True):
    """A bundle that held, and what it established.

    Attributes:
        digest: SHA-256 of the bundle's bytes, the identity of the evidence.
        statement: the claim that was signed.
        signer: who signed it.
        signed_at: the timestamp authority's time, in UTC; everything was judged at this moment.
        log_index: position in the log.
        bundle: the parsed bundle.
    """

    digest: Digest
    statement: Statement
    signer: Identity
    signed_at: datetime
    log_index: int
    bundle: Bundle


def verify_bundle(
    data: bytes, root: TrustedRoot, *, keys: Mapping[str, EnrolledKey] | None = None
) -> Verified:
    """Verify a bundle against a trusted root, and enrolled keys for bundles that a person's key signed.

    1. *bundle*: it parses, with one signature, one log entry, one timestamp and one signer (`trust.bundle`).
    2. *statement*: its payload is an in-toto statement.
    3. *timestamp*: a timestamp authority of the root signed the time of the signature, T.
    4. *signer*: a certificate chains to an authority of the root at T, was valid at T, has a P-256 key for
       code signing alone, and names one subject and its issuer; or a hint names an enrolled key, valid at T.
    5. *certificate transparency*: the certificate's one SCT is by a log of the root (not for keys).
    6. *signature*: the ECDSA P-256 signature over the PAE is by that certificate or key.
    7. *log entry*: rebuilt from the parts above, it equals the entry given.
    8. *checkpoint*: a log of the root, believed at T, signed the tree head that the proof claims.
    9. *inclusion*: the entry is in that tree.

    The caller decides whether this signer may make this claim: compare `Verified.signer` as a whole.

    Args:
        data: the bundle's bytes.
        root: what to believe.
        keys: enrolled keys by key id (hex SHA-256 of the SubjectPublicKeyInfo).

    Raises:
        MalformedError: something does not parse; the message names the step.
        SignatureInvalidError: something does not hold; the message names the step.
    """
    digest = sha256_bytes(data)
    with _step(digest, 1):
        bundle = parse_bundle(data)
    with _step(digest, 2):
        statement = _statement(bundle)
    with _step(digest, 3):
        signed_at = verify_timestamp(bundle.timestamp, bundle.signature, root)
    if bundle.certificate is not None:
        signer, key, signed = _by_certificate(bundle, bundle.certificate, root, signed_at)
    else:
        signer, key, signed = _by_key(bundle, keys or {}, signed_at)
    with _step(digest, 6):
        covered = pae(signed.payload_type, signed.payload)
        verify_p256(key, signed.signature, covered, what="the envelope's signature")
    with _step(digest, 7):
        _verify_entry(bundle, signed)
    with _step(digest, 8):
        checkpoint = _verify_log(bundle, root, signed_at)
    with _step(digest, 9):
        leaf = leaf_hash(bundle.log.entry_body)
        verify_inclusion(leaf, bundle.log.index, checkpoint.size, bundle.log.hashes, checkpoint.root)
    return Verified(digest, statement, signer, signed_at, bundle.log.index, bundle)


@contextmanager
def _step(digest: Digest, number: int) -> Iterator[None]:
    try:
        yield
    except EvidenceInvalidError as error:
        place = f"bundle {digest.short}: step {number} ({STEPS[number - 1]})"
        raise type(error)(f"{place}: {error.message}", hint=error.hint) from error


def _statement(bundle: Bundle) -> Statement:
    if bundle.payload_type != PAYLOAD_TYPE:
        raise MalformedError(f"payload type {bundle.payload_type[:80]!r}, not {PAYLOAD_TYPE}")
    return parse_statement(bundle.payload)


def _by_certificate(
    bundle: Bundle, der: bytes, root: TrustedRoot, at: datetime
) -> tuple[Identity, ec.EllipticCurvePublicKey, Signed]:
    with _step(bundle.digest, 4):
        leaf = load_certificate(der)
        issuer = verify_chain(leaf, root, at)
        key = signing_key(leaf)
        identity = certificate_identity(leaf)
    with _step(bundle.digest, 5):
        verify_sct(leaf, issuer, root)
    return identity, key, bundle.signed()


def _by_key(
    bundle: Bundle, keys: Mapping[str, EnrolledKey], at: datetime
) -> tuple[Identity, ec.EllipticCurvePublicKey, Signed]:
    with _step(bundle.digest, 4):
        key_id = bundle.key_id or ""
        enrolled = keys.get(key_id)
        if enrolled is None:
            raise SignatureInvalidError(
                f"key {key_id[:16]} is not enrolled", hint="enrol it with `pratique trust enrol`"
            )
        if key_id_of(enrolled.spki) != key_id:
            raise SignatureInvalidError(f"key {key_id[:16]} is enrolled under another key's id")
        if not enrolled.valid_at(at):
            raise SignatureInvalidError(f"key {key_id[:16]} of {enrolled.person} was not valid at {at}")
        key = load_p256_spki(enrolled.spki)
    return Identity("key", key_id), key, bundle.signed(enrolled.spki)


def _verify_entry(bundle: Bundle, signed: Signed) -> None:
    if bundle.entry_kind != KIND:
        kind, version = bundle.entry_kind
        raise SignatureInvalidError(f"a log entry of kind {kind[:40]}/{version[:20]}, not hashedrekord/0.0.2")
    if hashedrekord_body(signed) != bundle.log.entry_body:
        raise SignatureInvalidError("the log entry is about another signature, signer or payload")


def _verify_log(bundle: Bundle, root: TrustedRoot, at: datetime) -> Checkpoint:
    proof = bundle.log
    logs = [log for log in root.tlogs if log.log_id == proof.log_id and log.valid_for.contains(at)]
    if not logs:
        raise SignatureInvalidError(
            f"no transparency log {proof.log_id.hex()[:16]} valid at {at} in the trusted root"
        )
    checkpoint = verify_checkpoint(proof.checkpoint, logs[0].origin, log_public_key(logs[0]))
    if (checkpoint.size, checkpoint.root) != (proof.tree_size, proof.root_hash):
        raise SignatureInvalidError("the inclusion proof is for another tree head than the checkpoint's")
    return checkpoint


def log_public_key(log: LogInstance) -> Ed25519PublicKey:
    """Give a tile log's key, checked against the id that the trusted root gives the log.

    Raises:
        MalformedError: the key does not parse.
        SignatureInvalidError: not an Ed25519 key, or another log's id.
    """
    if log.key_details != KEY_ED25519:
        raise SignatureInvalidError(f"log {log.origin} signs with {log.key_details}; only Ed25519 is read")
    try:
        key = load_der_public_key(log.key)
    except ValueError as error:
        raise MalformedError(f"trusted root: the key of log {log.origin} does not parse") from error
    if not isinstance(key, Ed25519PublicKey) or log_key_id(log.origin, key) != log.log_id:
        raise SignatureInvalidError(f"trusted root: the id of log {log.origin} is not its key's")
    return key
