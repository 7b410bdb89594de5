"""Witnesses: who else has seen this log, and that it showed all of them the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pratique.errors import ConfigError, EvidenceInvalidError, MalformedError, UsageError
from pratique.journal.addcheckpoint import Request, encode_request, parse_proof, parse_request
from pratique.journal.cosignatures import Cosignatures
from pratique.journal.tlogproof import TlogProof, encode_proof, verify_proof
from pratique.journal.witness import ConflictError, Witness
from pratique.trust.bundle import parse_bundle
from pratique.trust.cosignature import parse_vkey, verify_head
from pratique.trust.keys import MAX_KEY_BYTES
from pratique.trust.note import ED25519
from pratique.trust.root import MAX_ROOT_BYTES, TrustedRoot, parse_root
from pratique.trust.verify import log_public_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.flow.workspace import Workspace
    from pratique.journal.journal import Journal
    from pratique.journal.witness import Cosigned
    from pratique.model.clock import Clock
    from pratique.model.digest import Digest
    from pratique.trust.cosignature import VerifierKey

Logs = dict[str, list[Ed25519PublicKey]]
"""The keys of the logs to believe, by origin."""


def logs_of_root(root: TrustedRoot, clock: Clock) -> Logs:
    """Give the logs that a trusted root believes now.

    Raises:
        EvidenceInvalidError: one of its keys cannot be used.
    """
    now = clock()
    logs: Logs = {}
    for log in root.tlogs:
        if log.valid_for.contains(now):
            logs.setdefault(log.origin, []).append(log_public_key(log))
    return logs


def logs_given(specifications: Sequence[str], clock: Clock) -> Logs:
    """Take logs from the command line, each `ORIGIN=FILE` or just the file of a trusted root.

    FILE is a PEM public key (Ed25519), a C2SP verifier key, or a trusted root that knows the origin.

    Raises:
        UsageError: no log, or a file that cannot be read.
        ConfigError: a file without such a key.
        EvidenceInvalidError: a trusted root that does not parse.
    """
    logs: Logs = {}
    for given in specifications:
        origin, equals, name = given.partition("=")
        path = Path(name if equals else given)
        data = _read(path, MAX_ROOT_BYTES)
        if not equals or data.lstrip().startswith(b"{"):
            believed = logs_of_root(parse_root(data), clock)
            found = {origin: believed.get(origin, [])} if equals else believed
        else:
            found = {origin: [_log_key(path, data, origin)]}
        if not any(found.values()):
            raise ConfigError(
                f"{path} knows no log{f' {origin}' if equals else ''} that is to be believed now"
            )
        for name_, keys in found.items():
            logs.setdefault(name_, []).extend(keys)
    if not logs:
        raise UsageError("no log to watch", hint="--log ORIGIN=FILE, or --log trusted_root.json")
    return logs


def witnesses_given(files: Sequence[Path]) -> list[VerifierKey]:
    """Load witnesses' verifier keys, one a line.

    Raises:
        UsageError: a file that cannot be read.
        ConfigError: a line that is no witness's verifier key.
    """
    found: list[VerifierKey] = []
    for path in files:
        for line in _read(path, MAX_KEY_BYTES).decode("utf-8", "replace").splitlines():
            try:
                found.append(parse_vkey(line))
            except MalformedError as error:
                raise ConfigError(f"{path}: {error.message}") from error
    return found


def answer(folder: Path, checkpoint: bytes, proof: bytes | None, *, logs: Logs, clock: Clock) -> Cosigned:
    """Let the witness of a folder cosign a checkpoint, or the body of an `add-checkpoint` request.

    Where the witness turns out to have that very head already, it cosigns again: so a request that was cut
    short can be repeated as it is.

    Args:
        folder: the witness's.
        checkpoint: a signed checkpoint, alone or behind its proof.
        proof: the lines before the checkpoint, when they came apart.
        logs: whom to cosign for.
        clock: the time.

    Raises:
        UsageError: two proofs, or one from another size than the newest cosigned.
        EvidenceInvalidError: see `Witness.cosign`.
    """
    request = parse_request(_text(checkpoint, "the checkpoint"))
    if proof is not None:
        if request.old is not None:
            raise UsageError("the checkpoint has a proof before it already", hint="leave out --proof")
        old, hashes = parse_proof(_text(proof, "the proof").rstrip("\n") + "\n")
        request = Request(old, hashes, request.checkpoint)
    witness = Witness.open(folder)
    try:
        return witness.cosign(request, logs, clock)
    except ConflictError as conflict:
        if verify_head(request.checkpoint, logs).size != conflict.size:
            raise
        return witness.cosign(Request(conflict.size, (), request.checkpoint), logs, clock)


def request_from(journal: Journal, old: int) -> str:
    """Write what a witness that knows this log at size `old` is asked: proof and checkpoint.

    Raises:
        UsageError: the log is not that large.
        EvidenceInvalidError: its files are damaged.
    """
    note = journal.checkpoint()
    size = journal.head().size
    if size < old:
        raise UsageError(f"the log has {size} entries, and no proof can start from {old}")
    return encode_request(Request(old, journal.prove_consistency(old, size), note))


def cosignatures(workspace: Workspace) -> Cosignatures:
    """Give what was collected for this journal's log."""
    key = workspace.authority.log_key.public_key()
    return Cosignatures(workspace.home, workspace.journal.origin, key)


def prove(workspace: Workspace, evidence: Digest) -> str:
    """Prove one piece of evidence to be in the log, under the tree head that most witnesses cosigned.

    Raises:
        EvidenceInvalidError: it is not there, or the log's files are damaged.
    """
    journal = workspace.journal
    log = parse_bundle(journal.get(evidence)).log
    note = cosignatures(workspace).best(log.index) or journal.checkpoint()
    logs = {journal.origin: [workspace.authority.log_key.public_key()]}
    head = verify_head(note, logs)
    if log.index >= head.size:
        raise EvidenceInvalidError(f"{evidence} is not in this log: it is of entry {log.index}")
    text = encode_proof(TlogProof(log.index, journal.prove_inclusion(log.index, head.size), note))
    verify_proof(text, log.entry_body, logs)  # a bundle of another log fails here
    return text


def _log_key(path: Path, data: bytes, origin: str) -> Ed25519PublicKey:
    try:
        if data.startswith(b"-----BEGIN"):
            key = load_pem_public_key(data)
            if isinstance(key, Ed25519PublicKey):
                return key
        else:
            vkey = parse_vkey(data.decode().removesuffix("\n"), ED25519)
            if vkey.name == origin:
                return vkey.public_key
    except (ValueError, UnsupportedAlgorithm, MalformedError) as error:
        raise ConfigError(f"{path} has no key of a log: {error}") from error
    raise ConfigError(f"{path} has no Ed25519 key of the log {origin}")


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(limit)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedError(f"{what} is not UTF-8 text") from error
