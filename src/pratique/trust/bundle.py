"""Sigstore bundles: the codec, and nothing that decides about trust.

Bundles written here are v0.3 with a DSSE envelope, in canonical JSON (RFC 8785). Bundles read here may be
anyone's: unknown members are ignored, but what two readers could take differently is refused (see
`trust.verify` for the judgement, `trust.foreign` for older versions and other carriers).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import parse_json_object
from pratique.trust import ownform, protojson
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.entity import Entity, LogEntry, Message
from pratique.trust.material import MEDIA_TYPE, read_entity, read_log_entry
from pratique.trust.scheme import ECDSA_P256, HASHEDREKORD, entry_kind

LOG_ENTRY_START: Final = b'{"canonicalizedBody":'
"""How a log's part that stands alone begins, in canonical JSON."""

MAX_BUNDLE_BYTES: Final = 32 * 1024 * 1024


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of a bundle but the log's part: what a signer hands to the journal.

    Attributes:
        payload: the statement's bytes, as signed.
        payload_type: DSSE payload type.
        signature: over the PAE, in the form of its scheme.
        certificate: DER signing certificate, or None when a key signed.
        public_key: the key in the form of its scheme, or None when a certificate signed.
        timestamp: DER RFC 3161 response over `signature`.
        scheme: how the key signs (`trust.scheme`); certificates are of ECDSA P-256 keys.
    """

    payload: bytes
    payload_type: str
    signature: bytes
    certificate: bytes | None
    public_key: bytes | None
    timestamp: bytes
    scheme: str = ECDSA_P256

    def __post_init__(self) -> None:
        if (self.certificate is None) == (self.public_key is None):
            raise MalformedError("a signature needs a certificate or a public key, and not both")
        if self.certificate is not None and self.scheme != ECDSA_P256:
            raise MalformedError("a certificate beside a signature that no certificate's key makes")

    def encode(self) -> bytes:
        """Write what `parse_signed` reads back (MessagePack), for keeping before the log's part exists."""
        return msgspec.msgpack.encode(self)


class LogProof(msgspec.Struct, frozen=True):
    """The log's part of a bundle: where the entry is, and the proof that a signed tree head covers it.

    Attributes:
        index: leaf index, from 0.
        tree_size: number of leaves under `root_hash`.
        root_hash: 32-byte tree head.
        hashes: inclusion proof, from the leaf upward.
        checkpoint: C2SP signed note over the same tree head.
        log_id: 32-byte C2SP key id of the log.
        entry_body: the leaf's bytes (`trust.entry`).
    """

    index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str
    log_id: bytes
    entry_body: bytes


class Bundle(msgspec.Struct, frozen=True):
    """A parsed bundle; nothing in it is verified yet.

    Attributes:
        digest: SHA-256 of the bundle's bytes, the identity of the evidence.
        payload: see `Signed`; likewise payload_type, signature, certificate and timestamp.
        key_id: hex SHA-256 of the signer's SubjectPublicKeyInfo, or None when a certificate signed.
        log: the log's part.
        entry_kind: kind and version that the bundle claims for its log entry.
    """

    digest: Digest
    payload: bytes
    payload_type: str
    signature: bytes
    certificate: bytes | None
    key_id: str | None
    timestamp: bytes
    log: LogProof
    entry_kind: tuple[str, str]

    def signed(self, public_key: bytes | None = None, scheme: str = ECDSA_P256) -> Signed:
        """Give back the signer's part; a key's bundle carries only a hint, so its key must be given."""
        return Signed(
            self.payload,
            self.payload_type,
            self.signature,
            self.certificate,
            public_key,
            self.timestamp,
            scheme,
        )


def key_id_of(public_key: bytes) -> str:
    """Name a public key: hex SHA-256 of its bytes, for a plain key its DER SubjectPublicKeyInfo."""
    return sha256(public_key).hexdigest()


def parse_signed(data: bytes) -> Signed:
    """Read what `Signed.encode` wrote.

    Raises:
        MalformedError: anything else.
    """
    try:
        return msgspec.msgpack.decode(data, type=Signed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"signed statement: {error}") from error


def encode_bundle(signed: Signed, proof: LogProof) -> bytes:
    """Write a bundle v0.3 as canonical JSON (protobuf-specs sigstore_bundle.proto, as protojson)."""
    try:
        return ownform.write(_form(signed, proof))
    except UnicodeEncodeError as error:
        raise MalformedError(f"no canonical JSON form: {error}") from error


def _form(signed: Signed, proof: LogProof) -> ownform.Bundle:
    stamps = ownform.Timestamps((ownform.Timestamp(signed.timestamp),))
    entries = (_log_form(proof, entry_kind(signed.scheme)),)
    if signed.certificate is not None:
        material = ownform.Material(
            certificate=ownform.Blob(signed.certificate),
            timestamp_verification_data=stamps,
            tlog_entries=entries,
        )
    else:
        hint = ownform.Hint(b64encode(sha256(signed.public_key or b"").digest()))
        material = ownform.Material(public_key=hint, timestamp_verification_data=stamps, tlog_entries=entries)
    envelope = ownform.DsseEnvelope(
        signed.payload, signed.payload_type, (ownform.Signature(signed.signature),)
    )
    return ownform.Bundle(envelope, MEDIA_TYPE, material)


def encode_log_entry(proof: LogProof) -> bytes:
    """Write the log's part alone, as Rekor v2 answers (sigstore_rekor.proto TransparencyLogEntry, protojson).

    This is all there is of an entry whose payload stayed with its signer.
    """
    return ownform.write(_log_form(proof, HASHEDREKORD))


def parse_log_entry(data: bytes) -> LogProof:
    """Parse a log's part that stands alone.

    Raises:
        MalformedError: anything else than `encode_log_entry` writes, or of another kind of entry.
    """
    document = parse_json_object(data, what="log entry", max_bytes=MAX_BUNDLE_BYTES)
    protojson.refuse_aliases(document, "log entry")
    entry = read_log_entry(document, proof_needed=True)
    if entry.kind != ("hashedrekord", "0.0.2"):
        raise MalformedError(f"log entry: of kind {'/'.join(entry.kind)[:60]}, not hashedrekord/0.0.2")
    return _own_proof(entry)


def _log_form(proof: LogProof, of_kind: tuple[str, str]) -> ownform.TransparencyLogEntry:
    index = str(proof.index)
    return ownform.TransparencyLogEntry(
        proof.entry_body,
        ownform.Proof(
            ownform.SignedNote(proof.checkpoint), proof.hashes, index, proof.root_hash, str(proof.tree_size)
        ),
        ownform.Kind(*of_kind),
        ownform.LogId(proof.log_id),
        index,
    )


def parse_bundle(data: bytes) -> Bundle:
    """Parse a bundle v0.3 of the kind that is written here: one of everything.

    Exactly one DSSE signature, one log entry with an inclusion proof and checkpoint, one RFC 3161
    timestamp, and either a certificate or a public-key hint.

    Raises:
        MalformedError: another version or content, a second or missing part, a member in protobuf's other
            spelling (which some readers take as the same member), or a field that does not decode.
    """
    return as_own(parse_own_entity(data))


def parse_own_entity(data: bytes) -> Entity:
    """Parse as `parse_bundle`, and give what the verifier judges.

    Raises:
        MalformedError: see there.
    """
    source = sha256_bytes(data)
    if len(data) <= MAX_BUNDLE_BYTES and (own := ownform.read_own(data, source)) is not None:
        return own
    document = parse_json_object(data, what="bundle", max_bytes=MAX_BUNDLE_BYTES)
    protojson.refuse_aliases(document, "bundle")
    if (media := document.get("mediaType")) != MEDIA_TYPE:
        raise MalformedError(
            f"bundle: media type {str(media)[:80]!r} is not supported",
            hint=f"only {MEDIA_TYPE} is written here; for evidence made by others: pratique verify ARTIFACT"
            " --bundle FILE",
        )
    if document.get("messageSignature") is not None:
        raise MalformedError("bundle: it carries a message signature; a DSSE envelope is needed")
    material = protojson.member(document, "verificationMaterial", "bundle")
    stamps = protojson.member(material, "timestampVerificationData", "bundle")
    protojson.only(stamps, "rfc3161Timestamps", "bundle")
    protojson.only(material, "tlogEntries", "bundle")
    return read_entity(document, source, MEDIA_TYPE)


def as_own(entity: Entity) -> Bundle:
    """Take an entity for one of our own.

    Raises:
        MalformedError: it has another shape than our own bundles have.
    """
    content = entity.content
    if isinstance(content, Message) or len(entity.entries) != 1 or len(entity.timestamps) != 1:
        raise MalformedError("bundle: it needs one envelope, one log entry and one timestamp")
    entry, key_id = entity.entries[0], None
    proof = _own_proof(entry)
    if entity.key_hint is not None:
        hint = b64decode(entity.key_hint, what="public key: its hint")
        if len(hint) != protojson.HASH_BYTES:
            raise MalformedError("public key: its hint is not the base64 SHA-256 of a public key")
        key_id = hint.hex()
    return Bundle(
        digest=entity.source,
        payload=content.payload,
        payload_type=content.payload_type,
        signature=entity.signature,
        certificate=entity.certificate,
        key_id=key_id,
        timestamp=entity.timestamps[0],
        log=proof,
        entry_kind=entry.kind,
    )


def _own_proof(entry: LogEntry) -> LogProof:
    if entry.proof is None:
        raise MalformedError("log entry: inclusionProof is missing")
    if entry.index != entry.proof.index:
        raise MalformedError("log entry: its index differs from its inclusion proof's")
    proof = entry.proof
    return LogProof(
        proof.index,
        proof.tree_size,
        proof.root_hash,
        proof.hashes,
        proof.checkpoint,
        entry.log_id,
        entry.body,
    )
