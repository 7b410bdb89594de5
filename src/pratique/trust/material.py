"""What a Sigstore bundle of any version holds: content, signer, timestamps, log entries.

Format: protobuf-specs sigstore_bundle.proto and sigstore_rekor.proto, as protojson. Nothing is decided here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import MalformedError
from pratique.trust import protojson
from pratique.trust.entity import Entity, Envelope, InclusionProof, LogEntry, Message

if TYPE_CHECKING:
    from pratique.model.digest import Digest

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_PARTS: Final = 8
MAX_PROOF_HASHES: Final = 64
DIGESTS: Final = {"SHA2_256": "sha256", "SHA2_384": "sha384", "SHA2_512": "sha512"}


def read_entity(document: dict[str, Any], source: Digest, media_type: str) -> Entity:
    """Read a bundle's content and material, of any version (protobuf-specs sigstore_bundle.proto).

    Args:
        document: the parsed bundle.
        source: SHA-256 of the bytes it came in.
        media_type: its media type, which the caller knows.

    Raises:
        MalformedError: a part that is missing, doubled or does not decode.
    """
    current = media_type == MEDIA_TYPE
    material = protojson.member(document, "verificationMaterial", "bundle")
    certificate, chain, hint = _signer(material, current=current)
    content, signature, key_id = _content(document)
    if key_id not in ("", hint):
        raise MalformedError("envelope signature: its keyid is not the bundle's signer")
    stamps = material.get("timestampVerificationData")
    if stamps is not None:
        stamps = protojson.member(material, "timestampVerificationData", "bundle")
    tokens = protojson.members(stamps or {}, "rfc3161Timestamps", "bundle", most=MAX_PARTS)
    entries = protojson.members(material, "tlogEntries", "bundle", most=MAX_PARTS)
    return Entity(
        carrier=carrier_of(media_type),
        source=source,
        content=content,
        signature=signature,
        certificate=certificate,
        chain=chain,
        key_hint=hint,
        timestamps=tuple(protojson.blob(token, "signedTimestamp", "timestamp") for token in tokens),
        entries=tuple(read_log_entry(entry, proof_needed=current) for entry in entries),
    )


def carrier_of(media_type: str) -> str:
    """Name a bundle by its version."""
    return f"Sigstore bundle {'0.3' if media_type == MEDIA_TYPE else media_type.rpartition('=')[2]}"


def read_log_entry(entry: dict[str, Any], *, proof_needed: bool) -> LogEntry:
    """Read a log entry (protobuf-specs sigstore_rekor.proto, TransparencyLogEntry).

    Raises:
        MalformedError: a member that is missing or does not decode; a time without the log's promise, which
            alone speaks for it; neither promise nor proof.
    """
    kind = protojson.member(entry, "kindVersion", "log entry")
    promise, seconds = None, protojson.number(entry, "integratedTime", "log entry") or None
    if entry.get("inclusionPromise") is not None:
        promised = protojson.member(entry, "inclusionPromise", "log entry")
        promise = protojson.blob(promised, "signedEntryTimestamp", "inclusion promise")
    if (promise is None) != (seconds is None):
        raise MalformedError("log entry: an integratedTime and an inclusion promise go together")
    proof = None
    if proof_needed or entry.get("inclusionProof") is not None:
        proof = _proof(protojson.member(entry, "inclusionProof", "log entry"))
    elif promise is None:
        raise MalformedError("log entry: neither an inclusion proof nor a promise")
    log_id = protojson.member(entry, "logId", "log entry").get("keyId")
    return LogEntry(
        log_id=protojson.hash_of(log_id, "log entry: logId"),
        index=protojson.number(entry, "logIndex", "log entry"),
        kind=(protojson.text(kind, "kind", "log entry"), protojson.text(kind, "version", "log entry")),
        body=protojson.blob(entry, "canonicalizedBody", "log entry"),
        proof=proof,
        integrated_time=seconds,
        promise=promise,
    )


def _proof(proof: dict[str, Any]) -> InclusionProof:
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > MAX_PROOF_HASHES:
        raise MalformedError(f"inclusion proof: hashes is not a list of at most {MAX_PROOF_HASHES}")
    checkpoint = protojson.member(proof, "checkpoint", "inclusion proof")
    return InclusionProof(
        index=protojson.number(proof, "logIndex", "inclusion proof"),
        tree_size=protojson.number(proof, "treeSize", "inclusion proof"),
        root_hash=protojson.hash_of(proof.get("rootHash"), "inclusion proof: rootHash"),
        hashes=tuple(protojson.hash_of(item, "inclusion proof: hashes") for item in hashes),
        checkpoint=protojson.text(checkpoint, "envelope", "checkpoint"),
    )


def _content(document: dict[str, Any]) -> tuple[Envelope | Message, bytes, str]:
    """Give the content, the signature, and how the envelope names its key."""
    if document.get("messageSignature") is not None:
        if document.get("dsseEnvelope") is not None:
            raise MalformedError("bundle: it carries a message signature beside a DSSE envelope")
        message = protojson.member(document, "messageSignature", "bundle")
        digest = protojson.member(message, "messageDigest", "message signature")
        algorithm = DIGESTS.get(protojson.text(digest, "algorithm", "message digest"))
        value = protojson.blob(digest, "digest", "message digest")
        if algorithm is None or len(value) != hashlib.new(algorithm).digest_size:
            raise MalformedError("message digest: not a SHA-256, SHA-384 or SHA-512 digest")
        return Message(algorithm, value), protojson.blob(message, "signature", "message signature"), ""
    envelope = protojson.member(document, "dsseEnvelope", "bundle")
    signature = protojson.only(envelope, "signatures", "envelope")
    key_id = signature.get("keyid", "")
    if not isinstance(key_id, str):
        raise MalformedError("envelope signature: keyid is not a string")
    content = Envelope(
        protojson.blob(envelope, "payload", "envelope"), protojson.text(envelope, "payloadType", "envelope")
    )
    return content, protojson.blob(signature, "sig", "envelope signature"), key_id


def _signer(material: dict[str, Any], *, current: bool) -> tuple[bytes | None, tuple[bytes, ...], str | None]:
    """Give the signing certificate and what else is in its chain, or the key's hint."""
    names = ("certificate", "publicKey", "x509CertificateChain")
    given = [name for name in names if material.get(name) is not None]
    if given == ["certificate"]:
        one = protojson.member(material, "certificate", "bundle")
        return protojson.blob(one, "rawBytes", "certificate"), (), None
    if given == ["x509CertificateChain"] and not current:
        several = protojson.member(material, "x509CertificateChain", "bundle")
        found = protojson.members(several, "certificates", "certificate chain", most=MAX_PARTS)
        chain = [protojson.blob(one, "rawBytes", "certificate") for one in found]
        if not chain:
            raise MalformedError("certificate chain: no certificate")
        return chain[0], tuple(chain[1:]), None
    if given == ["publicKey"]:
        return (
            None,
            (),
            protojson.text(protojson.member(material, "publicKey", "bundle"), "hint", "public key"),
        )
    raise MalformedError(f"bundle: it needs a certificate or a public key, and has {given or 'neither'}")
