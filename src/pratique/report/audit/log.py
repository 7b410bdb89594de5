"""The log inside a package: every leaf, the tree recomputed from them, and what must agree with it (pure).

Leaves are packed as C2SP tlog-tiles entry bundles: 256 to a member, each after its length in two bytes.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, MalformedError, SignatureInvalidError
from pratique.model.strict_json import canonical_json, parse_json_object
from pratique.trust.encoding import b64decode, b64encode
from pratique.trust.material import MAX_PROOF_HASHES
from pratique.trust.merkle import EMPTY_ROOT, leaf_hash, node_hash, verify_consistency
from pratique.trust.note import Checkpoint, verify_checkpoint
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pratique.report.chain import LogHead
    from pratique.trust.bundle import Bundle
    from pratique.trust.root import TrustedRoot
    from pratique.trust.verify import Verified

WIDTH: Final = 256
MAX_LEAF: Final = 2**16 - 1
_LENGTH: Final = 2


class Log(msgspec.Struct, frozen=True):
    """The log as recomputed: its leaves, and the signed head they lead to."""

    leaves: tuple[bytes, ...]
    head: Checkpoint


def pack_entries(leaves: Sequence[bytes]) -> dict[str, bytes]:
    """Write all leaves as members, named by the index of the first leaf in each.

    Raises:
        MalformedError: a leaf longer than an entry bundle can carry.
    """
    if any(len(leaf) > MAX_LEAF for leaf in leaves):
        raise MalformedError(f"a log entry longer than {MAX_LEAF} bytes")
    return {
        f"entries/{start:012d}": b"".join(
            len(leaf).to_bytes(_LENGTH, "big") + leaf for leaf in leaves[start : start + WIDTH]
        )
        for start in range(0, len(leaves), WIDTH)
    }


def unpack_entries(entries: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Read the leaves back from the members under `entries/`, by the rest of their name.

    Raises:
        MalformedError: a member missing in between, or another packing than `pack_entries` gives.
    """
    leaves: list[bytes] = []
    for name, data in entries.items():
        if int(name) != len(leaves):
            raise MalformedError(f"entries/{name}: expected the entries from {len(leaves)} on")
        offset = 0
        while offset < len(data):
            length = int.from_bytes(data[offset : offset + _LENGTH], "big")
            offset += _LENGTH
            if offset + length > len(data):
                raise MalformedError(f"entries/{name}: cut off within an entry")
            leaves.append(data[offset : offset + length])
            offset += length
    if {f"entries/{name}": data for name, data in entries.items()} != pack_entries(leaves):
        raise MalformedError(f"entries are not packed {WIDTH} to a member")
    return tuple(leaves)


def prefix_roots(leaves: Sequence[bytes], sizes: Collection[int]) -> dict[int, bytes]:
    """Give the tree heads over the first n leaves, for each n in `sizes` (RFC 6962 §2.1), in one pass."""
    roots = {0: EMPTY_ROOT} if 0 in sizes else {}
    peaks: list[tuple[int, bytes]] = []
    for count, leaf in enumerate(leaves, start=1):
        height, top = 0, leaf_hash(leaf)
        while peaks and peaks[-1][0] == height:
            top = node_hash(peaks.pop()[1], top)
            height += 1
        peaks.append((height, top))
        if count in sizes:
            roots[count] = _bag(peaks)
    return roots


def _bag(peaks: Sequence[tuple[int, bytes]]) -> bytes:
    root = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def verify_log(leaves: tuple[bytes, ...], note: bytes, stated: LogHead, root: TrustedRoot) -> Log:
    """Verify that a log of the trusted root signed the tree head that these leaves have.

    Args:
        leaves: all entries of the log.
        note: the signed checkpoint.
        stated: the head that the manifest states.
        root: whom to believe.

    Raises:
        EvidenceInvalidError: another log's checkpoint, a bad signature, or other leaves.
    """
    try:
        text = note.decode()
    except UnicodeDecodeError as error:
        raise MalformedError("the checkpoint is not UTF-8") from error
    logs = [log for log in root.tlogs if log.origin == stated.origin and log.valid_for.end is None]
    if len(logs) != 1:
        raise SignatureInvalidError(f"the trusted root knows {len(logs)} logs of name {stated.origin[:80]!r}")
    head = verify_checkpoint(text, stated.origin, log_public_key(logs[0]))
    if (head.size, head.root.hex()) != (stated.size, stated.root):
        raise EvidenceInvalidError("the checkpoint is not the one the manifest states")
    if len(leaves) != head.size:
        raise EvidenceInvalidError(f"{len(leaves)} log entries, where the checkpoint covers {head.size}")
    if not hmac.compare_digest(prefix_roots(leaves, {head.size})[head.size], head.root):
        raise EvidenceInvalidError(
            "the log entries do not lead to the checkpoint's root: an entry was changed"
        )
    return Log(leaves, head)


def verify_entry(bundle: Bundle, log: Log, roots: Mapping[int, bytes]) -> None:
    """Verify that a bundle's entry and tree head are of this log, and not of a branch with the same key.

    Args:
        bundle: whose inclusion in the tree head that it names has been verified.
        log: the log.
        roots: the log's heads at the sizes that bundles name (`prefix_roots`).

    Raises:
        EvidenceInvalidError: they are not.
    """
    proof = bundle.log
    if proof.index >= len(log.leaves) or log.leaves[proof.index] != proof.entry_body:
        raise EvidenceInvalidError(f"entry {proof.index} of this log is another one")
    if roots.get(proof.tree_size) != proof.root_hash:
        raise EvidenceInvalidError(f"its tree head of size {proof.tree_size} is not a head of this log")


def verify_rotations(rotations: Sequence[Verified], log: Log) -> None:
    """Verify that the statements which led to a root are entries of its own log, where others could see them.

    Raises:
        EvidenceInvalidError: one is not.
    """
    for item in rotations:
        proof = item.bundle.log
        if proof.index >= len(log.leaves) or log.leaves[proof.index] != proof.entry_body:
            raise EvidenceInvalidError(f"rotation {item.digest.short} is not an entry of this log")


def encode_consistency(hashes: Sequence[bytes]) -> bytes:
    """Write a consistency proof as canonical JSON: `{"hashes": [base64, …]}`."""
    return canonical_json({"hashes": [b64encode(item) for item in hashes]})


def verify_seal_follows(proof: bytes, head: Checkpoint, seal: Bundle) -> None:
    """Verify that the seal was logged after the checkpoint, in a tree that continues it (RFC 9162 §2.1.4.2).

    Raises:
        EvidenceInvalidError: the seal is of another log or another branch of it.
    """
    what = "consistency proof"
    document = parse_json_object(proof, what=what)
    hashes = document.get("hashes")
    if document.keys() != {"hashes"} or not isinstance(hashes, list) or len(hashes) > MAX_PROOF_HASHES:
        raise MalformedError(f"{what}: not a list of at most {MAX_PROOF_HASHES} hashes")
    decoded = [b64decode(item, what=what) for item in hashes]
    if encode_consistency(decoded) != proof:
        raise MalformedError(f"{what}: not in canonical JSON")
    if seal.log.index < head.size:
        raise EvidenceInvalidError("the seal was logged before the checkpoint it is to seal")
    verify_consistency(head.size, head.root, seal.log.tree_size, seal.log.root_hash, decoded)
