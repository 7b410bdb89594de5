"""RFC 3161 timestamps: whether a trusted authority saw a signature, and when."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust import tstoken
from pratique.trust.derread import OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, Reader
from pratique.trust.publickey import PublicKey, as_public_key, verify_hashed
from pratique.trust.tstoken import Token, parse_token

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.trust.root import CertificateAuthority, TrustedRoot

MAX_TOKEN_BYTES: Final = 64 * 1024


def verify_timestamp(token: bytes, data: bytes, root: TrustedRoot) -> tuple[datetime, CertificateAuthority]:
    """Verify a timestamp over `data` (RFC 3161 §2.4.2): give its time, in UTC, and whose it is.

    The signing certificate must be the one that the trusted root names for a timestamp authority which was
    to be believed at that time; a certificate that merely chains to the same root does not do.

    Raises:
        MalformedError: not a timestamp response.
        SignatureInvalidError: no timestamp authority of the root signed it, or it is over other bytes.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise MalformedError(f"the timestamp has {len(token)} bytes, more than {MAX_TOKEN_BYTES}")
    try:
        parsed = parse_token(token)
    except MalformedError as error:
        raise MalformedError(f"the timestamp does not parse: {error.message}") from error
    algorithm, imprint = parsed.imprint
    if not hmac.compare_digest(hashlib.new(algorithm, data).digest(), imprint):
        raise SignatureInvalidError("the timestamp is over other bytes")
    reasons: list[str] = []
    for authority in root.timestamp_authorities:
        if not authority.valid_for.contains(parsed.moment):
            reasons.append(f"{authority.subject[1]}: {parsed.moment} is outside its validity")
            continue
        try:
            _verify_by(parsed, authority)
        except (SignatureInvalidError, MalformedError) as error:
            reasons.append(f"{authority.subject[1]}: {error.message}")
        else:
            return parsed.moment, authority
    raise SignatureInvalidError(
        "no timestamp authority of the trusted root signed it"
        f" ({'; '.join(reasons) or 'the root names none'})"
    )


def _verify_by(token: Token, authority: CertificateAuthority) -> None:
    """Hold a token to the certificate that the root names (RFC 3161 §2.4.1, RFC 5652 §5.4, RFC 5816)."""
    key = authority.timestamp_key
    if not authority.chain_validity.contains(token.moment):
        raise SignatureInvalidError("its certificates were not valid then")
    if (token.issuer, token.serial) != authority.timestamp_signer:
        raise SignatureInvalidError("the certificate that signed it does not match the one in the root")
    if not set(token.certificates) <= set(authority.chain):
        raise SignatureInvalidError("a certificate shown with it is not the authority's")
    _check_attributes(token, authority.chain[0])
    verify_hashed(key, token.signature, token.attributes, _hash_of(token, key), what="its signature")


def _check_attributes(token: Token, certificate: bytes) -> None:
    values = token.values
    if values.get(tstoken.CONTENT_TYPE) != _oid(tstoken.TST_INFO):
        raise SignatureInvalidError("it signs something else than a TSTInfo")
    digest = hashlib.new(token.digest, token.info).digest()
    if not hmac.compare_digest(_octets(values.get(tstoken.MESSAGE_DIGEST, b"")), digest):
        raise SignatureInvalidError("it signs another TSTInfo")
    if (second := values.get(tstoken.SIGNING_CERTIFICATE_V2)) is not None:
        named, algorithm = _ess_hash(second)
    elif (first := values.get(tstoken.SIGNING_CERTIFICATE)) is not None:
        named, algorithm = _ess_hash(first)[0], "sha1"
    else:
        raise SignatureInvalidError("it does not name its signer's certificate")
    if not hmac.compare_digest(named, hashlib.new(algorithm, certificate, usedforsecurity=False).digest()):
        raise SignatureInvalidError("it names another certificate as its signer's")


def _ess_hash(value: bytes) -> tuple[bytes, str]:
    """Give the first ESSCertID's hash of a certificate, and its digest's name (RFC 5035 §4)."""
    first = Reader(value).enter(SEQUENCE).enter(SEQUENCE).enter(SEQUENCE)
    algorithm = "sha256"
    if first.tag == SEQUENCE:
        name = first.enter(SEQUENCE).content(OBJECT_IDENTIFIER)
        if name not in tstoken.DIGESTS:
            raise SignatureInvalidError("it names its certificate by a digest that is not believed")
        algorithm = tstoken.DIGESTS[name]
    return first.content(OCTET_STRING), algorithm


def _octets(value: bytes) -> bytes:
    return Reader(value).content(OCTET_STRING) if value else b""


def _oid(name: bytes) -> bytes:
    return bytes([OBJECT_IDENTIFIER, len(name)]) + name


def _hash_of(token: Token, key: PublicKey) -> str:
    """Give the digest that the signature is over; the algorithm's name is not signed, so it has to fit."""
    if isinstance(key.key, ec.EllipticCurvePublicKey):
        found = tstoken.ECDSA.get(token.algorithm)
    elif token.algorithm == tstoken.RSA_ENCRYPTION:
        found = token.digest
    else:
        found = tstoken.RSA.get(token.algorithm)
    if found != token.digest:
        raise SignatureInvalidError("its signature algorithm fits neither its key nor its digest")
    return found


def check_timestamp_certificate(
    certificate: x509.Certificate, above: tuple[x509.Certificate, ...]
) -> PublicKey:
    """Check, once for an authority, that its certificate is for timestamps alone (RFC 3161 §2.3).

    Args:
        certificate: what signs timestamps.
        above: what issued it, root last; that they hang together is known.

    Raises:
        SignatureInvalidError: a weak key, another purpose, no root, or an issuer that may not issue.
    """
    if not above:
        raise SignatureInvalidError("a timestamp chain without a root")
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise SignatureInvalidError("a weak timestamp key, or an odd one")
    try:
        public = as_public_key(key, what="a weak timestamp key: it")
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        authorities = [
            one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca for one in above
        ]
    except x509.ExtensionNotFound as error:
        raise SignatureInvalidError("its certificates do not say what they are for") from error
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise SignatureInvalidError("its certificate is not for timestamps alone")
    if not all(authorities):
        raise SignatureInvalidError("an issuer of its certificate may not issue")
    return public
