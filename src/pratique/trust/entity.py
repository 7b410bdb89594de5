"""A signed entity: one signature, what it is over, and all that came with it, whatever carried them.

The verifier (`trust.verify`) judges entities. What reads bundles, attestations and envelopes of different
makers (`trust.bundle`, `trust.foreign`) makes entities of them and decides nothing about trust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pratique.model.digest import Digest


class Envelope(msgspec.Struct, frozen=True):
    """What a DSSE signature is over: a payload and its type, by way of the PAE."""

    payload: bytes
    payload_type: str


class Message(msgspec.Struct, frozen=True):
    """What a bare signature is over: the bytes that have this digest.

    Attributes:
        algorithm: `sha256`, `sha384` or `sha512`.
        digest: the digest that the carrier claims; only an artifact with that digest is spoken of.
    """

    algorithm: str
    digest: bytes


class InclusionProof(msgspec.Struct, frozen=True):
    """The proof that a signed tree head covers a log entry.

    Attributes:
        index: leaf index in the tree, from 0.
        tree_size: number of leaves under `root_hash`.
        root_hash: 32-byte tree head.
        hashes: sibling hashes, from the leaf upward.
        checkpoint: signed note over the same tree head.
    """

    index: int
    tree_size: int
    root_hash: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


class LogEntry(msgspec.Struct, frozen=True):
    """An entry of a transparency log, as a carrier shows it.

    Attributes:
        log_id: 32-byte id of the log.
        index: what the log calls its position; in Rekor v1 it counts over all of the log's trees.
        kind: kind and version that the carrier claims.
        body: the leaf's bytes.
        proof: inclusion proof with a checkpoint, or None.
        integrated_time: seconds since the epoch at which Rekor v1 says it took the entry, or None.
        promise: Rekor v1's signature over the entry and that time, or None.
    """

    log_id: bytes
    index: int
    kind: tuple[str, str]
    body: bytes
    proof: InclusionProof | None
    integrated_time: int | None = None
    promise: bytes | None = None


class Claimed(msgspec.Struct, frozen=True):
    """What the carrier says about its content outside the signature; verification holds it to that.

    Attributes:
        predicate_type: the predicate type it announces; empty for none.
        issuer: who it says vouched for the signer; empty for none.
        subject_prefix: how it says the signer's subject begins.
    """

    predicate_type: str = ""
    issuer: str = ""
    subject_prefix: str = ""


class Entity(msgspec.Struct, frozen=True):
    """One signature and its company; nothing in it is verified yet.

    Attributes:
        carrier: what it came in, in words.
        source: SHA-256 of the bytes it came in.
        content: what was signed.
        signature: the signature's bytes.
        certificate: DER signing certificate, or None.
        chain: further DER certificates that the carrier shows; they have to be the trusted root's own.
        key_hint: how the carrier names the signer's key; None where a certificate signed or nothing is said.
        timestamps: DER RFC 3161 responses over `signature`.
        entries: log entries about it.
        claimed: what the carrier says outside the signature.
    """

    carrier: str
    source: Digest
    content: Envelope | Message
    signature: bytes
    certificate: bytes | None = None
    chain: tuple[bytes, ...] = ()
    key_hint: str | None = None
    timestamps: tuple[bytes, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    claimed: Claimed = Claimed()
