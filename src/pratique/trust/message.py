"""Signatures over bare bytes, as `cosign sign-blob` and `sigstore sign` make them: no statement in them."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.trust.encoding import b64encode
from pratique.trust.entry import entry_body
from pratique.trust.material import MEDIA_TYPE
from pratique.trust.publickey import P256


class SignedMessage(msgspec.Struct, frozen=True):
    """Everything of such a bundle but the log's part.

    Attributes:
        digest: SHA-256 of the bytes that were signed.
        signature: DER ECDSA P-256 signature over them.
        public_key: DER SubjectPublicKeyInfo.
        timestamp: DER RFC 3161 response over `signature`.
    """

    digest: bytes
    signature: bytes
    public_key: bytes
    timestamp: bytes

    def leaf(self) -> bytes:
        """Give the log entry's bytes (Rekor v2 `hashedrekord/0.0.2`)."""
        return entry_body(
            "sha256",
            self.digest,
            signature=self.signature,
            certificate=None,
            spki=self.public_key,
            key_kind=P256,
        )

    def encode(self, log_entry: bytes) -> bytes:
        """Write the bundle as canonical JSON (sigstore_bundle.proto, as protojson).

        Args:
            log_entry: the log's part, a TransparencyLogEntry in JSON (`trust.bundle.encode_log_entry`).
        """
        return canonical_json(
            {
                "mediaType": MEDIA_TYPE,
                "messageSignature": {
                    "messageDigest": {"algorithm": "SHA2_256", "digest": b64encode(self.digest)},
                    "signature": b64encode(self.signature),
                },
                "verificationMaterial": {
                    "publicKey": {"hint": b64encode(sha256(self.public_key).digest())},
                    "timestampVerificationData": {
                        "rfc3161Timestamps": [{"signedTimestamp": b64encode(self.timestamp)}]
                    },
                    "tlogEntries": [parse_json_object(log_entry, what="log entry")],
                },
            }
        )
