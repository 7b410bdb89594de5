"""What a log asks a witness: the body of C2SP tlog-witness's `add-checkpoint` (pure).

Specification: https://c2sp.org/tlog-witness.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pratique.errors import MalformedError
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.note import MAX_NOTE_CHARACTERS

MAX_PROOF_LINES: Final = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})\Z")
_HASH_BYTES = 32


class Request(msgspec.Struct, frozen=True):
    """What a log asks a witness: to cosign this checkpoint, which continues the tree of size `old`.

    Attributes:
        old: the size the proof starts from; None when no proof came with the checkpoint.
        proof: consistency proof from there, hashes of 32 bytes (RFC 6962 §2.1.2).
        checkpoint: the signed note.
    """

    old: int | None
    proof: tuple[bytes, ...]
    checkpoint: str


def encode_request(request: Request) -> str:
    """Write the body of an `add-checkpoint` request."""
    proof = "".join(f"{b64encode(item)}\n" for item in request.proof)
    return f"old {request.old or 0}\n{proof}\n{request.checkpoint}"


def parse_request(text: str) -> Request:
    """Parse the body of an `add-checkpoint` request, or a checkpoint alone.

    Raises:
        MalformedError: neither; the checkpoint itself is judged later.
    """
    if len(text) > 2 * MAX_NOTE_CHARACTERS:
        raise MalformedError("witness request: too long")
    if not text.startswith("old "):
        return Request(None, (), text)
    head, separator, checkpoint = text.partition("\n\n")
    if not separator:
        raise MalformedError("witness request: no checkpoint after the proof")
    old, proof = parse_proof(head + "\n")
    return Request(old, proof, checkpoint)


def parse_proof(text: str) -> tuple[int, tuple[bytes, ...]]:
    """Parse the lines of a request before its checkpoint: the old size, and the proof from there.

    Raises:
        MalformedError: another form, or more than 63 hashes.
    """
    first, *lines = text.removesuffix("\n").split("\n")
    match = _OLD.match(first)
    if not match or not text.endswith("\n") or len(lines) > MAX_PROOF_LINES:
        raise MalformedError(
            f"consistency proof: it starts with a line `old SIZE` and has at most {MAX_PROOF_LINES} hashes"
        )
    proof = tuple(b64decode(line, what="consistency proof") for line in lines)
    if any(len(item) != _HASH_BYTES for item in proof):
        raise MalformedError("consistency proof: a hash that is not a SHA-256")
    return int(match[1]), proof
