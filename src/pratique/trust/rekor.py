"""Whether a log entry is about this signature, for each kind of entry that Rekor has taken.

An entry is rebuilt from what was verified and has to equal the one shown. Two things in Rekor v1's entries
cannot be rebuilt: the signer's PEM text, which is held to the certificate or key inside it, and the hash of
the envelope as the client happened to write it, which nothing else depends on.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from cryptography.x509 import load_pem_x509_certificate

from pratique.errors import SignatureInvalidError
from pratique.model.strict_json import parse_json_object
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.entity import Entity, Envelope
from pratique.trust.entry import KIND, rebuild_body
from pratique.trust.spki import encode_spki

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.trust.entity import LogEntry
    from pratique.trust.publickey import PublicKey

MAX_ENTRY_BYTES: Final = 4 * 1024 * 1024


def verify_entry(entry: LogEntry, entity: Entity, public_key: PublicKey) -> None:
    """Verify that an entry is about the entity's signature, content and signer, and about nothing else.

    Raises:
        MalformedError: the entry does not parse.
        SignatureInvalidError: it is about something else, or of a kind that cannot be compared.
    """
    compare = _KINDS.get(entry.kind)
    if compare is None:
        kind, version = entry.kind
        raise SignatureInvalidError(
            f"a log entry of kind {kind[:40]}/{version[:20]}, not hashedrekord/0.0.2 or one of Rekor v1's"
            " that bind the signature"
        )
    if not compare(entry, entity, public_key):
        raise SignatureInvalidError("the log entry is about another signature, signer or payload")


def _current(entry: LogEntry, entity: Entity, public_key: PublicKey) -> bool:
    return rebuild_body(entity, public_key) == entry.body


def _record(entry: LogEntry, entity: Entity, public_key: PublicKey) -> bool:
    """`hashedrekord/0.0.1`: a signature over bytes known by their digest."""
    if isinstance(entity.content, Envelope):
        return False
    spec = _spec(entry)
    pem = _at(spec, "signature", "publicKey", "content")
    expected = {
        "data": {
            "hash": {"algorithm": entity.content.algorithm, "value": entity.content.digest.hex()},
        },
        "signature": {"content": b64encode(entity.signature), "publicKey": {"content": pem}},
    }
    return spec == expected and _is_signer(pem, entity, public_key)


def _dsse(entry: LogEntry, entity: Entity, public_key: PublicKey) -> bool:
    """`dsse/0.0.1`: an envelope's payload hash and signature."""
    if not isinstance(entity.content, Envelope):
        return False
    spec = _spec(entry)
    pem = _at(spec, "signatures", 0, "verifier")
    expected = {
        "envelopeHash": _sha256_of(_at(spec, "envelopeHash", "value")),
        "payloadHash": _sha256_of(hashlib.sha256(entity.content.payload).hexdigest()),
        "signatures": [{"signature": b64encode(entity.signature), "verifier": pem}],
    }
    return spec == expected and _is_signer(pem, entity, public_key)


def _intoto(entry: LogEntry, entity: Entity, public_key: PublicKey) -> bool:
    """`intoto/0.0.2`: an envelope without its payload; the signature is base64 of base64."""
    if not isinstance(entity.content, Envelope):
        return False
    spec = _spec(entry)
    pem = _at(spec, "content", "envelope", "signatures", 0, "publicKey")
    key_id = {"keyid": entity.key_hint} if entity.key_hint else {}
    signature = {"publicKey": pem, "sig": b64encode(b64encode(entity.signature).encode()), **key_id}
    expected = {
        "content": {
            "envelope": {"payloadType": entity.content.payload_type, "signatures": [signature]},
            "hash": _sha256_of(_at(spec, "content", "hash", "value")),
            "payloadHash": _sha256_of(hashlib.sha256(entity.content.payload).hexdigest()),
        }
    }
    return spec == expected and _is_signer(pem, entity, public_key)


_KINDS: Final[dict[tuple[str, str], Callable[[LogEntry, Entity, PublicKey], bool]]] = {
    KIND: _current,
    ("hashedrekord", "0.0.1"): _record,
    ("dsse", "0.0.1"): _dsse,
    ("intoto", "0.0.2"): _intoto,
}


def _spec(entry: LogEntry) -> Any:
    body = parse_json_object(entry.body, what="log entry", max_bytes=MAX_ENTRY_BYTES)
    kind, version = entry.kind
    if set(body) != {"apiVersion", "kind", "spec"} or (body["kind"], body["apiVersion"]) != (kind, version):
        raise SignatureInvalidError("the log entry is of another kind than is claimed for it")
    return body["spec"]


def _at(value: Any, *path: str | int) -> Any:
    """Give what is at a path, or None; the comparison that follows fails where there is none."""
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _sha256_of(value: Any) -> dict[str, Any]:
    return {"algorithm": "sha256", "value": value}


def _is_signer(pem: object, entity: Entity, public_key: PublicKey) -> bool:
    """Say whether a PEM text, itself in base64, is the entity's certificate or its signer's key."""
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see trust.spki
        Encoding,
        load_pem_public_key,
    )

    text = b64decode(pem, what="log entry: the signer")
    try:
        if entity.certificate is not None:
            return load_pem_x509_certificate(text).public_bytes(Encoding.DER) == entity.certificate
        return encode_spki(load_pem_public_key(text)) == public_key.spki
    except Exception:  # noqa: BLE001 - hostile bytes in the parser: whatever it raises, this is not the signer
        return False
