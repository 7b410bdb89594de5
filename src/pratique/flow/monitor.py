"""Monitoring a log: one round at a time, with an eye on who signs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.witness import logs_of_root
from pratique.journal.monitor import Judge, Round, follow
from pratique.trust import entry as trust_entry
from pratique.trust.bundle import key_id_of
from pratique.trust.certificate import certificate_identity, load_certificate, verify_chain
from pratique.trust.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.model.clock import Clock
    from pratique.trust.root import TrustedRoot


class Followed(msgspec.Struct, frozen=True):
    """One round of a monitor, and the folder it read."""

    folder: Path
    round: Round


def follow_log(
    path: Path, *, state: Path, root: TrustedRoot, expected: Sequence[str], clock: Clock
) -> Followed:
    """Do one round of monitoring on a log's tiles, a journal folder or a state directory.

    Args:
        path: one of the three.
        state: what the monitor remembers.
        root: names the logs, and the authorities of signers.
        expected: patterns of the signers that may appear, as `Identity` writes them; none: anyone may.
        clock: the time.

    Raises:
        UsageError: there is no checkpoint in any of the places.
        EvidenceInvalidError: see `monitor.follow`.
    """
    for folder in (path / "journal" / "tiles", path / "tiles", path):
        if (folder / "checkpoint").is_file() or (folder / "tile").is_dir():
            judge = expecting(root, expected) if expected else None
            return Followed(folder, follow(folder, state=state, logs=logs_of_root(root, clock), judge=judge))
    raise UsageError(f"{path} holds no log: neither checkpoint nor tiles")


def expecting(root: TrustedRoot, patterns: Sequence[str]) -> Judge:
    """Make a judge that names every entry of a signer nobody expects.

    The signer is read from the entry, which every log has, and not from the bundle, which a dishonest one
    would keep to itself. A certificate counts if an authority of the root issued it.
    """

    def judge(index: int, entry: bytes) -> str:
        try:
            signer = str(entry_signer(entry, root))
        except EvidenceInvalidError as error:
            return f"entry {index}: {error.message}"
        if any(fnmatchcase(signer, pattern) for pattern in patterns):
            return ""
        return f"entry {index}: signed by {signer}"

    return judge


def entry_signer(entry: bytes, root: TrustedRoot) -> Identity:
    """Read who signed, from a log entry.

    Raises:
        MalformedError: another kind of entry.
        SignatureInvalidError: a certificate that no authority of the root issued.
    """
    signer = trust_entry.entry_signer(entry)
    if not signer.certificate:
        return Identity("key", key_id_of(signer.public_key))
    leaf = load_certificate(signer.certificate, what="its certificate")
    verify_chain(leaf, root, leaf.not_valid_before_utc)
    return certificate_identity(leaf)
