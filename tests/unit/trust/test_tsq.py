"""Timestamp queries, written byte by byte (RFC 3161 §2.4.1)."""

from __future__ import annotations

import pytest

from pratique.trust.authority.tsq import POLICY, Failure, Query, QueryRefusedError, parse_query, rejection

SHA256 = bytes.fromhex("300d06096086480165030402010500")
SHA1 = bytes.fromhex("300906052b0e03021a0500")
DIGEST = b"\x04\x20" + bytes(range(32))
VERSION = b"\x02\x01\x01"


def sequence(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])) + body


def test_everything_that_may_be_asked() -> None:
    assert POLICY == "1.3.6.1.4.1.57264.2"
    policy = bytes.fromhex("06092b0601040183bf3002")
    query = parse_query(
        sequence(VERSION, sequence(SHA256, DIGEST), policy, b"\x02\x02\x00\xff", b"\x01\x01\xff")
    )
    expected = Query(
        "2.16.840.1.101.3.4.2.1", bytes(range(32)), nonce=255, certificate=True, null_parameters=True
    )
    assert query == expected


def test_the_least_that_may_be_asked() -> None:
    without_null = bytes.fromhex("300b0609608648016503040201")
    query = parse_query(sequence(VERSION, sequence(without_null, DIGEST)))
    assert (query.nonce, query.certificate, query.null_parameters) == (None, False, False)


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (b"", Failure.BAD_DATA_FORMAT),
        (sequence(VERSION), Failure.BAD_DATA_FORMAT),
        (sequence(VERSION, sequence(SHA256, DIGEST)) + b"\0", Failure.BAD_DATA_FORMAT),
        (sequence(VERSION, sequence(SHA256, b"\x04\x01\x00")), Failure.BAD_DATA_FORMAT),
        (sequence(VERSION, sequence(SHA1, b"\x04\x14" + bytes(20))), Failure.BAD_ALG),
        (sequence(b"\x02\x01\x02", sequence(SHA256, DIGEST)), Failure.BAD_REQUEST),
        (sequence(VERSION, sequence(SHA256, DIGEST), b"\x06\x02\x2a\x03"), Failure.UNACCEPTED_POLICY),
        (sequence(VERSION, sequence(SHA256, DIGEST), b"\x02\x01\xff"), Failure.BAD_DATA_FORMAT),
        (sequence(VERSION, sequence(SHA256, DIGEST), b"\x02\x22\x01" + bytes(33)), Failure.BAD_DATA_FORMAT),
        (sequence(VERSION, sequence(SHA256, DIGEST), b"\xa0\x02\x30\x00"), Failure.BAD_DATA_FORMAT),
        (b"\x30" * 5000, Failure.BAD_DATA_FORMAT),
    ],
)
def test_what_is_refused(data: bytes, failure: Failure) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        parse_query(data)
    assert caught.value.failure == failure


def test_a_rejection_byte_by_byte() -> None:
    """PKIStatusInfo: rejection (2), one text, failure bit 15 (RFC 3161 §2.4.2; X.690 §8.6)."""
    refused = QueryRefusedError("no", Failure.UNACCEPTED_POLICY)
    assert rejection(refused).hex() == "3010300e02010230040c026e6f0303000001"
    refused = QueryRefusedError("no", Failure.BAD_ALG)
    assert rejection(refused).hex() == "300f300d02010230040c026e6f03020780"
