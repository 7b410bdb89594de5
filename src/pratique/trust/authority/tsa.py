"""A timestamp authority's answers: RFC 3161 tokens, as CMS SignedData over a TSTInfo (RFC 5652, RFC 5816)."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from pratique.trust.authority import der
from pratique.trust.authority.tsq import POLICY

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography import x509

    from pratique.trust.authority.tsq import Query


_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"
SERIAL_BITS: Final = 127
_UTC_TIME: Final = 0x17


def issue_timestamp(
    query: Query,
    *,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    moment: datetime,
    serial: int | None = None,
) -> bytes:
    """Grant a query: a TimeStampResp over the digest that it names (RFC 3161 §2.4.2).

    Args:
        query: what is asked; see `query_of` for timestamping bytes that are here.
        certificate: the authority's certificate; inside the token when the query asks for it.
        key: the authority's P-256 key.
        moment: the time to state, whole seconds.
        serial: the token's number; by default random and positive.
    """
    number = secrets.randbits(SERIAL_BITS) | 1 if serial is None else serial
    info = _tst_info(query, moment, number)
    attributes = _signed_attributes(info, certificate, moment)
    signature = key.sign(der.tlv(der.SET, *attributes), ec.ECDSA(hashes.SHA256()))
    inside = [der.tlv(der.CONTEXT_0, certificate.public_bytes(Encoding.DER))] if query.certificate else []
    signed_data = der.sequence(
        der.integer(3),
        der.set_of(_algorithm(_SHA256)),
        der.sequence(der.oid(_TST_INFO), der.tlv(der.CONTEXT_0, der.octets(info))),
        *inside,
        der.set_of(_signer_info(certificate, attributes, signature)),
    )
    granted = der.sequence(der.integer(0))
    return der.sequence(granted, der.sequence(der.oid(_SIGNED_DATA), der.tlv(der.CONTEXT_0, signed_data)))


def _algorithm(name: str) -> bytes:
    return der.sequence(der.oid(name))


def _tst_info(query: Query, moment: datetime, serial: int) -> bytes:
    parameters = der.NULL if query.null_parameters else b""
    imprint = der.sequence(der.sequence(der.oid(query.algorithm), parameters), der.octets(query.digest))
    nonce = b"" if query.nonce is None else der.integer(query.nonce)
    return der.sequence(
        der.integer(1),
        der.oid(POLICY),
        imprint,
        der.integer(serial),
        der.generalized_time(moment),
        nonce,
    )


def _signed_attributes(info: bytes, certificate: x509.Certificate, moment: datetime) -> list[bytes]:
    """CMS signed attributes in DER order; the certificate's hash among them is RFC 5816's ESSCertIDv2."""
    certificate_hash = sha256(certificate.public_bytes(Encoding.DER)).digest()
    ess = der.sequence(der.sequence(der.sequence(der.octets(certificate_hash))))
    when = der.tlv(_UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())
    values = (
        (_CONTENT_TYPE, der.oid(_TST_INFO)),
        (_SIGNING_TIME, when),
        (_MESSAGE_DIGEST, der.octets(sha256(info).digest())),
        (_SIGNING_CERTIFICATE_V2, ess),
    )
    return sorted(der.sequence(der.oid(name), der.set_of(value)) for name, value in values)


def _signer_info(certificate: x509.Certificate, attributes: list[bytes], signature: bytes) -> bytes:
    issuer = certificate.issuer.public_bytes()
    return der.sequence(
        der.integer(1),
        der.sequence(issuer, der.integer(certificate.serial_number)),
        _algorithm(_SHA256),
        der.tlv(der.CONTEXT_0, *attributes),
        _algorithm(_ECDSA_SHA256),
        der.octets(signature),
    )
