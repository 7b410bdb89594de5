"""C2SP tlog-cosignature: a witness says that, at a time, this was the largest consistent tree head it knew.

Ed25519 alone (`cosignature/v1`, signature type 0x04). A cosignature is one more signature line on the log's
checkpoint. Specifications: https://c2sp.org/tlog-cosignature and https://c2sp.org/signed-note.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pratique.errors import MalformedError, SignatureInvalidError, UsageError
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.note import (
    ED25519,
    SHORT_ID_BYTES,
    Checkpoint,
    log_key_id,
    parse_checkpoint,
    split_note,
    verify_checkpoint,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COSIGNATURE: Final = 0x04
MAX_TIMESTAMP: Final = 2**63 - 1
_TIME_BYTES: Final = 8
_SIGNATURE_BYTES: Final = 64
_KEY_BYTES: Final = 32
_SHOWN_BYTES: Final = 80


class VerifierKey(msgspec.Struct, frozen=True):
    """A name with the Ed25519 key known under it: whom to believe, of witnesses or of logs.

    Attributes:
        name: the key's name in signature lines, by custom a URL without its scheme.
        key: the 32 bytes of the public key.
        algorithm: what it signs: `COSIGNATURE` for a witness, `note.ED25519` for a log.
    """

    name: str
    key: bytes
    algorithm: int = COSIGNATURE

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ algorithm ‖ key), as signature lines carry them."""
        material = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.key
        return sha256(material).digest()[:SHORT_ID_BYTES]

    @property
    def public_key(self) -> Ed25519PublicKey:
        """The key, ready to verify with."""
        return Ed25519PublicKey.from_public_bytes(self.key)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([self.algorithm]) + self.key)}"


def parse_vkey(text: str, algorithm: int = COSIGNATURE) -> VerifierKey:
    """Parse a verifier key of one algorithm, `<name>+<hex key id>+<base64 of algorithm ‖ key>` (signed-note).

    Raises:
        MalformedError: not a verifier key, of another algorithm, or whose id is not its own.
    """
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    material = b64decode(encoded, what="verifier key")
    if len(material) != 1 + _KEY_BYTES or material[0] != algorithm:
        raise MalformedError(
            f"verifier key {text[:_SHOWN_BYTES]!r}: not an Ed25519 key of signature type 0x{algorithm:02x}"
        )
    key = VerifierKey(name, material[1:], algorithm)
    if not name or any(letter.isspace() for letter in name) or key.key_id.hex() != key_id:
        raise MalformedError(
            f"verifier key {text[:_SHOWN_BYTES]!r}: its name is none, or its id is not its own"
        )
    return key


class Cosignature(msgspec.Struct, frozen=True):
    """A cosignature that verified.

    Attributes:
        witness: whose it is.
        timestamp: when the witness made it, by its own clock, in seconds since the epoch.
    """

    witness: VerifierKey
    timestamp: int


def cosign(text: str, name: str, key: Ed25519PrivateKey, timestamp: int) -> str:
    """Cosign a checkpoint and give the signature line; it is for the caller to know that it may.

    Args:
        text: the checkpoint's text, all of it up to and with the newline before the empty line.
        name: the witness's name.
        key: the witness's key, used for nothing else: what is signed does not name the witness.
        timestamp: the time in seconds since the epoch.

    Raises:
        MalformedError: not a checkpoint, or a time that no cosignature can carry.
    """
    parse_checkpoint(text)
    if not 1 <= timestamp <= MAX_TIMESTAMP:
        raise MalformedError(f"cosignature: {timestamp} is not a time it can carry")
    witness = VerifierKey(name, key.public_key().public_bytes_raw())
    signature = key.sign(_message(text, timestamp))
    return signature_line(name, witness.key_id + timestamp.to_bytes(_TIME_BYTES, "big") + signature)


def verify_cosignatures(note: str, witnesses: Sequence[VerifierKey]) -> tuple[Cosignature, ...]:
    """Verify the cosignatures of known witnesses on a checkpoint; lines of others are ignored.

    The log's own signature is for `verify_head`.

    Returns:
        one for each distinct key that cosigned, the latest where it did so again.

    Raises:
        MalformedError: not a signed checkpoint, or a known witness's line that is no cosignature.
        SignatureInvalidError: a known witness's line that does not verify: that spoils the note.
    """
    text, lines = split_note(note)
    parse_checkpoint(text)
    found: dict[bytes, Cosignature] = {}
    for witness in witnesses:
        for name, blob in lines:
            if name == witness.name and blob.startswith(witness.key_id):
                made = _verify(text, witness, blob[SHORT_ID_BYTES:])
                known = found.setdefault(witness.key, made)
                if made.timestamp > known.timestamp:
                    found[witness.key] = made
    return tuple(found.values())


def verify_cosigned(note: str, witnesses: Sequence[VerifierKey], threshold: int) -> tuple[Cosignature, ...]:
    """Verify that enough witnesses cosigned a checkpoint, counting distinct keys: k of n.

    A key listed twice, under one name or two, counts once. The log's own signature is for `verify_head`.

    Raises:
        UsageError: a threshold of nobody, or of more witnesses than are known.
        MalformedError: as `verify_cosignatures`.
        SignatureInvalidError: a bad cosignature, or too few; the message names who is missing.
    """
    known = len({witness.key for witness in witnesses})
    if not 1 <= threshold <= known:
        raise UsageError(f"{threshold} of {known} witnesses cannot be asked for")
    found = verify_cosignatures(note, witnesses)
    if len(found) < threshold:
        have = {item.witness.key for item in found}
        missing = sorted({witness.name for witness in witnesses if witness.key not in have})
        raise SignatureInvalidError(
            f"cosigned by {len(found)} witnesses of the {threshold} needed; not by {', '.join(missing)}",
            hint="hand the checkpoint to more witnesses: pratique log checkpoint --with-proof-from SIZE",
        )
    return found


def verify_head(note: str, logs: Mapping[str, Sequence[Ed25519PublicKey]]) -> Checkpoint:
    """Verify a checkpoint against the keys known for its origin.

    Args:
        note: the signed checkpoint.
        logs: the keys of each log, by origin.

    Raises:
        MalformedError: not a signed checkpoint.
        SignatureInvalidError: of an unknown log, without a signature by a known key, or with a bad one.
    """
    text, lines = split_note(note)
    origin = parse_checkpoint(text).origin
    if not logs.get(origin):
        raise SignatureInvalidError(f"checkpoint: of a log that is not known here: {origin[:_SHOWN_BYTES]!r}")
    signed = [
        key
        for key in logs[origin]
        if any(n == origin and blob.startswith(_log_id(origin, key)) for n, blob in lines)
    ]
    if not signed:
        raise SignatureInvalidError(f"checkpoint: not signed by {origin} with a key known here")
    heads = [
        verify_checkpoint(note, origin, key) for key in signed
    ]  # a known key that does not verify spoils it
    return heads[0]


def text_of(note: str) -> str:
    """Give the text that a note's signatures are over.

    Raises:
        MalformedError: not a signed note.
    """
    return split_note(note)[0]


def trimmed(note: str, keys: Sequence[VerifierKey]) -> str:
    """Leave only the signature lines of these keys on a note, in their order there.

    Raises:
        MalformedError: not a signed note.
    """
    text, lines = split_note(note)
    wanted = {(key.name, key.key_id) for key in keys}
    kept = [signature_line(name, blob) for name, blob in lines if (name, blob[:SHORT_ID_BYTES]) in wanted]
    return f"{text}\n{''.join(dict.fromkeys(kept))}"


def log_vkey(origin: str, key: Ed25519PublicKey) -> VerifierKey:
    """Give a log's key under its origin."""
    return VerifierKey(origin, key.public_bytes_raw(), ED25519)


def signature_line(name: str, blob: bytes) -> str:
    """Write a signature line of a note: em dash, name, base64 of key id and signature."""
    return f"\u2014 {name} {b64encode(blob)}\n"


def _log_id(origin: str, key: Ed25519PublicKey) -> bytes:
    return log_key_id(origin, key)[:SHORT_ID_BYTES]


def _message(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _verify(text: str, witness: VerifierKey, signature: bytes) -> Cosignature:
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        raise MalformedError(f"cosignature of {witness.name}: {len(signature)} bytes, not a time and Ed25519")
    timestamp = int.from_bytes(signature[:_TIME_BYTES], "big")
    if not 1 <= timestamp <= MAX_TIMESTAMP:
        raise MalformedError(f"cosignature of {witness.name}: {timestamp} is not a time")
    try:
        witness.public_key.verify(signature[_TIME_BYTES:], _message(text, timestamp))
    except InvalidSignature as error:
        raise SignatureInvalidError(f"the cosignature of {witness.name} does not verify") from error
    return Cosignature(witness, timestamp)
