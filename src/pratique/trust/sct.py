"""Signed certificate timestamps embedded in certificates (RFC 6962 §3.2, §3.3)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.certificate_transparency import (
    LogEntryType,
    SignatureAlgorithm,
    SignedCertificateTimestamp,
)

from pratique.errors import SignatureInvalidError
from pratique.trust.keys import load_p256_spki, verify_p256
from pratique.trust.root import KEY_P256, TrustedRoot

_HASH_SHA256: Final = 4
_SIGNATURE_ECDSA: Final = 3
_PRECERT_ENTRY: Final = 1


def issuer_key_hash(issuer: x509.Certificate) -> bytes:
    """Give the SHA-256 of the issuer's SubjectPublicKeyInfo, which binds an SCT to the issuer."""
    spki = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


def signed_data(timestamp_ms: int, key_hash: bytes, tbs: bytes, extensions: bytes = b"") -> bytes:
    """Give the bytes that an SCT over a precertificate signs (RFC 6962 §3.2, digitally-signed struct).

    Args:
        timestamp_ms: milliseconds since the epoch.
        key_hash: see `issuer_key_hash`.
        tbs: DER TBSCertificate without the SCT extension.
        extensions: CtExtensions.
    """
    head = struct.pack("!BBQH", 0, 0, timestamp_ms, _PRECERT_ENTRY)
    body = key_hash + len(tbs).to_bytes(3, "big") + tbs
    return head + body + struct.pack("!H", len(extensions)) + extensions


def sct_list(log_id: bytes, timestamp_ms: int, signature: bytes) -> bytes:
    """Give the TLS-encoded SignedCertificateTimestampList with one SCT (RFC 6962 §3.3)."""
    sct = struct.pack("!B32sQH", 0, log_id, timestamp_ms, 0)
    sct += struct.pack("!BBH", _HASH_SHA256, _SIGNATURE_ECDSA, len(signature)) + signature
    one = struct.pack("!H", len(sct)) + sct
    return struct.pack("!H", len(one)) + one


def verify_sct(leaf: x509.Certificate, issuer: x509.Certificate, root: TrustedRoot) -> None:
    """Verify the one SCT embedded in a certificate against the root's certificate-transparency logs.

    Raises:
        SignatureInvalidError: not exactly one, an unknown log, or a signature that does not hold.
    """
    sct = _only_sct(leaf)
    moment = sct.timestamp.replace(tzinfo=UTC)
    logs = [log for log in root.ctlogs if log.log_id == sct.log_id and log.valid_for.contains(moment)]
    if not logs:
        raise SignatureInvalidError(
            f"no certificate-transparency log {sct.log_id.hex()[:16]} valid at {moment} in the trusted root"
        )
    if logs[0].key_details != KEY_P256:
        raise SignatureInvalidError(f"a certificate-transparency log with a {logs[0].key_details} key")
    if not isinstance(sct.signature_hash_algorithm, hashes.SHA256):
        raise SignatureInvalidError("an SCT that is not signed with SHA-256")
    data = signed_data(
        _milliseconds(moment), issuer_key_hash(issuer), leaf.tbs_precertificate_bytes, sct.extension_bytes
    )
    verify_p256(load_p256_spki(logs[0].key), sct.signature, data, what="the SCT's signature")


def _milliseconds(moment: datetime) -> int:
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1000 + moment.microsecond // 1000


def _only_sct(leaf: x509.Certificate) -> SignedCertificateTimestamp:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps)
        scts: list[SignedCertificateTimestamp] = list(extension.value)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise SignatureInvalidError("the certificate has no readable embedded SCT") from error
    if len(scts) != 1:
        raise SignatureInvalidError(f"the certificate has {len(scts)} embedded SCTs, not one")
    sct = scts[0]
    if sct.entry_type != LogEntryType.PRE_CERTIFICATE or sct.signature_algorithm != SignatureAlgorithm.ECDSA:
        raise SignatureInvalidError("an SCT of another kind than an ECDSA one over a precertificate")
    return sct
