"""C2SP tlog-proof: one file that proves an entry to be in a log, and who witnessed it (pure).

Specification: https://c2sp.org/tlog-proof. The file has everything but the entry itself, which a verifier has
from the evidence, and the keys, which nobody should take from the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError
from pratique.trust.cosignature import Cosignature, VerifierKey, verify_cosigned, verify_head
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.note import MAX_NOTE_CHARACTERS, Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_HASHES: Final = 63
MAX_PROOF_CHARACTERS: Final = 4 * MAX_NOTE_CHARACTERS
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})\Z")
_HASH_BYTES = 32


class TlogProof(msgspec.Struct, frozen=True):
    """A proof's parts, not yet verified.

    Attributes:
        index: the entry's position in the log, from 0.
        hashes: inclusion proof, from the leaf's sibling upward (RFC 6962 §2.1.1).
        checkpoint: the signed note, with its cosignatures.
        extra: opaque data that nothing vouches for; empty when there is none.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""


class Proven(msgspec.Struct, frozen=True):
    """What a proof established.

    Attributes:
        index: the entry's position.
        head: the tree head it is under.
        cosignatures: of the witnesses asked about; empty when none were.
    """

    index: int
    head: Checkpoint
    cosignatures: tuple[Cosignature, ...]


def encode_proof(proof: TlogProof) -> str:
    """Write a proof file."""
    extra = [f"extra {b64encode(proof.extra)}"] if proof.extra else []
    lines = [HEADER, *extra, f"index {proof.index}", *map(b64encode, proof.hashes)]
    return "\n".join(lines) + f"\n\n{proof.checkpoint}"


def parse_proof(text: str) -> TlogProof:
    """Parse a proof file, in its one spelling; the checkpoint itself is judged by `verify_proof`.

    Raises:
        MalformedError: another form.
    """
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if len(text) > MAX_PROOF_CHARACTERS or not separator or lines.pop(0) != HEADER:
        raise MalformedError(f"not a tlog-proof: it starts with {HEADER} and ends with a checkpoint")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = b64decode(lines.pop(0).removeprefix("extra "), what="tlog-proof: extra data")
        if not extra:
            raise MalformedError("tlog-proof: extra data that is none")
    match = _INDEX.match(lines.pop(0)) if lines else None
    if match is None or len(lines) > MAX_HASHES:
        raise MalformedError(f"tlog-proof: no line `index N`, or more than {MAX_HASHES} hashes after it")
    hashes = tuple(b64decode(line, what="tlog-proof: hash") for line in lines)
    if any(len(item) != _HASH_BYTES for item in hashes):
        raise MalformedError("tlog-proof: a hash that is not a SHA-256")
    return TlogProof(int(match[1]), hashes, checkpoint, extra)


def verify_proof(
    text: str,
    entry: bytes,
    logs: Mapping[str, Sequence[Ed25519PublicKey]],
    *,
    witnesses: Sequence[VerifierKey] | None = None,
    threshold: int = 1,
) -> Proven:
    """Verify that an entry is in a log (tlog-proof, "Verifying a tlog proof").

    Args:
        text: the proof file.
        entry: the leaf's bytes, known from elsewhere: for evidence, the log entry rebuilt from its bundle.
        logs: the keys of the logs that may have it, by origin.
        witnesses: of whom `threshold` must have cosigned the tree head; None asks for no witness.
        threshold: how many distinct keys.

    Raises:
        UsageError: a threshold that these witnesses cannot meet.
        MalformedError: not a proof.
        SignatureInvalidError: the log is unknown or did not sign, too few witnesses did, or the entry is not
            in the tree.
    """
    proof = parse_proof(text)
    head = verify_head(proof.checkpoint, logs)
    cosignatures = () if witnesses is None else verify_cosigned(proof.checkpoint, witnesses, threshold)
    verify_inclusion(leaf_hash(entry), proof.index, head.size, proof.hashes, head.root)
    return Proven(proof.index, head, cosignatures)
