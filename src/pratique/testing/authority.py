"""An ephemeral trust root with a clock that tests set, and a log in memory that completes bundles.

authority, clock = make_authority(tmp_path)
log = MemoryLog(authority)
data = log.append(authority.signer("builder").sign(statement))
verify_bundle(data, authority.trusted_root)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from pratique.trust.authority.init import Authority, initialise
from pratique.trust.bundle import LogProof, Signed, encode_bundle
from pratique.trust.entry import leaf_of
from pratique.trust.identity import EnrolledKey
from pratique.trust.keys import generate_key, spki
from pratique.trust.merkle import EMPTY_ROOT, leaf_hash, node_hash
from pratique.trust.note import Checkpoint, sign_checkpoint
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.statement import KeySigner
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

START: Final = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)


class SettableClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, moment: datetime = START) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        """Give the moment it is set to."""
        return self.moment

    def advance(self, **amount: float) -> datetime:
        """Move the time on, as `timedelta(**amount)`, and give it."""
        self.moment += timedelta(**amount)
        return self.moment


def make_authority(
    folder: Path, *, trust_domain: str = "pratique.local", moment: datetime = START
) -> tuple[Authority, SettableClock]:
    """Make an authority in `folder/trust` and load it, with its clock at `moment`."""
    clock = SettableClock(moment)
    initialise(folder / "trust", trust_domain=trust_domain, clock=clock)
    return Authority.load(folder / "trust", clock), clock


class World(NamedTuple):
    """An authority with a log of a few entries, and a bundle of each kind.

    Attributes:
        authority: an authority for `pratique.local`.
        clock: its clock.
        log: its log.
        key_signer: signs with the key of a person, ann.
        keys: ann's key as enrolled, by key id.
        statement: what the two bundles claim.
        by_certificate: a bundle by the role builder, entry 3 of the log.
        by_key: a bundle by ann, entry 4.
    """

    authority: Authority
    clock: SettableClock
    log: MemoryLog
    key_signer: KeySigner
    keys: dict[str, EnrolledKey]
    statement: Statement
    by_certificate: bytes
    by_key: bytes


def make_world(folder: Path) -> World:
    """Make a `World` in an empty folder."""
    authority, clock = make_authority(folder)
    log = MemoryLog(authority)
    private_key = generate_key(folder / "ann.pem")
    key_signer = KeySigner(LocalKey(private_key), authority.timestamp)
    keys = {key_signer.identity.subject: EnrolledKey(spki(private_key.public_key()), "ann", START)}
    subject = Subject("app.whl", {"sha256": "ab" * 32})
    statement = Statement((subject,), "https://slsa.dev/provenance/v1", {"answer": 42})
    for role in ("runner", "scanner", "verifier"):
        log.append(authority.signer(role).sign(statement))
    by_certificate = log.append(authority.signer("builder").sign(statement))
    by_key = log.append(key_signer.sign(statement))
    return World(authority, clock, log, key_signer, keys, statement, by_certificate, by_key)


class MemoryLog:
    """A transparency log in memory: appends one entry at a time and signs every tree head."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._leaves: list[bytes] = []

    def append(self, signed: Signed) -> bytes:
        """Log a signature and give its complete bundle."""
        body = leaf_of(signed)
        self._leaves.append(leaf_hash(body))
        size, root = len(self._leaves), tree_root(self._leaves)
        checkpoint = Checkpoint(self._authority.trust_domain, size, root)
        proof = LogProof(
            index=size - 1,
            tree_size=size,
            root_hash=root,
            hashes=tuple(inclusion_path(self._leaves, size - 1)),
            checkpoint=sign_checkpoint(checkpoint, self._authority.log_key),
            log_id=self._authority.trusted_root.tlogs[0].log_id,
            entry_body=body,
        )
        return encode_bundle(signed, proof)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Compute a tree head the slow way that defines it (RFC 6962 §2.1, MTH over leaf hashes)."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else EMPTY_ROOT
    split = _split(len(leaves))
    return node_hash(tree_root(leaves[:split]), tree_root(leaves[split:]))


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Compute an inclusion proof the slow way that defines it (RFC 6962 §2.1.1, PATH)."""
    if len(leaves) <= 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_path(leaves[:split], index), tree_root(leaves[split:])]
    return [*inclusion_path(leaves[split:], index - split), tree_root(leaves[:split])]


def consistency_path(leaves: Sequence[bytes], first_size: int) -> list[bytes]:
    """Compute a consistency proof the slow way that defines it (RFC 6962 §2.1.2, PROOF)."""
    return _subproof(leaves, first_size, whole=True) if 0 < first_size < len(leaves) else []


def _subproof(leaves: Sequence[bytes], first_size: int, *, whole: bool) -> list[bytes]:
    if first_size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = _split(len(leaves))
    if first_size <= split:
        return [*_subproof(leaves[:split], first_size, whole=whole), tree_root(leaves[split:])]
    return [*_subproof(leaves[split:], first_size - split, whole=False), tree_root(leaves[:split])]


def _split(size: int) -> int:
    """Give the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
