"""C2SP signed note and tlog-checkpoint: how a log signs its tree head (Ed25519, algorithm byte 0x01).

Specifications: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidSignature

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.publickey import verify_signature

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    from pratique.trust.publickey import PublicKey

ED25519: Final = 0x01
MAX_NOTE_CHARACTERS: Final = 64 * 1024
MAX_SIGNATURES: Final = 64
SHORT_ID_BYTES: Final = 4
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,15})\Z")
_NAME = re.compile(r"[^\s+]+\Z")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_REKOR_ORIGIN = re.compile(r" - [0-9]{1,20}")
_HASH_BYTES = 32
_BODY_LINES = 3


class Checkpoint(msgspec.Struct, frozen=True):
    """A log's tree head.

    Attributes:
        origin: the log's name; for Sigstore's verifiers it is the bare host name of the log's URL.
        size: number of entries.
        root: 32-byte root hash.
    """

    origin: str
    size: int
    root: bytes


def log_key_id(name: str, public_key: Ed25519PublicKey) -> bytes:
    """Give the 32-byte key id SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key); notes carry its first four bytes."""
    return sha256(name.encode() + b"\n" + bytes([ED25519]) + public_key.public_bytes_raw()).digest()


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """Sign a note's text, which ends in a newline, under a key name.

    Raises:
        MalformedError: the text or the name cannot be a note's.
    """
    if not text.endswith("\n") or _CONTROL.search(text) or not _NAME.match(name):
        raise MalformedError("note: text without a final newline, a control character, or a bad key name")
    signature = log_key_id(name, key.public_key())[:SHORT_ID_BYTES] + key.sign(text.encode())
    return f"{text}\n\u2014 {name} {b64encode(signature)}\n"


def verify_note(note: str, name: str, public_key: Ed25519PublicKey, *others: Ed25519PublicKey) -> str:
    """Verify the signature of one named key, and give the text it covers.

    Lines of unknown keys (witnesses, say) are ignored, as the specification asks.

    Args:
        note: the signed note.
        name: the key's name.
        public_key: the key.
        others: keys of the same name; the first of all these that signed has to have signed rightly.

    Raises:
        MalformedError: not a signed note.
        SignatureInvalidError: no signature by this key, or one that does not verify.
    """
    text, signatures = split_note(note)
    named = [blob for signer, blob in signatures if signer == name]
    for key in (public_key, *others):
        known = log_key_id(name, key)[:SHORT_ID_BYTES]
        ours = [blob[SHORT_ID_BYTES:] for blob in named if blob.startswith(known)]
        if not ours:
            continue
        try:
            for signature in ours:
                key.verify(signature, text.encode())
        except InvalidSignature as error:
            raise SignatureInvalidError(f"note: the signature of {name} does not verify") from error
        return text
    raise SignatureInvalidError(f"note: not signed by {name} with the expected key")


def split_note(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Split a note into its text and its signature lines (name, signature bytes); nothing is verified.

    Raises:
        MalformedError: not a signed note (C2SP signed-note).
    """
    if len(note) > MAX_NOTE_CHARACTERS or _CONTROL.search(note):
        raise MalformedError("note: too long, or with control characters")
    text, separator, block = note.rpartition("\n\n")
    if not separator or not text or not block.endswith("\n"):
        raise MalformedError("note: no signature block")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise MalformedError(f"note: more than {MAX_SIGNATURES} signatures")
    return text + "\n", [_signature_line(line) for line in lines]


def _signature_line(line: str) -> tuple[str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "\u2014" or not _NAME.match(name):
        raise MalformedError("note: a signature line that is none")
    blob = b64decode(encoded, what="note: signature")
    if len(blob) <= SHORT_ID_BYTES:
        raise MalformedError("note: a signature too short to be one")
    return name, blob


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Write and sign a checkpoint; the key's name is the origin, as the specification recommends.

    Raises:
        MalformedError: the origin cannot be a key name.
    """
    text = f"{checkpoint.origin}\n{checkpoint.size}\n{b64encode(checkpoint.root)}\n"
    return sign_note(text, checkpoint.origin, key)


def cosign_checkpoint(note: str, origin: str, key: Ed25519PrivateKey) -> str:
    """Add another key's signature, under the same name, to a signed checkpoint: a log's next key signs too.

    Raises:
        MalformedError: not a signed note.
    """
    text, signatures = split_note(note)
    known = log_key_id(origin, key.public_key())[:SHORT_ID_BYTES]
    if any(signer == origin and blob.startswith(known) for signer, blob in signatures):
        return note
    return note + sign_note(text, origin, key).removeprefix(f"{text}\n")


def verify_checkpoint(
    note: str, origin: str, public_key: Ed25519PublicKey, *former: Ed25519PublicKey
) -> Checkpoint:
    """Verify a checkpoint of one log.

    Args:
        note: the signed note.
        origin: the log's name.
        public_key: its key.
        former: keys that it had before, whose signature does as well.

    Raises:
        MalformedError: not a checkpoint.
        SignatureInvalidError: another log's, unsigned, or wrongly signed.
    """
    checkpoint = parse_checkpoint(verify_note(note, origin, public_key, *former))
    if checkpoint.origin != origin:
        raise SignatureInvalidError(f"checkpoint: of log {checkpoint.origin[:80]!r}, not {origin!r}")
    return checkpoint


def verify_rekor_checkpoint(note: str, host: str, log_id: bytes, public_key: PublicKey) -> Checkpoint:
    """Verify a checkpoint of Rekor v1, whose origin is `<host> - <tree id>` and whose key is ECDSA.

    A signature line carries the first four bytes of the log's id, which is the SHA-256 of its key, and an
    ECDSA signature over the text (Rekor, pkg/util/signed_note.go).

    Raises:
        MalformedError: not a checkpoint.
        SignatureInvalidError: another log's, unsigned, or wrongly signed.
    """
    text, signatures = split_note(note)
    ours = [
        blob[SHORT_ID_BYTES:]
        for signer, blob in signatures
        if signer == host and blob.startswith(log_id[:SHORT_ID_BYTES])
    ]
    if not ours:
        raise SignatureInvalidError(f"note: not signed by {host} with the expected key")
    for signature in ours:
        verify_signature(public_key, signature, text.encode(), what=f"note: the signature of {host}")
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != host and not _REKOR_ORIGIN.fullmatch(checkpoint.origin.removeprefix(host)):
        raise SignatureInvalidError(f"checkpoint: of log {checkpoint.origin[:80]!r}, not {host!r}")
    return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    """Parse a checkpoint's text; extension lines after the third are ignored, empty ones refused.

    Raises:
        MalformedError: not a checkpoint in its one spelling.
    """
    lines = text.split("\n")
    if len(lines) <= _BODY_LINES or lines.pop() != "" or not all(lines):
        raise MalformedError("checkpoint: it needs an origin, a size and a root hash, one a line")
    origin, size, root = lines[:_BODY_LINES]
    if not _DECIMAL.match(size):
        raise MalformedError(f"checkpoint: {size[:40]!r} is not a tree size")
    root_hash = b64decode(root, what="checkpoint: root hash")
    if len(root_hash) != _HASH_BYTES:
        raise MalformedError("checkpoint: the root hash is not a SHA-256")
    return Checkpoint(origin, int(size), root_hash)
