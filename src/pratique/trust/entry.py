"""The log entry of a signature: Rekor v2's `hashedrekord/0.0.2`, rebuilt by every verifier."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from pratique.model.strict_json import canonical_json
from pratique.trust.encoding import b64encode
from pratique.trust.entity import Entity, Envelope
from pratique.trust.envelope import pae
from pratique.trust.publickey import P256, P384

if TYPE_CHECKING:
    from pratique.trust.bundle import Signed
    from pratique.trust.publickey import PublicKey

KIND: Final = ("hashedrekord", "0.0.2")
_NAMES: Final = {"sha256": "SHA2_256", "sha384": "SHA2_384", "sha512": "SHA2_512"}


def hashedrekord_body(signed: Signed) -> bytes:
    """Give the leaf bytes for a DSSE signature by a P-256 key (Rekor v2 `hashedrekord/0.0.2`, RFC 8785 JSON).

    The digest is the SHA-256 of the PAE, so that the entry binds payload, payload type, signature and key.
    """
    digest = hashlib.sha256(pae(signed.payload_type, signed.payload)).digest()
    return entry_body(
        "sha256",
        digest,
        signature=signed.signature,
        certificate=signed.certificate,
        spki=signed.public_key or b"",
        key_kind=P256,
    )


def rebuild_body(entity: Entity, public_key: PublicKey) -> bytes:
    """Give the leaf bytes for anyone's signature, as `hashedrekord_body` does for ours.

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
        spki=public_key.spki,
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
    if certificate is not None:
        verifier = {"x509Certificate": {"rawBytes": b64encode(certificate)}}
    else:
        verifier = {"publicKey": {"rawBytes": b64encode(spki)}}
    kind, version = KIND
    return canonical_json(
        {
            "apiVersion": version,
            "kind": kind,
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": _NAMES[algorithm], "digest": b64encode(digest)},
                    "signature": {
                        "content": b64encode(signature),
                        "verifier": {"keyDetails": key_kind, **verifier},
                    },
                }
            },
        }
    )
