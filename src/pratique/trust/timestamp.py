"""RFC 3161 timestamps: whether a trusted authority saw a signature, and when."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import rfc3161_client
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pratique.errors import MalformedError, SignatureInvalidError

if TYPE_CHECKING:
    from pratique.trust.root import CertificateAuthority, TrustedRoot

MIN_CHAIN: Final = 2
MIN_RSA_BITS: Final = 2048
MAX_TOKEN_BYTES: Final = 64 * 1024
_VERSIONS: Final = [3, 1]  # RFC 5652 §5.1, §5.3: content that is not plain data, signer by issuer and serial


def verify_timestamp(token: bytes, data: bytes, root: TrustedRoot) -> tuple[datetime, CertificateAuthority]:
    """Verify a DER TimeStampResp over `data` (RFC 3161 §2.4.2): give its time, in UTC, and whose it is.

    The signing certificate must be the one that the trusted root names for a timestamp authority which was
    to be believed at that time; a certificate that merely chains to the same root does not do.

    Raises:
        MalformedError: not a timestamp response.
        SignatureInvalidError: no timestamp authority of the root signed it, or it is over other bytes.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise MalformedError(f"the timestamp has {len(token)} bytes, more than {MAX_TOKEN_BYTES}")
    response, moment = _decode(token)
    reasons: list[str] = []
    for authority in root.timestamp_authorities:
        if not authority.valid_for.contains(moment):
            reasons.append(f"{authority.subject[1]}: {moment} is outside its validity")
            continue
        try:
            _verifier(authority).verify_message(response, data)
        except Exception as error:  # noqa: BLE001 - hostile bytes in a foreign parser: whatever it raises, refuse
            reasons.append(f"{authority.subject[1]}: {error}")
        else:
            return moment, authority
    raise SignatureInvalidError(
        "no timestamp authority of the trusted root signed it"
        f" ({'; '.join(reasons) or 'the root names none'})"
    )


def _decode(token: bytes) -> tuple[rfc3161_client.TimeStampResponse, datetime]:
    """Parse a response; CMS leaves the two versions unsigned, so that they have to be what they must be."""
    try:
        response = rfc3161_client.decode_timestamp_response(token)
        signers = list(response.signed_data.signer_infos)
        versions = [response.signed_data.version, *(signer.version for signer in signers)]
        moment = response.tst_info.gen_time.astimezone(UTC)
    except ValueError as error:
        raise MalformedError(f"the timestamp does not parse: {error}") from error
    if versions != _VERSIONS:
        raise MalformedError("the timestamp is not CMS SignedData version 3 with one signer of version 1")
    return response, moment


def _verifier(authority: CertificateAuthority) -> rfc3161_client.Verifier:
    chain = authority.certificates
    if len(chain) < MIN_CHAIN:
        raise SignatureInvalidError(f"{authority.subject[1]}: a timestamp chain without a root")
    key = chain[0].public_key()
    strong = isinstance(key, ec.EllipticCurvePublicKey) or (
        isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS
    )
    if not strong:
        raise SignatureInvalidError(f"{authority.subject[1]}: a weak timestamp key")
    builder = rfc3161_client.VerifierBuilder().tsa_certificate(chain[0]).add_root_certificate(chain[-1])
    for certificate in chain[1:-1]:
        builder = builder.add_intermediate_certificate(certificate)
    return builder.build()
