"""Signing certificates: the chain to a trusted authority, Fulcio's profile, and the identity inside."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.derread import UTF8_STRING, Reader
from pratique.trust.identity import Identity
from pratique.trust.publickey import PublicKey, as_public_key
from pratique.trust.spki import encode_spki

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.trust.root import CertificateAuthority, TrustedRoot

OID_ISSUER_V1: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
OID_ISSUER_V2: Final = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
# Client verification wants the client-auth usage by default; code signing is checked in `signing_key`.
_CA_POLICY: Final = ExtensionPolicy.webpki_defaults_ca().may_be_present(
    x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
)
_LEAF_POLICY: Final = ExtensionPolicy.webpki_defaults_ee().may_be_present(
    x509.ExtendedKeyUsage, Criticality.NON_CRITICAL, None
)


def load_certificate(der: bytes, *, what: str = "the certificate") -> x509.Certificate:
    """Parse a certificate, and all of it that is looked at later, so that what fails to parse fails here.

    Raises:
        MalformedError: not a certificate, or one with parts that do not parse.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
    except Exception as error:  # the parser raises a dozen unrelated classes at hostile bytes
        raise MalformedError(f"{what} does not parse: {error}") from error
    return certificate


def verify_chain(leaf: x509.Certificate, root: TrustedRoot, *moments: datetime) -> CertificateAuthority:
    """Verify a signing certificate's path to one of the root's authorities, at moments (RFC 5280 §6).

    Returns:
        The authority; the first certificate of its chain issued the leaf.

    Raises:
        SignatureInvalidError: expired, not yet valid, foreign, or of a weak or wrong kind.
    """
    for at in moments:
        if not leaf.not_valid_before_utc <= at <= leaf.not_valid_after_utc:
            raise SignatureInvalidError(
                f"the certificate was not valid when it signed: {at} is outside "
                f"{leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}"
            )
    reasons: list[str] = []
    for authority in root.certificate_authorities:
        if not all(authority.valid_for.contains(at) for at in moments):
            continue
        try:
            for at in moments:
                _verify_path(leaf, authority, at)
        except (VerificationError, SignatureInvalidError) as error:
            reasons.append(f"{authority.subject[1]}: {error}")
        else:
            return authority
    raise SignatureInvalidError(
        "no certificate authority of the trusted root issued this certificate"
        f" ({'; '.join(reasons) or 'none was to be believed then'})"
    )


def _verify_path(leaf: x509.Certificate, authority: CertificateAuthority, at: datetime) -> None:
    """Verify leaf against issuer; that the authority's own certificates hang together is known already."""
    issuer = authority.issuing_certificate
    if not authority.chain_validity.contains(at):
        raise SignatureInvalidError(f"a certificate of the authority was not valid at {at}")
    try:
        chain = authority.path_policy.time(at).build_client_verifier().verify(leaf, []).chain
    except (ValueError, x509.UnsupportedGeneralNameType) as error:
        raise VerificationError(str(error)) from error
    if len(chain) <= 1 or chain[1] != issuer:  # an authority's own certificate is no signer's
        raise SignatureInvalidError("the certificate is the authority's own")


def path_policy(issuer: x509.Certificate) -> PolicyBuilder:
    """Give the policy that a signing certificate's path to its issuer has to hold to, without a time."""
    policy = PolicyBuilder().store(Store([issuer]))
    return policy.extension_policies(ca_policy=_CA_POLICY, ee_policy=_LEAF_POLICY)


def issuer_key_hash(issuer: x509.Certificate) -> bytes:
    """Give the SHA-256 of the issuer's SubjectPublicKeyInfo, which binds an SCT to the issuer."""
    return sha256(encode_spki(issuer.public_key())).digest()


def signing_key(leaf: x509.Certificate) -> PublicKey:
    """Give the key of a certificate that may sign evidence: digital signature, code signing alone.

    Raises:
        SignatureInvalidError: another kind of key or usage.
    """
    key = as_public_key(leaf.public_key(), what="the certificate's key")
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
    """Read who a certificate of ours stands for: its one subject alternative name, and Fulcio's issuer.

    The issuer is extension .1.8 (Fulcio, docs/oid-info.md); the older .1.1 must say the same when present.

    Raises:
        SignatureInvalidError: not exactly one name of a known kind, or no issuer, or two.
    """
    subject = _subject(leaf)
    issuer = _der_utf8(_extension(leaf, OID_ISSUER_V2))
    older = _extension(leaf, OID_ISSUER_V1)
    if not issuer or (older and older != issuer.encode()):
        raise SignatureInvalidError("the certificate has no issuer extension, or two that differ")
    return Identity("certificate", subject, issuer)


def foreign_identity(leaf: x509.Certificate, authority: CertificateAuthority) -> Identity:
    """Read who anyone's certificate stands for.

    Fulcio wrote the issuer in .1.1 alone before 2023. A certificate without either extension is not of
    Fulcio's kind: who vouches for it is then the authority itself, by its address in the trusted root.

    Raises:
        SignatureInvalidError: not exactly one name of a known kind, two issuers, or nobody who vouches.
    """
    newer, older = _extension(leaf, OID_ISSUER_V2), _extension(leaf, OID_ISSUER_V1)
    if newer:
        return certificate_identity(leaf)
    issuer = older.decode("utf-8", "replace") if older else authority.uri
    if not issuer:
        raise SignatureInvalidError(
            "the certificate has no issuer extension, and its authority has no address in the trusted root"
        )
    return Identity("certificate", _subject(leaf), issuer)


def _subject(leaf: x509.Certificate) -> str:
    try:
        names = list(leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound as error:
        raise SignatureInvalidError("the certificate names no subject") from error
    if len(names) != 1:
        raise SignatureInvalidError(f"the certificate names {len(names)} subjects, not one")
    name = names[0]
    if not isinstance(name, x509.UniformResourceIdentifier | x509.RFC822Name) or not name.value:
        raise SignatureInvalidError("the certificate's subject is neither a URI nor an e-mail address")
    return name.value


def _extension(leaf: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = leaf.extensions.get_extension_for_oid(oid).value
    except x509.ExtensionNotFound:
        return b""
    return value.value if isinstance(value, x509.UnrecognizedExtension) else b""


def _der_utf8(der: bytes) -> str:
    """Read a DER UTF8String that fills its bytes; anything else is as good as none."""
    reader = Reader(der)
    try:
        text = reader.content(UTF8_STRING).decode("utf-8")
        reader.finish()
    except (MalformedError, UnicodeDecodeError):
        return ""
    return text
