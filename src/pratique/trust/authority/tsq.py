"""Timestamp queries: what a client may ask a timestamp authority, and how it is told no (RFC 3161 §2.4)."""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from cryptography import x509  # noqa: TC002 - asn1 reads the annotations
from cryptography.hazmat import asn1

from pratique.errors import MalformedError
from pratique.trust.authority import der

POLICY: Final = "1.3.6.1.4.1.57264.2"
"""The policy that Sigstore's timestamp authorities name. One of our own below 2.25 (X.667 §6.2) needs an arc
of 128 bits, and Go's encoding/asn1, so cosign too, reads none above 31."""

SHA256: Final = "2.16.840.1.101.3.4.2.1"
DIGEST_BYTES: Final = {SHA256: 32, "2.16.840.1.101.3.4.2.2": 48, "2.16.840.1.101.3.4.2.3": 64}
"""Accepted hash functions (SHA-256, SHA-384, SHA-512) with their length."""

MAX_QUERY_BYTES: Final = 4096
MAX_NONCE_BITS: Final = 256
_REJECTION: Final = 2


class Failure(IntEnum):
    """PKIFailureInfo: why a query was rejected (RFC 3161 §2.4.2)."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    UNACCEPTED_POLICY = 15


class QueryRefusedError(MalformedError):
    """A query that is not granted, and the failure that its client is told."""

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message)
        self.failure = failure


class Query(msgspec.Struct, frozen=True):
    """What is asked of a timestamp authority.

    Attributes:
        algorithm: dotted OID of the hash function.
        digest: of what is to be timestamped.
        nonce: to be repeated in the answer.
        certificate: whether the answer is to carry the authority's certificate.
        null_parameters: whether the algorithm came with NULL parameters, for the answer to repeat them.
    """

    algorithm: str
    digest: bytes
    nonce: int | None
    certificate: bool
    null_parameters: bool


@asn1.sequence
class _AlgorithmIdentifier:
    algorithm: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _MessageImprint:
    algorithm: _AlgorithmIdentifier
    digest: bytes


@asn1.sequence
class _TimeStampReq:
    version: int
    imprint: _MessageImprint
    policy: x509.ObjectIdentifier | None
    nonce: int | None
    certificate: Annotated[bool, asn1.Default(value=False)]


def query_of(data: bytes) -> Query:
    """Ask for bytes to be timestamped, with the authority's certificate in the answer."""
    return Query(SHA256, sha256(data).digest(), None, certificate=True, null_parameters=True)


def parse_query(data: bytes) -> Query:
    """Parse a DER TimeStampReq. Extensions are not supported, and refused as bad data.

    Raises:
        QueryRefusedError: not a query that this authority grants; `failure` says why.
    """
    if len(data) > MAX_QUERY_BYTES:
        raise QueryRefusedError(f"a query of more than {MAX_QUERY_BYTES} bytes", Failure.BAD_DATA_FORMAT)
    try:
        request = asn1.decode_der(_TimeStampReq, data)
    except ValueError as error:
        raise QueryRefusedError("not a DER TimeStampReq", Failure.BAD_DATA_FORMAT) from error
    if request.version != 1:
        raise QueryRefusedError("a version other than 1", Failure.BAD_REQUEST)
    algorithm = request.imprint.algorithm
    return check_query(
        algorithm.algorithm.dotted_string,
        request.imprint.digest,
        nonce=request.nonce,
        policy=request.policy.dotted_string if request.policy else None,
        certificate=request.certificate,
        null_parameters=algorithm.parameters is not None,
    )


def check_query(
    algorithm: str,
    digest: bytes,
    *,
    nonce: int | None,
    policy: str | None,
    certificate: bool,
    null_parameters: bool,
) -> Query:
    """See that a query can be granted; the parameters are `Query`'s, and the policy asked for, if one is.

    Raises:
        QueryRefusedError: see `parse_query`.
    """
    if algorithm not in DIGEST_BYTES:
        raise QueryRefusedError("a hash function other than SHA-256, SHA-384, SHA-512", Failure.BAD_ALG)
    if len(digest) != DIGEST_BYTES[algorithm]:
        raise QueryRefusedError("a digest of another length than its function's", Failure.BAD_DATA_FORMAT)
    if policy not in (None, POLICY):
        raise QueryRefusedError(f"the only policy here is {POLICY}", Failure.UNACCEPTED_POLICY)
    if nonce is not None and (nonce < 0 or nonce.bit_length() > MAX_NONCE_BITS):
        raise QueryRefusedError(
            f"a nonce that is negative or longer than {MAX_NONCE_BITS} bits", Failure.BAD_DATA_FORMAT
        )
    return Query(algorithm, digest, nonce, certificate=certificate, null_parameters=null_parameters)


def rejection(error: QueryRefusedError) -> bytes:
    """Write the TimeStampResp that tells a client why (RFC 3161 §2.4.2, PKIStatusInfo)."""
    status = der.sequence(
        der.integer(_REJECTION), der.sequence(der.text(error.message)), der.named_bit(error.failure)
    )
    return der.sequence(status)
