"""Certificates of the embedded authority: its own two, and signers' short-lived ones (Fulcio's profile)."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pratique.trust import sct
from pratique.trust.authority import der
from pratique.trust.certificate import OID_ISSUER_V1, OID_ISSUER_V2, issuer_key_hash
from pratique.trust.keys import spki

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.trust.identity import Identity

LIFETIME: Final = timedelta(minutes=10)
AUTHORITY_LIFETIME: Final = timedelta(days=3650)
_FULCIO: Final = "1.3.6.1.4.1.57264.1"
_LAST_RAW: Final = 6
_OID_SCT_LIST: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")


def authority_name(trust_domain: str, common_name: str) -> x509.Name:
    """Name an authority of a trust domain."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def make_ca(trust_domain: str, key: ec.EllipticCurvePrivateKey, moment: datetime) -> x509.Certificate:
    """Make the self-signed certificate of the authority; nothing but leaves may hang below it."""
    name = authority_name(trust_domain, "pratique certificate authority")
    builder = _builder(name, name, key.public_key(), moment, moment + AUTHORITY_LIFETIME)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def make_tsa(
    trust_domain: str,
    public_key: ec.EllipticCurvePublicKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
) -> x509.Certificate:
    """Make the timestamp authority's certificate: for timestamps alone, and critically so (RFC 3161 §2.3)."""
    name = authority_name(trust_domain, "pratique timestamp authority")
    builder = _builder(name, ca.subject, public_key, moment, ca.not_valid_after_utc)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    return (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key(ca), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def issue_certificate(
    identity: Identity,
    public_key: ec.EllipticCurvePublicKey,
    *,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    ctlog_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
    email: bool = False,
    extensions: Mapping[int, str] | None = None,
) -> bytes:
    """Issue a ten-minute code-signing certificate with an embedded SCT, and give its DER.

    The profile is Fulcio's (certificate-specification.md): empty subject, one critical subject alternative
    name, the issuer in extensions .1.1 (raw) and .1.8 (UTF8String).

    Args:
        identity: subject and issuer.
        public_key: the signer's.
        ca: the authority's certificate.
        ca_key: its key.
        ctlog_key: signs the SCT.
        moment: when the certificate begins.
        email: whether the subject is an e-mail address; otherwise it is a URI.
        extensions: further ones of Fulcio's, by the last number of their OID (docs/oid-info.md): up to 6 the
            value is bare text, after that a DER UTF8String.
    """
    subject = x509.RFC822Name if email else x509.UniformResourceIdentifier
    draft = (
        _builder(x509.Name([]), ca.subject, public_key, moment, moment + LIFETIME)
        .add_extension(_usage(certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key(ca), critical=False)
        .add_extension(x509.SubjectAlternativeName([subject(identity.subject)]), critical=True)
        .add_extension(x509.UnrecognizedExtension(OID_ISSUER_V1, identity.issuer.encode()), critical=False)
        .add_extension(
            x509.UnrecognizedExtension(OID_ISSUER_V2, der.tlv(der.UTF8_STRING, identity.issuer.encode())),
            critical=False,
        )
    )
    for number, text in sorted((extensions or {}).items()):
        value = text.encode() if number <= _LAST_RAW else der.text(text)
        extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_FULCIO}.{number}"), value)
        draft = draft.add_extension(extension, critical=False)
    precertificate = draft.sign(ca_key, hashes.SHA256())
    scts = _sct_extension(precertificate, ca, ctlog_key, moment)
    return draft.add_extension(scts, critical=False).sign(ca_key, hashes.SHA256()).public_bytes(Encoding.DER)


def _sct_extension(
    precertificate: x509.Certificate,
    ca: x509.Certificate,
    ctlog_key: ec.EllipticCurvePrivateKey,
    moment: datetime,
) -> x509.UnrecognizedExtension:
    milliseconds = int(moment.timestamp()) * 1000
    tbs = precertificate.tbs_certificate_bytes
    data = sct.signed_data(milliseconds, issuer_key_hash(ca), tbs)
    signature = ctlog_key.sign(data, ec.ECDSA(hashes.SHA256()))
    log_id = sha256(spki(ctlog_key.public_key())).digest()
    return x509.UnrecognizedExtension(
        _OID_SCT_LIST, der.octets(sct.sct_list(log_id, milliseconds, signature))
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


def _authority_key(ca: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    key_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)


def _usage(*, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )
