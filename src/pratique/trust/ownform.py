"""Bundles and log entries as they are written here: one type for each object, members in RFC 8785's order.

What is read as a bundle and gives the very same bytes when written again is canonical JSON with canonical
base64, has no member twice, and none that is not ours. Any other spelling is for `trust.material` to read,
which also says what is wrong. Format: protobuf-specs sigstore_bundle.proto and sigstore_rekor.proto.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from pratique.model.digest import Digest  # noqa: TC001 - msgspec looks at the annotations
from pratique.model.strict_json import MAX_INT
from pratique.trust.entity import Entity, Envelope, InclusionProof, LogEntry
from pratique.trust.material import MAX_PROOF_HASHES, MEDIA_TYPE, carrier_of

_Text = Annotated[str, Meta(min_length=1)]
_Blob = Annotated[bytes, Meta(min_length=1)]
_Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Number = Annotated[str, Meta(pattern=r"\A(?:0|[1-9][0-9]{0,15})\Z")]


class _Form(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    pass


class Blob(_Form):
    """A certificate."""

    raw_bytes: _Blob


class Hint(_Form):
    """How a key is named."""

    hint: _Text


class Signature(_Form):
    """A DSSE signature."""

    sig: _Blob


class DsseEnvelope(_Form):
    """What was signed, with its one signature."""

    payload: _Blob
    payload_type: _Text
    signatures: tuple[Signature]


class Timestamp(_Form):
    """An RFC 3161 response."""

    signed_timestamp: _Blob


class Timestamps(_Form, rename={"stamps": "rfc3161Timestamps"}):
    """The one of them."""

    stamps: tuple[Timestamp]


class SignedNote(_Form):
    """A checkpoint."""

    envelope: _Text


class Proof(_Form):
    """An inclusion proof."""

    checkpoint: SignedNote
    hashes: Annotated[tuple[_Hash, ...], Meta(max_length=MAX_PROOF_HASHES)]
    log_index: _Number
    root_hash: _Hash
    tree_size: _Number


class Kind(_Form):
    """Kind and version of a log entry."""

    kind: _Text
    version: _Text


class LogId(_Form):
    """A log's id."""

    key_id: _Hash


class TransparencyLogEntry(_Form):
    """The log's part."""

    canonicalized_body: _Blob
    inclusion_proof: Proof
    kind_version: Kind
    log_id: LogId
    log_index: _Number


class Material(_Form, kw_only=True):
    """What came with the signature."""

    certificate: Blob | UnsetType = UNSET
    public_key: Hint | UnsetType = UNSET
    timestamp_verification_data: Timestamps
    tlog_entries: tuple[TransparencyLogEntry]


class Bundle(_Form):
    """A bundle with one of everything."""

    dsse_envelope: DsseEnvelope
    media_type: _Text
    verification_material: Material


write: Final = msgspec.json.Encoder().encode
_READ: Final = msgspec.json.Decoder(Bundle).decode


def read_own(data: bytes, source: Digest) -> Entity | None:
    """Read a bundle that is in the form above to the last byte; None stands for all other bytes.

    Args:
        data: the bundle's bytes.
        source: their SHA-256.
    """
    try:
        bundle = _READ(data)
        if write(bundle) != data or bundle.media_type != MEDIA_TYPE:
            return None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    envelope, material = bundle.dsse_envelope, bundle.verification_material
    (entry,), (stamp,) = material.tlog_entries, material.timestamp_verification_data.stamps
    certificate, key, proof = material.certificate, material.public_key, entry.inclusion_proof
    index, position, size = int(entry.log_index), int(proof.log_index), int(proof.tree_size)
    if (certificate is UNSET) == (key is UNSET) or max(index, position, size) > MAX_INT:
        return None
    return Entity(
        carrier=carrier_of(MEDIA_TYPE),
        source=source,
        content=Envelope(envelope.payload, envelope.payload_type),
        signature=envelope.signatures[0].sig,
        certificate=None if certificate is UNSET else certificate.raw_bytes,
        key_hint=None if key is UNSET else key.hint,
        timestamps=(stamp.signed_timestamp,),
        entries=(
            LogEntry(
                entry.log_id.key_id,
                index,
                (entry.kind_version.kind, entry.kind_version.version),
                entry.canonicalized_body,
                InclusionProof(position, size, proof.root_hash, proof.hashes, proof.checkpoint.envelope),
            ),
        ),
    )
