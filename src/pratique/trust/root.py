"""The trusted root: which authorities and logs to believe, and from when to when.

Format: Sigstore `trusted_root.json` 0.1 (protobuf-specs sigstore_trustroot.proto, as protojson).
"""

from __future__ import annotations

import itertools
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.model.clock import format_time, parse_time
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.trust.certificate import issuer_key_hash, load_certificate, path_policy
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.note import log_key_id
from pratique.trust.publickey import ED25519, P256, PublicKey, as_public_key
from pratique.trust.spki import decode_spki, encode_spki

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder

MEDIA_TYPE: Final = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
MAX_ROOT_BYTES: Final = 4 * 1024 * 1024
KEY_P256: Final = P256
KEY_ED25519: Final = ED25519


class Validity(msgspec.Struct, frozen=True):
    """When an instance of the trusted root is to be believed; `end` is inclusive, None for "still"."""

    start: datetime
    end: datetime | None = None

    def contains(self, moment: datetime) -> bool:
        """Say whether the moment is inside."""
        return self.start <= moment and (self.end is None or moment <= self.end)


class LogInstance(msgspec.Struct, frozen=True, dict=True):
    """A transparency log or certificate-transparency log.

    Attributes:
        base_url: where it is (or was) served.
        key: DER SubjectPublicKeyInfo.
        key_details: the key's kind, as Sigstore names it.
        log_id: SHA-256 that names the log: of its SubjectPublicKeyInfo for a certificate-transparency log,
            its C2SP key id for a tile log.
        valid_for: when it is to be believed.
    """

    base_url: str
    key: bytes
    key_details: str
    log_id: bytes
    valid_for: Validity

    @property
    def origin(self) -> str:
        """The name under which the log signs checkpoints: the bare host of its URL."""
        return urlsplit(self.base_url).hostname or ""

    @cached_property
    def public_key(self) -> PublicKey:
        """The log's key, parsed once, and held to the kind and the id that the trusted root gives.

        A tile log with an Ed25519 key has its C2SP key id; any other log has the SHA-256 of its key.

        Raises:
            MalformedError: the key does not parse.
            SignatureInvalidError: a key of another kind, or another log's id.
        """
        where = f"trusted root: the key of log {self.origin}"
        try:
            loaded = decode_spki(self.key)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise MalformedError(f"{where} does not parse") from error
        public = as_public_key(loaded, what=where)
        if public.kind != self.key_details:
            raise SignatureInvalidError(
                f"{where} is a {public.kind}, not the {self.key_details} it is said to be"
            )
        known = sha256(self.key).digest()
        if isinstance(public.key, Ed25519PublicKey):
            known = log_key_id(self.origin, public.key)
        if known != self.log_id:
            raise SignatureInvalidError(f"trusted root: the id of log {self.origin} is not its key's")
        return public


class CertificateAuthority(msgspec.Struct, frozen=True, dict=True):
    """A certificate or timestamp authority.

    Attributes:
        uri: where it is (or was) served; may be empty.
        chain: DER certificates, root last. For a timestamp authority the first one signs the timestamps.
        valid_for: when it is to be believed.
        subject: organization and common name, for people.
    """

    uri: str
    chain: tuple[bytes, ...]
    valid_for: Validity
    subject: tuple[str, str]

    @cached_property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """The chain, parsed once.

        Raises:
            MalformedError: one of them is not a certificate.
        """
        what = f"trusted root: a certificate of {self.subject[1]}"
        return tuple(load_certificate(item, what=what) for item in self.chain)

    @cached_property
    def chain_validity(self) -> Validity:
        """When every certificate of the chain was valid.

        Raises:
            MalformedError: one of them is not a certificate.
        """
        return Validity(
            max(one.not_valid_before_utc for one in self.certificates),
            min(one.not_valid_after_utc for one in self.certificates),
        )

    @cached_property
    def issuing_certificate(self) -> x509.Certificate:
        """The first certificate of the chain, which issues; each one checked once to be the next one's issue.

        Raises:
            MalformedError: one of them is not a certificate.
            SignatureInvalidError: they do not hang together.
        """
        for below, above in itertools.pairwise(self.certificates):
            try:
                below.verify_directly_issued_by(above)
            except (ValueError, TypeError, InvalidSignature) as error:
                raise SignatureInvalidError(
                    f"trusted root: the certificates of {self.subject[1]} are no chain"
                ) from error
        return self.certificates[0]

    @cached_property
    def issuing_key_hash(self) -> bytes:
        """SHA-256 of the issuing certificate's SubjectPublicKeyInfo, which SCTs cover (RFC 6962 §3.2).

        Raises:
            MalformedError: see `issuing_certificate`.
            SignatureInvalidError: likewise.
        """
        return issuer_key_hash(self.issuing_certificate)

    @cached_property
    def timestamp_key(self) -> PublicKey:
        """The key of a timestamp authority, whose certificate is for that alone; checked once.

        Raises:
            MalformedError: see `issuing_certificate`.
            SignatureInvalidError: likewise, or another purpose.
        """
        from pratique.trust.timestamp import check_timestamp_certificate  # noqa: PLC0415 - it takes roots itself

        return check_timestamp_certificate(self.issuing_certificate, self.certificates[1:])

    @cached_property
    def timestamp_signer(self) -> tuple[bytes, bytes]:
        """How a token names that certificate: its issuer's DER name, and its serial number as DER has it."""
        certificate = self.issuing_certificate
        serial = certificate.serial_number
        return certificate.issuer.public_bytes(), serial.to_bytes(serial.bit_length() // 8 + 1, "big")

    @cached_property
    def path_policy(self) -> PolicyBuilder:
        """What a path has to be like that ends in the issuing certificate; the time is still to be set.

        Raises:
            MalformedError: see `issuing_certificate`.
            SignatureInvalidError: likewise.
        """
        return path_policy(self.issuing_certificate)


class TrustedRoot(msgspec.Struct, frozen=True, dict=True):
    """What verification believes.

    Attributes:
        data: the file's bytes, which are its identity.
        tlogs: transparency logs.
        certificate_authorities: who may certify signers.
        ctlogs: certificate-transparency logs.
        timestamp_authorities: who may timestamp.
    """

    data: bytes
    tlogs: tuple[LogInstance, ...]
    certificate_authorities: tuple[CertificateAuthority, ...]
    ctlogs: tuple[LogInstance, ...]
    timestamp_authorities: tuple[CertificateAuthority, ...]

    @property
    def fingerprint(self) -> Digest:
        """Name this root: the SHA-256 of its bytes, to be compared over another channel."""
        return sha256_bytes(self.data)

    def tlog(self, log_id: bytes, *moments: datetime) -> LogInstance:
        """Find the transparency log of an id that is to be believed at all of these moments.

        Raises:
            SignatureInvalidError: there is none.
        """
        for log in self.tlogs:
            if log.log_id == log_id and all(log.valid_for.contains(moment) for moment in moments):
                return log
        when = f" valid at {moments[0]}" if moments else ""
        raise SignatureInvalidError(f"no transparency log {log_id.hex()[:16]}{when} in the trusted root")


def instance_key(instance: LogInstance | CertificateAuthority) -> Digest:
    """Name an instance of a root by its key: the SHA-256 of the SubjectPublicKeyInfo.

    Raises:
        MalformedError: an authority's certificate that is none.
    """
    if isinstance(instance, LogInstance):
        return sha256_bytes(instance.key)
    return sha256_bytes(encode_spki(instance.certificates[0].public_key()))


def instances(root: TrustedRoot) -> dict[str, tuple[LogInstance | CertificateAuthority, ...]]:
    """Give what a root names, by the name that its key has here, each newest first."""
    return {
        "ca": root.certificate_authorities,
        "tsa": root.timestamp_authorities,
        "ctlog": root.ctlogs,
        "log": root.tlogs,
    }


def encode_root(
    tlogs: Sequence[LogInstance],
    certificate_authorities: Sequence[CertificateAuthority],
    ctlogs: Sequence[LogInstance],
    timestamp_authorities: Sequence[CertificateAuthority],
) -> bytes:
    """Write a trusted root as canonical JSON."""
    return canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "tlogs": [_encode_log(log) for log in tlogs],
            "certificateAuthorities": [_encode_authority(item) for item in certificate_authorities],
            "ctlogs": [_encode_log(log) for log in ctlogs],
            "timestampAuthorities": [_encode_authority(item) for item in timestamp_authorities],
        }
    )


def _encode_validity(validity: Validity) -> dict[str, str]:
    end = {} if validity.end is None else {"end": format_time(validity.end)}
    return {"start": format_time(validity.start), **end}


def _encode_log(log: LogInstance) -> dict[str, Any]:
    return {
        "baseUrl": log.base_url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": b64encode(log.key),
            "keyDetails": log.key_details,
            "validFor": _encode_validity(log.valid_for),
        },
        "logId": {"keyId": b64encode(log.log_id)},
    }


def _encode_authority(authority: CertificateAuthority) -> dict[str, Any]:
    organization, common_name = authority.subject
    return {
        "subject": {"organization": organization, "commonName": common_name},
        "uri": authority.uri,
        "certChain": {"certificates": [{"rawBytes": b64encode(item)} for item in authority.chain]},
        "validFor": _encode_validity(authority.valid_for),
    }


def parse_root(data: bytes) -> TrustedRoot:
    """Parse a trusted root, one's own or another Sigstore's.

    Raises:
        MalformedError: another format, or a member that does not decode.
    """
    document = parse_json_object(data, what="trusted root", max_bytes=MAX_ROOT_BYTES)
    if (media := document.get("mediaType")) != MEDIA_TYPE:
        raise MalformedError(f"trusted root: media type {str(media)[:80]!r}, not {MEDIA_TYPE}")
    return TrustedRoot(
        data=data,
        tlogs=tuple(_parse_log(item) for item in _items(document, "tlogs")),
        certificate_authorities=tuple(
            _parse_authority(item) for item in _items(document, "certificateAuthorities")
        ),
        ctlogs=tuple(_parse_log(item) for item in _items(document, "ctlogs")),
        timestamp_authorities=tuple(
            _parse_authority(item) for item in _items(document, "timestampAuthorities")
        ),
    )


def _parse_log(item: dict[str, Any]) -> LogInstance:
    if item.get("hashAlgorithm") != "SHA2_256":
        raise MalformedError("trusted root: a log whose hash algorithm is not SHA2_256")
    key = _object(item, "publicKey")
    return LogInstance(
        base_url=_text(item, "baseUrl"),
        key=b64decode(key.get("rawBytes"), what="trusted root: a log's key"),
        key_details=_text(key, "keyDetails"),
        log_id=b64decode(_object(item, "logId").get("keyId"), what="trusted root: a log's id"),
        valid_for=_parse_validity(key),
    )


def _parse_authority(item: dict[str, Any]) -> CertificateAuthority:
    chain = tuple(
        b64decode(one.get("rawBytes"), what="trusted root: a certificate")
        for one in _items(_object(item, "certChain"), "certificates")
    )
    if not chain:
        raise MalformedError("trusted root: an authority without a certificate")
    subject = _object(item, "subject")
    return CertificateAuthority(
        uri=str(item.get("uri", "")),
        chain=chain,
        valid_for=_parse_validity(item),
        subject=(str(subject.get("organization", "")), str(subject.get("commonName", ""))),
    )


def _parse_validity(parent: dict[str, Any]) -> Validity:
    period = _object(parent, "validFor")
    end = period.get("end")
    return Validity(
        parse_time(_text(period, "start")), None if end is None else parse_time(_text(period, "end"))
    )


def _items(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = parent.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise MalformedError(f"trusted root: {name} is not a list of objects")
    return value


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise MalformedError(f"trusted root: {name} is missing")
    return value


def _text(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        raise MalformedError(f"trusted root: {name} is missing")
    return value
