"""The few DER forms that a timestamp needs (ITU-T X.690 §8, §10, §11): writing only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = b"\x05\x00"
OBJECT_IDENTIFIER: Final = 0x06
UTF8_STRING: Final = 0x0C
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31
CONTEXT_0: Final = 0xA0
_LONG_FORM = 0x80


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write tag, definite length in its shortest form, and contents."""
    body = b"".join(parts)
    if len(body) < _LONG_FORM:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG_FORM | len(length)]) + length + body


def sequence(*parts: bytes) -> bytes:
    """Write a SEQUENCE."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """Write a SET OF: its members in ascending order of their encodings (X.690 §11.6)."""
    return tlv(SET, *sorted(parts))


def integer(value: int) -> bytes:
    """Write a non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data: bytes) -> bytes:
    """Write an OCTET STRING."""
    return tlv(OCTET_STRING, data)


def text(value: str) -> bytes:
    """Write a UTF8String."""
    return tlv(UTF8_STRING, value.encode())


def named_bit(number: int) -> bytes:
    """Write a BIT STRING of a named list with one bit set, without trailing zero bits (X.690 §11.2.2)."""
    last = number % 8
    return tlv(BIT_STRING, bytes([7 - last]), bytes(number // 8), bytes([0x80 >> last]))


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER."""
    first, second, *rest = (int(part) for part in dotted.split("."))
    return tlv(OBJECT_IDENTIFIER, *(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))


def generalized_time(moment: datetime) -> bytes:
    """Write a GeneralizedTime in UTC, whole seconds."""
    return tlv(GENERALIZED_TIME, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode())
