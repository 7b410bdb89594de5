"""Being a witness: cosign a log's tree heads, and never two that contradict each other.

C2SP tlog-witness, `add-checkpoint`, as files and function calls (https://c2sp.org/tlog-witness). The folder:

    witness.key, witness.vkey       the key (0600), and what others need to know it
    lock                            held from the check to the signature
    heads/<hash>                    the newest tree head of each log; on the disk before it is cosigned
    checkpoints/<hash>/checkpoint   the same, cosigned: a server's monitoring prefix could point here
    misbehaviour/                   pairs of checkpoints that were refused

where <hash> is the hex SHA-256 of the log's origin. Killed anywhere, a witness has at worst remembered a head
that it did not cosign yet; the same head is cosigned when it is asked again.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NoReturn, Self

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pratique.errors import (
    ConfigError,
    EvidenceInvalidError,
    InfrastructureError,
    MalformedError,
    SignatureInvalidError,
    UsageError,
)
from pratique.store.atomic import locked, make_folder, write_all_atomic, write_atomic
from pratique.trust.cosignature import (
    VerifierKey,
    cosign,
    log_vkey,
    parse_vkey,
    text_of,
    trimmed,
    verify_head,
)
from pratique.trust.keys import read_private_file, write_new_file
from pratique.trust.merkle import EMPTY_ROOT, verify_consistency
from pratique.trust.note import Checkpoint, parse_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from pratique.journal.addcheckpoint import Request
    from pratique.model.clock import Clock

LOCK_WAIT_SECONDS: Final = 30.0
_ORIGIN_HASH = re.compile(r"[0-9a-f]{64}\Z")


class ConflictError(UsageError):
    """The request starts from another size than the newest one cosigned, `size` (HTTP's 409 Conflict)."""

    def __init__(self, origin: str, size: int) -> None:
        super().__init__(
            f"this witness knows {origin} at size {size}: a proof from there is needed",
            hint=f"pratique log checkpoint --with-proof-from {size}",
        )
        self.size = size


class MisbehaviourError(EvidenceInvalidError):
    """A log contradicts itself: `kind` is fork, rollback or unproven."""

    def __init__(self, kind: str, message: str, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.kind = kind


class Cosigned(msgspec.Struct, frozen=True):
    """What a witness answers.

    Attributes:
        head: the tree head.
        line: the cosignature, a signature line with its newline.
        checkpoint: the checkpoint with the log's signature and this one.
        timestamp: seconds since the epoch.
    """

    head: Checkpoint
    line: str
    checkpoint: str
    timestamp: int


class Witness:
    """One witness with its key and its memory, in a folder. Processes may share the folder."""

    def __init__(self, folder: Path, vkey: VerifierKey, key: Ed25519PrivateKey) -> None:
        self.folder = folder
        self.vkey = vkey
        self._key = key

    @classmethod
    def create(cls, folder: Path, name: str) -> Self:
        """Make a witness with a new key in a folder that has none.

        Raises:
            UsageError: there is a witness already, or not a name for one.
        """
        key = Ed25519PrivateKey.generate()
        vkey = VerifierKey(name, key.public_key().public_bytes_raw())
        try:
            parse_vkey(str(vkey))
        except MalformedError as error:
            raise UsageError(
                f"not a witness's name: {name[:80]!r}",
                hint="a URL without its scheme: witness.example.com/w1",
            ) from error
        try:
            make_folder(folder)
        except OSError as error:
            raise InfrastructureError(f"cannot make {folder}: {error.strerror}") from error
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_new_file(folder / "witness.key", pem)
        write_new_file(folder / "witness.vkey", f"{vkey}\n".encode())
        return cls(folder, vkey, key)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the witness of a folder.

        Raises:
            ConfigError: there is none, others can touch its key, or key and name do not belong together.
        """
        pem = read_private_file(folder / "witness.key")
        path = folder / "witness.vkey"
        try:
            key = load_pem_private_key(pem, password=None)
            vkey = parse_vkey(path.read_text(encoding="utf-8").removesuffix("\n"))
        except (OSError, TypeError, ValueError, UnsupportedAlgorithm, MalformedError) as error:
            raise ConfigError(f"{folder} is not a witness's folder: {error}") from error
        if not isinstance(key, Ed25519PrivateKey) or key.public_key().public_bytes_raw() != vkey.key:
            raise ConfigError(f"{path} is of another key than witness.key")
        return cls(folder, vkey, key)

    def head(self, origin: str) -> Checkpoint | None:
        """Give the newest tree head of a log that this witness cosigned, or was about to.

        Raises:
            EvidenceInvalidError: the file is damaged; nothing of that log is cosigned until it is restored.
        """
        note = self._remembered(origin)
        return None if note is None else _head_of(note)

    def published(self, origin_hash: str) -> str:
        """Give the newest cosigned checkpoint of a log (the monitoring prefix of tlog-witness).

        Args:
            origin_hash: hex SHA-256 of the log's origin.

        Raises:
            EvidenceInvalidError: nothing of such a log was cosigned.
        """
        path = self.folder / "checkpoints" / origin_hash / "checkpoint"
        if not _ORIGIN_HASH.match(origin_hash) or not path.is_file():
            raise EvidenceInvalidError("no checkpoint of such a log was cosigned")
        return path.read_text(encoding="utf-8")

    def cosign(
        self, request: Request, logs: Mapping[str, Sequence[Ed25519PublicKey]], clock: Clock
    ) -> Cosigned:
        """Cosign a checkpoint if it continues everything cosigned of that log before.

        The head is on the disk before the cosignature is made. The same head is cosigned as often as asked.

        Args:
            request: the checkpoint, and the proof from the newest size cosigned.
            logs: the keys of the logs to watch, by origin.
            clock: the time; read once the head is remembered.

        Raises:
            MalformedError: the request is not one.
            SignatureInvalidError: the log is unknown, or did not sign this.
            ConflictError: the proof starts elsewhere, or is missing.
            MisbehaviourError: a fork, a log that shrank, or a proof that does not hold; nothing was signed,
                and both checkpoints were kept.
        """
        head = verify_head(request.checkpoint, logs)
        signers = [log_vkey(head.origin, key) for key in logs[head.origin]]
        note = trimmed(request.checkpoint, signers)
        with locked(self.folder / "lock", wait=LOCK_WAIT_SECONDS):
            self._check(head, note, request)
            write_atomic(self._head_path(head.origin), note.encode())
            timestamp = int(clock().timestamp())
            line = cosign(text_of(note), self.vkey.name, self._key, timestamp)
            cosigned = note + line
            published = self.folder / "checkpoints" / _origin_hash(head.origin) / "checkpoint"
            write_atomic(published, cosigned.encode())
        return Cosigned(head, line, cosigned, timestamp)

    def _check(self, head: Checkpoint, note: str, request: Request) -> None:
        remembered = self._remembered(head.origin)
        known = Checkpoint(head.origin, 0, EMPTY_ROOT) if remembered is None else _head_of(remembered)
        if remembered is not None and head.size < known.size:
            self._refuse("rollback", remembered, note)
        if remembered is not None and head.size == known.size and head.root != known.root:
            self._refuse("fork", remembered, note)
        old = known.size if request.old is None and known.size in (0, head.size) else request.old
        if old != known.size:
            raise ConflictError(head.origin, known.size)
        try:
            verify_consistency(known.size, known.root, head.size, head.root, request.proof)
        except SignatureInvalidError as error:
            if remembered is None:
                raise
            self._refuse("unproven", remembered, note, error.message)

    def _refuse(self, kind: str, remembered: str, offered: str, detail: str = "") -> NoReturn:
        kept = keep_both(self.folder / "misbehaviour", kind, remembered, offered)
        what = contradiction(kind, _head_of(remembered), _head_of(offered), detail)
        raise MisbehaviourError(
            kind,
            f"REFUSED TO COSIGN: {what}; both checkpoints are kept in {kept}",
            hint="show them to all who rely on this log; until it is explained, believe nothing it says",
        )

    def _remembered(self, origin: str) -> str | None:
        path = self._head_path(origin)
        try:
            note = path.read_text(encoding="utf-8")
            if _head_of(note).origin == origin:
                return note
        except FileNotFoundError:
            return None
        except (MalformedError, UnicodeDecodeError):
            pass
        except OSError as error:
            raise InfrastructureError(f"cannot read {path}: {error.strerror}") from error
        raise EvidenceInvalidError(
            f"{path} is damaged; nothing of {origin} is cosigned without it", hint="restore the newest copy"
        )

    def _head_path(self, origin: str) -> Path:
        return self.folder / "heads" / _origin_hash(origin)


def contradiction(kind: str, known: Checkpoint, offered: Checkpoint, detail: str = "") -> str:
    """Say in what a log contradicts itself: `kind` is fork, rollback or unproven."""
    origin = known.origin
    if kind == "rollback":
        return (
            f"the log {origin} shrank from {known.size} entries to {offered.size}, "
            "or this is an old checkpoint of it"
        )
    if kind == "fork":
        return (
            f"FORK: the log {origin} signed two trees of {known.size} entries, "
            f"with roots {known.root.hex()} and {offered.root.hex()}"
        )
    return (
        f"the log {origin} at {offered.size} entries is not shown to continue its tree of {known.size}: "
        f"either history was changed or the proof is wrong ({detail})"
    )


def keep_both(folder: Path, kind: str, earlier: str, offered: str) -> Path:
    """Keep two statements of a log that contradict each other, durably; the same pair is kept once.

    Returns:
        the new folder, with the files `earlier` and `offered`.
    """
    digest = sha256(f"{len(earlier)}\n{earlier}{offered}".encode()).hexdigest()
    kept = folder / f"{kind}-{digest[:16]}"
    if not (kept / "offered").exists():
        write_all_atomic([(kept / "earlier", earlier.encode()), (kept / "offered", offered.encode())])
    return kept


def _head_of(note: str) -> Checkpoint:
    return parse_checkpoint(text_of(note))


def _origin_hash(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()
