"""Sigstore bundle v0.3 with a DSSE envelope: the codec, and nothing that decides about trust.

Bundles written here are canonical JSON (RFC 8785). Bundles read here may be anyone's: unknown members are
ignored, but what two readers could take differently is refused (see `trust.verify` for the judgement).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import MAX_INT, canonical_json, parse_json_object
from pratique.trust.encoding import b64decode, b64encode

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
MAX_BUNDLE_BYTES: Final = 32 * 1024 * 1024
MAX_PROOF_HASHES: Final = 64
HASH_BYTES: Final = 32
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")


class Signed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of a bundle but the log's part: what a signer hands to the journal.

    Attributes:
        payload: the statement's bytes, as signed.
        payload_type: DSSE payload type.
        signature: DER ECDSA signature over the PAE.
        certificate: DER signing certificate, or None when a key signed.
        public_key: DER SubjectPublicKeyInfo, or None when a certificate signed.
        timestamp: DER RFC 3161 response over `signature`.
    """

    payload: bytes
    payload_type: str
    signature: bytes
    certificate: bytes | None
    public_key: bytes | None
    timestamp: bytes

    def __post_init__(self) -> None:
        if (self.certificate is None) == (self.public_key is None):
            raise MalformedError("a signature needs a certificate or a public key, and not both")

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

    def signed(self, public_key: bytes | None = None) -> Signed:
        """Give back the signer's part; a key's bundle carries only a hint, so its key must be given."""
        return Signed(
            self.payload, self.payload_type, self.signature, self.certificate, public_key, self.timestamp
        )


def key_id_of(spki: bytes) -> str:
    """Name a public key: hex SHA-256 of its DER SubjectPublicKeyInfo."""
    return sha256(spki).hexdigest()


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
    if signed.certificate is not None:
        material: dict[str, Any] = {"certificate": {"rawBytes": b64encode(signed.certificate)}}
    else:
        hint = b64encode(sha256(signed.public_key or b"").digest())
        material = {"publicKey": {"hint": hint}}
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "dsseEnvelope": {
                "payload": b64encode(signed.payload),
                "payloadType": signed.payload_type,
                "signatures": [{"sig": b64encode(signed.signature)}],
            },
            "verificationMaterial": {
                **material,
                "timestampVerificationData": {
                    "rfc3161Timestamps": [{"signedTimestamp": b64encode(signed.timestamp)}]
                },
                "tlogEntries": [_tlog_entry(proof)],
            },
        }
    )


def _tlog_entry(proof: LogProof) -> dict[str, Any]:
    return {
        "logIndex": str(proof.index),
        "logId": {"keyId": b64encode(proof.log_id)},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "inclusionProof": {
            "logIndex": str(proof.index),
            "treeSize": str(proof.tree_size),
            "rootHash": b64encode(proof.root_hash),
            "hashes": [b64encode(item) for item in proof.hashes],
            "checkpoint": {"envelope": proof.checkpoint},
        },
        "canonicalizedBody": b64encode(proof.entry_body),
    }


def parse_bundle(data: bytes) -> Bundle:
    """Parse anyone's bundle v0.3 into its one reading.

    Exactly one DSSE signature, one log entry with an inclusion proof and checkpoint, one RFC 3161
    timestamp, and either a certificate or a public-key hint.

    Raises:
        MalformedError: another version or content, a second or missing part, a member in protobuf's other
            spelling (which some readers take as the same member), or a field that does not decode.
    """
    what = "bundle"
    document = parse_json_object(data, what=what, max_bytes=MAX_BUNDLE_BYTES)
    _refuse_aliases(document, what)
    if (media := document.get("mediaType")) != MEDIA_TYPE:
        raise MalformedError(
            f"bundle: media type {str(media)[:80]!r} is not supported",
            hint=f"only {MEDIA_TYPE} is read; ask the producer for a v0.3 bundle",
        )
    if document.get("messageSignature") is not None:
        raise MalformedError("bundle: it carries a message signature; a DSSE envelope is needed")
    envelope = _object(document, "dsseEnvelope", what)
    material = _object(document, "verificationMaterial", what)
    certificate, key_id = _key_material(material)
    stamps = _object(material, "timestampVerificationData", what)
    entry = _only(material, "tlogEntries", what)
    return Bundle(
        digest=sha256_bytes(data),
        payload=_bytes(envelope, "payload", "envelope"),
        payload_type=_text(envelope, "payloadType", "envelope"),
        signature=_bytes(_only(envelope, "signatures", "envelope"), "sig", "envelope signature"),
        certificate=certificate,
        key_id=key_id,
        timestamp=_bytes(_only(stamps, "rfc3161Timestamps", what), "signedTimestamp", "timestamp"),
        log=_log_proof(entry),
        entry_kind=_entry_kind(entry),
    )


def _key_material(material: dict[str, Any]) -> tuple[bytes | None, str | None]:
    names = ("certificate", "publicKey", "x509CertificateChain")
    given = [name for name in names if material.get(name) is not None]
    if given == ["certificate"]:
        raw = _bytes(_object(material, "certificate", "bundle"), "rawBytes", "certificate")
        return raw, None
    if given == ["publicKey"]:
        hint = _bytes(_object(material, "publicKey", "bundle"), "hint", "public key")
        if len(hint) != HASH_BYTES:
            raise MalformedError("public key: its hint is not the base64 SHA-256 of a public key")
        return None, hint.hex()
    raise MalformedError(f"bundle: it needs a certificate or a public key, and has {given or 'neither'}")


def _entry_kind(entry: dict[str, Any]) -> tuple[str, str]:
    kind = _object(entry, "kindVersion", "log entry")
    return _text(kind, "kind", "log entry"), _text(kind, "version", "log entry")


def _log_proof(entry: dict[str, Any]) -> LogProof:
    proof = _object(entry, "inclusionProof", "log entry")
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > MAX_PROOF_HASHES:
        raise MalformedError(f"inclusion proof: hashes is not a list of at most {MAX_PROOF_HASHES}")
    index = _number(proof, "logIndex", "inclusion proof")
    if _number(entry, "logIndex", "log entry") != index:
        raise MalformedError("log entry: its index differs from its inclusion proof's")
    return LogProof(
        index=index,
        tree_size=_number(proof, "treeSize", "inclusion proof"),
        root_hash=_hash(proof.get("rootHash"), "inclusion proof: rootHash"),
        hashes=tuple(_hash(item, "inclusion proof: hashes") for item in hashes),
        checkpoint=_text(_object(proof, "checkpoint", "inclusion proof"), "envelope", "checkpoint"),
        log_id=_hash(_object(entry, "logId", "log entry").get("keyId"), "log entry: logId"),
        entry_body=_bytes(entry, "canonicalizedBody", "log entry"),
    )


def _refuse_aliases(item: dict[str, Any], what: str) -> None:
    """Protojson readers take `tlog_entries` for `tlogEntries`; which of two would win is anyone's guess."""
    for name in item:
        head, *rest = name.split("_")
        if rest and head:
            raise MalformedError(f"{what}: member {name[:80]!r} is in protobuf's other spelling")


def _object(parent: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"{what}: {name} is missing")
    _refuse_aliases(value, name)
    return value


def _only(parent: dict[str, Any], name: str, what: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], dict):
        count = len(value) if isinstance(value, list) else 0
        raise MalformedError(f"{what}: {name} must hold exactly one entry, not {count}")
    _refuse_aliases(value[0], name)
    return value[0]


def _text(parent: dict[str, Any], name: str, what: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"{what}: {name} is missing")
    return value


def _bytes(parent: dict[str, Any], name: str, what: str) -> bytes:
    value = b64decode(parent.get(name), what=f"{what}: {name}")
    if not value:
        raise MalformedError(f"{what}: {name} is empty")
    return value


def _hash(text: object, what: str) -> bytes:
    value = b64decode(text, what=what)
    if len(value) != HASH_BYTES:
        raise MalformedError(f"{what}: {len(value)} bytes, not a SHA-256")
    return value


def _number(parent: dict[str, Any], name: str, what: str) -> int:
    """Protojson writes 64-bit integers as strings; protobuf's default of 0 may be left out."""
    text = parent.get(name, "0")
    if not isinstance(text, str) or not _DECIMAL.match(text) or int(text) > MAX_INT:
        raise MalformedError(f"{what}: {name} is not a decimal number in a string")
    return int(text)
