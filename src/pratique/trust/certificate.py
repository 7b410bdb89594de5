"""Signing certificates: the chain to a trusted authority, Fulcio's profile, and the identity inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from pratique.errors import SignatureInvalidError
from pratique.trust.identity import Identity

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.trust.root import CertificateAuthority, TrustedRoot

OID_ISSUER_V1: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
OID_ISSUER_V2: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")


def verify_chain(leaf: x509.Certificate, root: TrustedRoot, at: datetime) -> x509.Certificate:
    """Verify a signing certificate's path to one of the root's authorities at a moment (RFC 5280 §6).

    Returns:
        The certificate that issued the leaf.

    Raises:
        SignatureInvalidError: expired, not yet valid, foreign, or of a weak or wrong kind.
    """
    if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
        raise SignatureInvalidError(
            f"the certificate was not valid when it signed: {at} is outside "
            f"{leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}"
        )
    reasons: list[str] = []
    for authority in root.certificate_authorities:
        if not authority.valid_for.contains(at):
            continue
        try:
            chain = _chain_in(leaf, authority, at)
        except VerificationError as error:
            reasons.append(f"{authority.subject[1]}: {error}")
        else:
            if len(chain) > 1:  # an authority's own certificate is no signer's
                return chain[1]
    raise SignatureInvalidError(
        "no certificate authority of the trusted root issued this certificate"
        f" ({'; '.join(reasons) or 'none was to be believed then'})"
    )


def _chain_in(
    leaf: x509.Certificate, authority: CertificateAuthority, at: datetime
) -> list[x509.Certificate]:
    *intermediates, anchor = authority.certificates
    # Client verification wants the client-auth usage by default; code signing is checked in `_check_usage`.
    ca_policy = ExtensionPolicy.webpki_defaults_ca().may_be_present(
        x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
    )
    leaf_policy = ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
    )
    verifier = (
        PolicyBuilder()
        .store(Store([anchor]))
        .time(at)
        .extension_policies(ca_policy=ca_policy, ee_policy=leaf_policy)
        .build_client_verifier()
    )
    try:
        return verifier.verify(leaf, intermediates).chain
    except (ValueError, x509.UnsupportedGeneralNameType) as error:
        raise VerificationError(str(error)) from error


def signing_key(leaf: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """Give the key of a certificate that may sign evidence: P-256, digital signature, code signing.

    Raises:
        SignatureInvalidError: another kind of key or usage.
    """
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise SignatureInvalidError("the certificate's key is not ECDSA P-256")
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        extended = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise SignatureInvalidError("the certificate does not say what its key is for") from error
    if not usage.digital_signature or usage.key_cert_sign:
        raise SignatureInvalidError("the certificate's key is not for signatures alone")
    if list(extended) != [ExtendedKeyUsageOID.CODE_SIGNING]:
        raise SignatureInvalidError("the certificate's key is not for code signing alone")
    return key


def certificate_identity(leaf: x509.Certificate) -> Identity:
    """Read who a certificate stands for: its one subject alternative name, and Fulcio's issuer.

    The issuer is extension .1.8 (Fulcio, docs/oid-info.md); the older .1.1 must say the same when present.

    Raises:
        SignatureInvalidError: not exactly one name of a known kind, or no issuer, or two.
    """
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound as error:
        raise SignatureInvalidError("the certificate names no subject") from error
    if len(names) != 1:
        raise SignatureInvalidError(f"the certificate names {len(names)} subjects, not one")
    name = names[0]
    if not isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name) or not name.value:
        raise SignatureInvalidError("the certificate's subject is neither a URI nor an e-mail address")
    issuer = _der_utf8(_extension(leaf, OID_ISSUER_V2))
    older = _extension(leaf, OID_ISSUER_V1)
    if not issuer or (older and older != issuer.encode()):
        raise SignatureInvalidError("the certificate has no issuer extension, or two that differ")
    return Identity("certificate", name.value, issuer)


def _extension(leaf: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = leaf.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return b""
    return value.value if isinstance(value, x509.UnrecognizedExtension) else b""


def _der_utf8(der: bytes) -> str:
    """Read a DER UTF8String that fills its bytes; anything else is as good as none."""
    try:
        return asn1.decode_der(str, der)
    except ValueError:
        return ""
