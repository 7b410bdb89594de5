"""Check that every log entry has a bundle among the blobs that rebuilds to it and proves its place.

An entry whose payload stayed with its signer has a bare record instead. That is enough only for signers from
elsewhere: what a role of this log's own trust domain signed is evidence, and has to be here in full.

Every blob is hashed on the way, evidence or not. Other bundles may lie there too, of other logs or made up:
they are passed over. A checkpoint that this log's key signed is never passed over: if it speaks of a larger
tree, or of another tree of its size, the log was rolled back or forked, and that is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.errors import EvidenceInvalidError, MalformedError, PratiqueError
from pratique.trust.bundle import (
    LOG_ENTRY_START,
    Bundle,
    LogProof,
    key_id_of,
    parse_bundle,
    parse_log_entry,
)
from pratique.trust.certificate import certificate_identity, load_certificate
from pratique.trust.entry import entry_signer, leaf_of
from pratique.trust.identity import is_role
from pratique.trust.merkle import leaf_hash, verify_inclusion
from pratique.trust.note import Checkpoint, log_key_id, verify_checkpoint
from pratique.trust.scheme import ECDSA_P256, entry_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.journal.tilecheck import Tree
    from pratique.model.digest import Digest
    from pratique.store.blobs import BlobStore

_BUNDLE_START = b'{"dsseEnvelope":'  # canonical JSON, as this journal writes its bundles


def check_bundles(
    tree: Tree,
    checkpoint: Checkpoint,
    keys: Sequence[Ed25519PublicKey],
    *,
    blobs: BlobStore,
    expected: Mapping[int, Digest],
) -> list[str]:
    """Match bundles and entries.

    Args:
        tree: the log's tree.
        checkpoint: its tree head, verified.
        keys: the key that signs its checkpoints, and those that did before.
        blobs: where its bundles are.
        expected: bundle digests by entry, as far as somebody (the sequencer) claims to know them; they only
            help to name what is missing.

    Returns:
        what is wrong, one sentence for each blob or entry.
    """
    check = _BundleCheck(tree, checkpoint, keys)
    problems: list[str] = []
    for digest in blobs:
        try:
            data = _read_bundle(blobs, digest)
        except PratiqueError as error:
            problems.append(error.message)
            continue
        if data is None:
            continue
        if data.startswith(LOG_ENTRY_START):
            check.bare(digest, data, expected)
        else:
            check.candidate(digest, data)
    problems += check.forks
    for position in range(checkpoint.size):
        if position not in check.proven:
            problems.append(_unproven(position, expected.get(position), check.refused.get(position), blobs))
    return problems


def _unproven(position: int, digest: Digest | None, reason: str | None, blobs: BlobStore) -> str:
    if reason:
        return f"entry {position}: {reason}"
    if digest is None:
        return f"entry {position}: no blob is its bundle"
    state = "is damaged" if blobs.has(digest) else "is missing"
    return f"entry {position}: its bundle {digest} {state} ({blobs.path(digest)})"


def _read_bundle(blobs: BlobStore, digest: Digest) -> bytes | None:
    with blobs.open(digest) as stream:
        start = stream.read(max(len(_BUNDLE_START), len(LOG_ENTRY_START)))
        return start + stream.read() if start.startswith((_BUNDLE_START, LOG_ENTRY_START)) else None


class _BundleCheck:
    def __init__(self, tree: Tree, checkpoint: Checkpoint, keys: Sequence[Ed25519PublicKey]) -> None:
        self._tree = tree
        self._head = checkpoint
        self._keys = {log_key_id(checkpoint.origin, key): key for key in keys}
        self._heads: dict[str, str] = {}
        self.proven: set[int] = set()
        self.refused: dict[int, str] = {}
        self.forks: list[str] = []

    def candidate(self, digest: Digest, data: bytes) -> None:
        """Judge one blob that starts like a bundle."""
        try:
            bundle = parse_bundle(data)
        except EvidenceInvalidError:
            return
        if bundle.log.log_id not in self._keys:
            return
        position = bundle.log.index
        try:
            head = verify_checkpoint(bundle.log.checkpoint, self._head.origin, self._keys[bundle.log.log_id])
            if problem := self._head_problem(head, bundle.log.checkpoint):
                self.forks.append(f"bundle {digest}: its head of size {head.size} is signed, but {problem}")
            self._verify(bundle, head)
        except EvidenceInvalidError as error:
            self.refused[position] = f"bundle {digest}: {error.message}"
        else:
            self.proven.add(position)

    def bare(self, digest: Digest, data: bytes, expected: Mapping[int, Digest]) -> None:
        """Judge one blob that starts like a bare entry's record."""
        try:
            log = parse_log_entry(data)
        except EvidenceInvalidError:
            return
        if log.log_id not in self._keys:
            return
        try:
            head = verify_checkpoint(log.checkpoint, self._head.origin, self._keys[log.log_id])
            if problem := self._head_problem(head, log.checkpoint):
                self.forks.append(
                    f"log entry {digest}: its head of size {head.size} is signed, but {problem}"
                )
            self._verify_place(log, head)
        except EvidenceInvalidError as error:
            self.refused[log.index] = f"log entry {digest}: {error.message}"
            return
        if expected.get(log.index, digest) != digest or _signed_by_role(log.entry_body, self._head.origin):
            self.refused[log.index] = f"log entry {digest}: only the bare entry of what was evidence is left"
        else:
            self.proven.add(log.index)

    def _head_problem(self, head: Checkpoint, text: str) -> str:
        """Give what is wrong with a tree head that the log did sign; bundles of one batch share it."""
        if text not in self._heads:
            self._heads[text] = (
                f"its published checkpoint is of size {self._head.size}: it was rolled back"
                if head.size > self._head.size
                else self._tree.root_problem(head.size, head.root)
            )
        return self._heads[text]

    def _verify(self, bundle: Bundle, head: Checkpoint) -> None:
        self._verify_place(bundle.log, head)
        scheme, public_key = _signing_key(bundle)
        rebuilt = leaf_of(bundle.signed(public_key, scheme))
        if bundle.entry_kind != entry_kind(scheme) or rebuilt != bundle.log.entry_body:
            raise EvidenceInvalidError("it does not rebuild to its log entry")

    def _verify_place(self, log: LogProof, head: Checkpoint) -> None:
        if (head.size, head.root) != (log.tree_size, log.root_hash):
            raise EvidenceInvalidError("its proof is for another tree head than its checkpoint's")
        leaf = leaf_hash(log.entry_body)
        if log.index >= self._head.size or self._tree.leaves[log.index] != leaf:
            raise EvidenceInvalidError("the entry it carries is not the one in the log")
        verify_inclusion(leaf, log.index, head.size, log.hashes, head.root)


def _signed_by_role(leaf: bytes, origin: str) -> bool:
    """Say whether a role of the log's own trust domain signed an entry."""
    try:
        certificate = entry_signer(leaf).certificate
        return bool(certificate) and is_role(certificate_identity(load_certificate(certificate)), origin)
    except EvidenceInvalidError:
        return False  # whatever it is, this authority certified none such


def _signing_key(bundle: Bundle) -> tuple[str, bytes | None]:
    """Take scheme and public key from the entry: a key's bundle itself only has the key's digest."""
    if bundle.key_id is None:
        return ECDSA_P256, None
    try:
        signer = entry_signer(bundle.log.entry_body)
    except MalformedError as error:
        raise EvidenceInvalidError("a key signed it, and its log entry has no key") from error
    if signer.certificate or key_id_of(signer.public_key) != bundle.key_id:
        raise EvidenceInvalidError("its log entry is of another key than its own")
    return signer.scheme, signer.public_key
