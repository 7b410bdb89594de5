"""DSSE envelopes outside of bundles: plain ones, slsa-github-generator's, Witness's.

Specifications: DSSE v1.0.2 (envelope.md); the certificate beside a signature is slsa-github-generator's
`cert` (PEM), or Witness's `certificate`, `intermediates` and `timestamps` (go-witness, dsse/dsse.go).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cryptography.x509 import load_pem_x509_certificate

from pratique.errors import MalformedError
from pratique.trust import protojson
from pratique.trust.entity import Entity, Envelope
from pratique.trust.material import MAX_PARTS

if TYPE_CHECKING:
    from pratique.model.digest import Digest

MAX_SIGNATURES: Final = 64


def is_envelope(document: dict[str, Any]) -> bool:
    """Say whether a document means to be a DSSE envelope."""
    return "payloadType" in document and "signatures" in document


def read_envelope(document: dict[str, Any], source: Digest, *, carrier: str = "") -> list[Entity]:
    """Read an envelope into one entity for each of its signatures.

    Raises:
        MalformedError: no signature, too many, one signature twice, or a member that does not decode.
    """
    content = Envelope(
        protojson.blob(document, "payload", "envelope"), protojson.text(document, "payloadType", "envelope")
    )
    signatures = protojson.members(document, "signatures", "envelope", most=MAX_SIGNATURES)
    found = [_entity(content, item, source, carrier) for item in signatures]
    if not found:
        raise MalformedError("envelope: it has no signature")
    if len({entity.signature for entity in found}) != len(found):
        raise MalformedError("envelope: one signature twice")
    return found


def _entity(content: Envelope, item: dict[str, Any], source: Digest, carrier: str) -> Entity:
    signature = protojson.blob(item, "sig", "envelope signature")
    key_id = item.get("keyid") or ""
    if not isinstance(key_id, str):
        raise MalformedError("envelope signature: keyid is not a string")
    stamps = protojson.members(item, "timestamps", "envelope signature", most=MAX_PARTS)
    timestamps = tuple(_timestamp(stamp) for stamp in stamps)
    if item.get("cert") is not None:
        pem = protojson.text(item, "cert", "envelope signature").encode()
        name = "DSSE envelope with a certificate"
        return Entity(
            carrier or name, source, content, signature, pem_certificate(pem), timestamps=timestamps
        )
    if item.get("certificate") is not None:
        chain = item.get("intermediates") or []
        if not isinstance(chain, list) or len(chain) > MAX_PARTS:
            raise MalformedError("envelope signature: intermediates is not a list")
        return Entity(
            carrier=carrier or "Witness envelope",
            source=source,
            content=content,
            signature=signature,
            certificate=pem_certificate(protojson.blob(item, "certificate", "envelope signature")),
            chain=tuple(
                pem_certificate(protojson.blob({"pem": one}, "pem", "intermediate")) for one in chain
            ),
            timestamps=timestamps,
        )
    return Entity(
        carrier or "DSSE envelope",
        source,
        content,
        signature,
        key_hint=key_id or None,
        timestamps=timestamps,
    )


def _timestamp(stamp: dict[str, Any]) -> bytes:
    if stamp.get("type") != "tsp":
        raise MalformedError(f"envelope signature: a timestamp of type {str(stamp.get('type'))[:40]!r}")
    return protojson.blob(stamp, "data", "timestamp")


def pem_certificate(pem: bytes) -> bytes:
    """Give the DER of the one certificate in a PEM text.

    Raises:
        MalformedError: none, or several.
    """
    if pem.count(b"-----BEGIN ") != 1:
        raise MalformedError("a signer's PEM text holds not exactly one certificate")
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415 - see trust.spki

    try:
        return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    except Exception as error:  # the parser raises a dozen unrelated classes at hostile bytes
        raise MalformedError(f"a signer's certificate does not parse: {error}") from error
