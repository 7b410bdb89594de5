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

POLICY: Final = "2.25.279914215306189523120213361946204270731"
"""Names our timestamp policy; made from a random UUID, as X.667 §6.2 allows anyone."""

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
    algorithm = request.imprint.algorithm.algorithm.dotted_string
    if algorithm not in DIGEST_BYTES:
        raise QueryRefusedError("a hash function other than SHA-256, SHA-384, SHA-512", Failure.BAD_ALG)
    if len(request.imprint.digest) != DIGEST_BYTES[algorithm]:
        raise QueryRefusedError("a digest of another length than its function's", Failure.BAD_DATA_FORMAT)
    if request.policy is not None and request.policy.dotted_string != POLICY:
        raise QueryRefusedError(f"the only policy here is {POLICY}", Failure.UNACCEPTED_POLICY)
    nonce = request.nonce
    if nonce is not None and (nonce < 0 or nonce.bit_length() > MAX_NONCE_BITS):
        raise QueryRefusedError(
            f"a nonce that is negative or longer than {MAX_NONCE_BITS} bits", Failure.BAD_DATA_FORMAT
        )
    return Query(
        algorithm,
        request.imprint.digest,
        nonce,
        certificate=request.certificate,
        null_parameters=request.imprint.algorithm.parameters is not None,
    )


def rejection(error: QueryRefusedError) -> bytes:
    """Write the TimeStampResp that tells a client why (RFC 3161 §2.4.2, PKIStatusInfo)."""
    status = der.sequence(
        der.integer(_REJECTION), der.sequence(der.text(error.message)), der.named_bit(error.failure)
    )
    return der.sequence(status)
