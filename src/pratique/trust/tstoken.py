"""RFC 3161 timestamp tokens taken apart: CMS SignedData over a TSTInfo (RFC 5652 §5, RFC 3161 §2.4).

Nothing is verified here. Everything that CMS leaves unsigned has one form that is accepted, so that two
different tokens never stand for one: no unsigned attributes, no revocation lists, one signer.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from pratique.errors import MalformedError
from pratique.trust.derread import (
    CONTEXT_0,
    GENERALIZED_TIME,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    SET,
    Reader,
)

SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
TST_INFO: Final = bytes.fromhex("2a864886f70d0109100104")
CONTENT_TYPE: Final = bytes.fromhex("2a864886f70d010903")
MESSAGE_DIGEST: Final = bytes.fromhex("2a864886f70d010904")
SIGNING_CERTIFICATE: Final = bytes.fromhex("2a864886f70d010910020c")
SIGNING_CERTIFICATE_V2: Final = bytes.fromhex("2a864886f70d010910022f")
DIGESTS: Final = {
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
ECDSA: Final = {
    bytes.fromhex("2a8648ce3d040302"): "sha256",
    bytes.fromhex("2a8648ce3d040303"): "sha384",
    bytes.fromhex("2a8648ce3d040304"): "sha512",
}
RSA: Final = {
    bytes.fromhex("2a864886f70d01010b"): "sha256",
    bytes.fromhex("2a864886f70d01010c"): "sha384",
    bytes.fromhex("2a864886f70d01010d"): "sha512",
}
RSA_ENCRYPTION: Final = bytes.fromhex("2a864886f70d010101")
_NULL: Final = 0x05
_TIME = re.compile(rb"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]{1,9})?Z\Z")
_GRANTED: Final = b"\x00"
_ONE: Final = b"\x01"
_THREE: Final = b"\x03"


class Token(msgspec.Struct, frozen=True):
    """A token's parts.

    Attributes:
        moment: the time that is stated, in UTC.
        imprint: name of the digest and the digest of what is timestamped.
        info: the TSTInfo's bytes.
        certificates: DER certificates shown with it.
        issuer: DER name of the issuer of the signer's certificate.
        serial: big-endian serial number of it, as DER has it.
        digest: name of the digest over `info`.
        attributes: the signed attributes, encoded as they are signed.
        values: each attribute's one value, by its type.
        algorithm: type of the signature algorithm.
        signature: over `attributes`.
    """

    moment: datetime
    imprint: tuple[str, bytes]
    info: bytes
    certificates: tuple[bytes, ...]
    issuer: bytes
    serial: bytes
    digest: str
    attributes: bytes
    values: dict[bytes, bytes]
    algorithm: bytes
    signature: bytes


def parse_token(data: bytes) -> Token:
    """Take a TimeStampResp apart, or a bare token as Witness keeps it.

    Raises:
        MalformedError: not a granted response, or of a form that is not accepted.
    """
    outer = Reader(data)
    response = outer.enter(SEQUENCE)
    outer.finish()
    content = response
    if response.tag == SEQUENCE:
        if response.enter(SEQUENCE).content(INTEGER) != _GRANTED:
            raise MalformedError("the timestamp was not granted")
        content = response.enter(SEQUENCE)
        response.finish()
    if content.content(OBJECT_IDENTIFIER) != SIGNED_DATA:
        raise MalformedError("the timestamp is not CMS SignedData")
    wrapped = content.enter(CONTEXT_0)
    content.finish()
    signed = wrapped.enter(SEQUENCE)
    wrapped.finish()
    if signed.content(INTEGER) != _THREE:
        raise _versions()
    digests = signed.enter(SET)
    named = _algorithm(digests)
    digests.finish()
    info = _encapsulated(signed.enter(SEQUENCE))
    certificates = _certificates(signed)
    signers = signed.enter(SET)
    signed.finish()
    signer = signers.enter(SEQUENCE)
    if signers.tag != -1 or signer.content(INTEGER) != _ONE:
        raise _versions()
    identifier = signer.enter(SEQUENCE)
    issuer, serial = identifier.whole(SEQUENCE), identifier.content(INTEGER)
    identifier.finish()
    digest = _algorithm(signer)
    if digest != named or digest not in DIGESTS:
        raise MalformedError("the timestamp names another digest than its signer, or one not believed")
    attributes = signer.whole(CONTEXT_0)
    algorithm = _algorithm(signer)
    signature = signer.content(OCTET_STRING)
    signer.finish()
    moment, imprint = _info(info)
    return Token(
        moment=moment,
        imprint=imprint,
        info=info,
        certificates=certificates,
        issuer=issuer,
        serial=serial,
        digest=DIGESTS[digest],
        attributes=bytes([SET]) + attributes[1:],
        values=_values(attributes),
        algorithm=algorithm,
        signature=signature,
    )


def _versions() -> MalformedError:
    return MalformedError("the timestamp is not CMS SignedData version 3 with one signer of version 1")


def _algorithm(reader: Reader) -> bytes:
    """Give an algorithm's type; its parameters are absent or NULL."""
    inside = reader.enter(SEQUENCE)
    name = inside.content(OBJECT_IDENTIFIER)
    if inside.tag == _NULL and inside.content(_NULL):
        raise MalformedError("DER: a NULL with something in it")
    inside.finish()
    return name


def _encapsulated(content: Reader) -> bytes:
    if content.content(OBJECT_IDENTIFIER) != TST_INFO:
        raise MalformedError("the timestamp's content is not a TSTInfo")
    wrapped = content.enter(CONTEXT_0)
    content.finish()
    info = wrapped.content(OCTET_STRING)
    wrapped.finish()
    return info


def _certificates(signed: Reader) -> tuple[bytes, ...]:
    if signed.tag != CONTEXT_0:
        return ()
    shown, found = signed.enter(CONTEXT_0), []
    while shown.tag != -1:
        found.append(shown.whole(SEQUENCE))
    return tuple(found)


def _info(data: bytes) -> tuple[datetime, tuple[str, bytes]]:
    outer = Reader(data)
    info = outer.enter(SEQUENCE)
    outer.finish()
    if info.content(INTEGER) != _ONE:
        raise MalformedError("the timestamp's TSTInfo is not of version 1")
    info.content(OBJECT_IDENTIFIER)  # the authority's policy, which nobody here chose
    imprint = info.enter(SEQUENCE)
    name, digest = _algorithm(imprint), imprint.content(OCTET_STRING)
    imprint.finish()
    if name not in DIGESTS:
        raise MalformedError("the timestamp is over a digest that is not believed")
    info.content(INTEGER)  # serial number; what follows the time is optional and signed
    return _time(info.content(GENERALIZED_TIME)), (DIGESTS[name], digest)


def _time(text: bytes) -> datetime:
    found = _TIME.match(text)
    if not found:
        raise MalformedError("the timestamp's time is not in its DER form")
    try:
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        microsecond = int((found[7] or b".")[1:7].ljust(6, b"0"))
        return datetime(year, month, day, hour, minute, second, microsecond, UTC)
    except ValueError as error:
        raise MalformedError("the timestamp's time is none") from error


def _values(attributes: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    inside = Reader(attributes).enter(CONTEXT_0)
    while inside.tag != -1:
        attribute = inside.enter(SEQUENCE)
        name, values = attribute.content(OBJECT_IDENTIFIER), attribute.content(SET)
        attribute.finish()
        if name in found:
            raise MalformedError("the timestamp has a signed attribute twice")
        found[name] = values
    return found
