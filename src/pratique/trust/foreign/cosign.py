"""cosign's bundles from before Sigstore's own format: `cosign sign-blob --bundle` up to version 2.

Format: cosign, pkg/cosign/bundle/rekor.go and pkg/cosign/fetch.go (LocalSignedPayload).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import MAX_INT, parse_json_object
from pratique.trust import protojson
from pratique.trust.encoding import b64decode
from pratique.trust.entity import Entity, LogEntry, Message
from pratique.trust.foreign.envelope import is_envelope, pem_certificate, read_envelope

if TYPE_CHECKING:
    from pratique.model.digest import Digest

CARRIER: Final = "cosign bundle (before version 3)"
_HEX = re.compile(r"[0-9a-f]{64}\Z")


def is_legacy_bundle(document: dict[str, Any]) -> bool:
    """Say whether a document means to be one of cosign's old bundles."""
    return "base64Signature" in document


def read_legacy_bundle(document: dict[str, Any], source: Digest) -> Entity:
    """Read an old bundle: a signature, its certificate or key, and Rekor's promise.

    What is signed is not inside: the log entry says which digest, and the signature has to be over it.

    Raises:
        MalformedError: a member that is missing or does not decode, or an entry of another kind.
    """
    signature = protojson.blob(document, "base64Signature", "cosign bundle")
    certificate = None
    if document.get("cert"):
        pem = protojson.blob(document, "cert", "cosign bundle")
        if b"BEGIN PUBLIC KEY" not in pem:
            certificate = pem_certificate(pem)
    rekor = document.get("rekorBundle")
    if not isinstance(rekor, dict) or not isinstance(rekor.get("Payload"), dict):
        raise MalformedError("cosign bundle: it has no log entry (rekorBundle)")
    promise = protojson.blob(rekor, "SignedEntryTimestamp", "rekorBundle")
    entry, body = _entry(rekor["Payload"], promise)
    if signature.startswith(b"{"):
        envelope = parse_json_object(signature, what="cosign bundle: envelope")
        if not is_envelope(envelope):
            raise MalformedError("cosign bundle: its signature is JSON, and no envelope")
        (entity,) = read_envelope(envelope, source, carrier=CARRIER)
        return msgspec.structs.replace(entity, certificate=certificate, entries=(entry,), key_hint=None)
    return Entity(CARRIER, source, _message(body), signature, certificate, entries=(entry,))


def _entry(payload: dict[str, Any], promise: bytes) -> tuple[LogEntry, dict[str, Any]]:
    raw = b64decode(payload.get("body"), what="rekorBundle: body")
    body = parse_json_object(raw, what="rekorBundle: body")
    log_id = payload.get("logID")
    if not isinstance(log_id, str) or not _HEX.match(log_id):
        raise MalformedError("rekorBundle: logID is not the hex of a SHA-256")
    kind, version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        raise MalformedError("rekorBundle: body has no kind")
    index, seconds = _number(payload, "logIndex"), _number(payload, "integratedTime")
    return LogEntry(bytes.fromhex(log_id), index, (kind, version), raw, None, seconds, promise), body


def _number(payload: dict[str, Any], name: str) -> int:
    value = payload.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_INT:
        raise MalformedError(f"rekorBundle: {name} is not a number")
    return value


def _message(body: dict[str, Any]) -> Message:
    try:
        claimed = body["spec"]["data"]["hash"]
        algorithm, value = claimed["algorithm"], bytes.fromhex(claimed["value"])
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError("cosign bundle: its log entry names no digest") from error
    if algorithm != "sha256" or len(value) != protojson.HASH_BYTES:
        raise MalformedError("cosign bundle: its log entry names no SHA-256 digest")
    return Message("sha256", value)
