"""The log entry of a signature, rebuilt by every verifier: Rekor v2's `hashedrekord/0.0.2` in most cases."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.strict_json import parse_json_object
from pratique.trust.encoding import b64bytes, b64decode
from pratique.trust.entity import Entity, Envelope
from pratique.trust.envelope import pae
from pratique.trust.publickey import P256, P384
from pratique.trust.scheme import (
    ECDSA_P256,
    HASHEDREKORD,
    REKORD,
    DetachedKey,
    rekord_body,
    rekord_signer,
)

if TYPE_CHECKING:
    from pratique.trust.bundle import Signed
    from pratique.trust.publickey import PublicKey

KIND: Final = HASHEDREKORD
_NAMES: Final = {"sha256": b"SHA2_256", "sha384": b"SHA2_384", "sha512": b"SHA2_512"}
# RFC 8785: members in the order of their names. What is put in is base64 or one of our own names.
_BODY: Final = (
    b'{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{'
    b'"data":{"algorithm":"%b","digest":"%b"},'
    b'"signature":{"content":"%b","verifier":{"keyDetails":"%b","%b":{"rawBytes":"%b"}}}}}}'
)


def leaf_of(signed: Signed) -> bytes:
    """Give the leaf bytes for a DSSE signature (RFC 8785 JSON).

    For a P-256 key that is Rekor v2's `hashedrekord/0.0.2`. The digest is the SHA-256 of the PAE, so that the
    entry binds payload, payload type, signature and key. For other schemes see `trust.scheme`.
    """
    covered = pae(signed.payload_type, signed.payload)
    if signed.scheme != ECDSA_P256:
        return rekord_body(DetachedKey(signed.scheme, signed.public_key or b""), covered, signed.signature)
    digest = hashlib.sha256(covered).digest()
    return entry_body(
        "sha256",
        digest,
        signature=signed.signature,
        certificate=signed.certificate,
        spki=signed.public_key or b"",
        key_kind=P256,
    )


def rebuild_body(entity: Entity, public_key: PublicKey) -> bytes:
    """Give the leaf bytes for anyone's signature, as `leaf_of` does for ours.

    Args:
        entity: the signature and what it is over.
        public_key: the signer's key.
    """
    content = entity.content
    if isinstance(content, Envelope):
        algorithm = "sha384" if public_key.kind == P384 else "sha256"
        digest = hashlib.new(algorithm, pae(content.payload_type, content.payload)).digest()
    else:
        algorithm, digest = content.algorithm, content.digest
    return entry_body(
        algorithm,
        digest,
        signature=entity.signature,
        certificate=entity.certificate,
        spki=b"" if entity.certificate is not None else public_key.spki,
        key_kind=public_key.kind,
    )


def entry_body(
    algorithm: str,
    digest: bytes,
    *,
    signature: bytes,
    certificate: bytes | None,
    spki: bytes,
    key_kind: str,
) -> bytes:
    """Give the leaf bytes for a signature over a digest.

    Args:
        algorithm: `sha256`, `sha384` or `sha512`.
        digest: of what was signed.
        signature: over it.
        certificate: DER, or None where a key signed.
        spki: DER SubjectPublicKeyInfo, looked at where there is no certificate.
        key_kind: as `trust.publickey` names it.
    """
    signer = (b"publicKey", spki) if certificate is None else (b"x509Certificate", certificate)
    return _BODY % (
        _NAMES[algorithm],
        b64bytes(digest),
        b64bytes(signature),
        key_kind.encode(),
        signer[0],
        b64bytes(signer[1]),
    )


class EntrySigner(msgspec.Struct, frozen=True):
    """Who a log entry says signed: a DER certificate, or else a key in the form of its scheme."""

    certificate: bytes
    public_key: bytes
    scheme: str


def entry_signer(body: bytes) -> EntrySigner:
    """Read the signer from an entry such as `leaf_of` writes.

    Raises:
        MalformedError: another kind of entry, or not exactly one signer.
    """
    document = parse_json_object(body, what="log entry")
    kind = (document.get("kind"), document.get("apiVersion"))
    if kind == REKORD:
        key = rekord_signer(document)
        return EntrySigner(b"", key.public_key, key.kind)
    try:
        verifier = document["spec"]["hashedRekordV002"]["signature"]["verifier"]
        certificate, public_key = verifier.get("x509Certificate"), verifier.get("publicKey")
        encoded = (certificate or public_key)["rawBytes"]
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedError("the log entry names no signer") from error
    if kind != KIND or bool(certificate) == bool(public_key):
        raise MalformedError("the log entry is not a hashedrekord/0.0.2 with one signer")
    data = b64decode(encoded, what="log entry: its signer")
    return EntrySigner(data, b"", ECDSA_P256) if certificate else EntrySigner(b"", data, ECDSA_P256)
