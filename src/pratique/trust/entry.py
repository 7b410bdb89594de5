"""The log entry of a signature: Rekor v2's `hashedrekord/0.0.2`, rebuilt by every verifier."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from pratique.model.strict_json import canonical_json
from pratique.trust.encoding import b64encode
from pratique.trust.envelope import pae

if TYPE_CHECKING:
    from pratique.trust.bundle import Signed

KIND: Final = ("hashedrekord", "0.0.2")
KEY_DETAILS: Final = "PKIX_ECDSA_P256_SHA_256"


def hashedrekord_body(signed: Signed) -> bytes:
    """Give the leaf bytes for a DSSE signature (Rekor v2 `hashedrekord/0.0.2`, RFC 8785 JSON).

    The digest is the SHA-256 of the PAE, so that the entry binds payload, payload type, signature and key.
    """
    digest = sha256(pae(signed.payload_type, signed.payload)).digest()
    if signed.certificate is not None:
        verifier = {"x509Certificate": {"rawBytes": b64encode(signed.certificate)}}
    else:
        verifier = {"publicKey": {"rawBytes": b64encode(signed.public_key or b"")}}
    kind, version = KIND
    return canonical_json(
        {
            "apiVersion": version,
            "kind": kind,
            "spec": {
                "hashedRekordV002": {
                    "data": {"algorithm": "SHA2_256", "digest": b64encode(digest)},
                    "signature": {
                        "content": b64encode(signed.signature),
                        "verifier": {"keyDetails": KEY_DETAILS, **verifier},
                    },
                }
            },
        }
    )
