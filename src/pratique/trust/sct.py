"""Signed certificate timestamps embedded in certificates (RFC 6962 §3.2, §3.3)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.certificate_transparency import (
    LogEntryType,
    SignatureAlgorithm,
    SignedCertificateTimestamp,
)

from pratique.errors import SignatureInvalidError
from pratique.trust.publickey import verify_signature
from pratique.trust.root import KEY_P256, LogInstance, TrustedRoot

_HASH_SHA256: Final = 4
_SIGNATURE_ECDSA: Final = 3
_PRECERT_ENTRY: Final = 1


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


def verify_scts(
    leaf: x509.Certificate, key_hash: bytes, root: TrustedRoot, *, strict: bool
) -> tuple[LogInstance, ...]:
    """Verify the SCTs embedded in a certificate against the root's certificate-transparency logs.

    Args:
        leaf: the certificate.
        key_hash: of what issued it (`issuer_key_hash`).
        root: what to believe.
        strict: exactly one SCT, as certificates of ours have. Others may have several: one has to be by a log
            of the root, and every one that is has to hold.

    Returns:
        The logs, at least one.

    Raises:
        SignatureInvalidError: none by a log of the root, or a signature that does not hold.
    """
    scts = _embedded(leaf)
    if strict and len(scts) != 1:
        raise SignatureInvalidError(f"the certificate has {len(scts)} embedded SCTs, not one")
    found: list[LogInstance] = []
    for sct in scts:
        moment = sct.timestamp.replace(tzinfo=UTC)
        logs = [log for log in root.ctlogs if log.log_id == sct.log_id and log.valid_for.contains(moment)]
        if logs:
            _verify_one(sct, logs[0], leaf, key_hash)
            found.append(logs[0])
    if not found:
        missing = ", ".join(f"{sct.log_id.hex()[:16]} valid at {sct.timestamp}" for sct in scts)
        raise SignatureInvalidError(
            f"no certificate-transparency log {missing or '(the certificate has no SCT)'} in the trusted root"
        )
    return tuple(found)


def _verify_one(
    sct: SignedCertificateTimestamp, log: LogInstance, leaf: x509.Certificate, key_hash: bytes
) -> None:
    if sct.entry_type != LogEntryType.PRE_CERTIFICATE or sct.signature_algorithm != SignatureAlgorithm.ECDSA:
        raise SignatureInvalidError("an SCT of another kind than an ECDSA one over a precertificate")
    if log.key_details != KEY_P256:
        raise SignatureInvalidError(f"a certificate-transparency log with a {log.key_details} key")
    if not isinstance(sct.signature_hash_algorithm, hashes.SHA256):
        raise SignatureInvalidError("an SCT that is not signed with SHA-256")
    moment = _milliseconds(sct.timestamp.replace(tzinfo=UTC))
    data = signed_data(moment, key_hash, leaf.tbs_precertificate_bytes, sct.extension_bytes)
    verify_signature(log.public_key, sct.signature, data, what="the SCT's signature")


def _milliseconds(moment: datetime) -> int:
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * 1000 + moment.microsecond // 1000


def _embedded(leaf: x509.Certificate) -> list[SignedCertificateTimestamp]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps)
        return list(extension.value)
    except (x509.ExtensionNotFound, ValueError) as error:
        raise SignatureInvalidError("the certificate has no readable embedded SCT") from error
