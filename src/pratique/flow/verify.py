"""Verifying an artifact by evidence that others made: which artifact, which root, whose word."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm

from pratique.errors import (
    ConfigError,
    CouldNotCheckError,
    EvidenceInvalidError,
    MalformedError,
    SignatureInvalidError,
    UsageError,
)
from pratique.model.digest import Digest, parse_digest, sha256_bytes
from pratique.trust.acceptance import Acceptance, Artifact, Aside, Outcome, Role, evaluate, is_about
from pratique.trust.acceptance_file import parse_acceptance, predicate_type
from pratique.trust.bundle import MAX_BUNDLE_BYTES
from pratique.trust.encoding import b64decode
from pratique.trust.foreign.table import read_evidence
from pratique.trust.identity import KEYS_ALONE, is_root_name
from pratique.trust.imported import keys_alone
from pratique.trust.keyring import KeyRing, make_keyring
from pratique.trust.pattern import IdentityPattern, parse_pattern
from pratique.trust.publickey import PublicKey, as_public_key
from pratique.trust.revocation import RevokedError, refuse_revoked_entity
from pratique.trust.rootfile import ROOT_FILE, load_root
from pratique.trust.spki import decode_spki
from pratique.trust.verify import verify_entity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.flow.workspace import Workspace
    from pratique.trust.established import Established
    from pratique.trust.revocation import Revocation
    from pratique.trust.root import TrustedRoot

COMMAND_LINE: Final = "named on the command line"
MAX_FILES: Final = 4096
MAX_POLICY_BYTES: Final = 1024 * 1024
_ALGORITHMS: Final = ("sha256", "sha384", "sha512")
_CHUNK: Final = 1024 * 1024
_MAX_KEYS_BYTES: Final = 64 * 1024
_PEM_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----\n?", re.DOTALL)


class Given(msgspec.Struct, frozen=True):
    """Whom the caller trusts, as given.

    Attributes:
        policy: a policy file, or None.
        identity: a pattern over certificate subjects, with its issuer's; both empty for none.
        issuer: see there.
        keys: files of public keys.
        predicate_type: what the signers on the command line may sign; empty for anything.
        max_age_days: how old their signatures may be.
    """

    policy: Path | None = None
    identity: str = ""
    issuer: str = ""
    keys: tuple[Path, ...] = ()
    predicate_type: str = ""
    max_age_days: int | None = None


class Unknown(msgspec.Struct, frozen=True):
    """Evidence that could not be judged here, and why: it counts for nothing."""

    file: str
    reason: str
    hint: str


class Held(msgspec.Struct, frozen=True):
    """A signature that held.

    Attributes:
        file: where it is from.
        position: which of the file's signatures it is, from 0.
        established: what it establishes.
        about: whether it is about the artifact.
        revoked: what it rests on that was revoked, in words; empty where nothing is known to be.
    """

    file: str
    position: int
    established: Established
    about: bool
    revoked: str = ""


class Asked(msgspec.Struct, frozen=True):
    """A journal that was asked what no longer counts: where, what it said, and how many entries it had."""

    home: Path
    revocations: tuple[Revocation, ...]
    log_size: int

    def __str__(self) -> str:
        return f"asked the journal in {self.home}: {len(self.revocations)} in {self.log_size} entries"

    @property
    def plain(self) -> dict[str, Any]:
        """That as JSON has it."""
        return {
            "journal": str(self.home),
            "revocations": len(self.revocations),
            "logSize": self.log_size,
        }


class Judged(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        artifact: what was verified.
        evidence: each signature that held.
        files: the bytes of the files, by their SHA-256.
        unknown: evidence that could not be judged.
        policy: whom the caller trusts, or None for nobody.
        outcome: how the policy looks at it, or None without one.
        root: the trusted root.
        unsound: evidence that does not hold under this root, where that does not spoil the rest.
    """

    artifact: Artifact
    evidence: tuple[Held, ...]
    files: dict[Digest, bytes]
    unknown: tuple[Unknown, ...]
    policy: Acceptance | None
    outcome: Outcome | None
    root: TrustedRoot
    unsound: tuple[Unknown, ...] = ()

    @property
    def accepted(self) -> bool:
        """Say whether every role is filled."""
        return self.outcome is not None and self.outcome.accepted


def judge(
    artifact: Artifact,
    files: Sequence[Path],
    root: TrustedRoot,
    given: Given,
    *,
    revocations: Sequence[Revocation] = (),
    now: datetime,
) -> Judged:
    """Verify every signature in the files, then ask the policy (I/O: reads the files).

    Args:
        artifact: what is verified.
        files: of evidence.
        root: what to believe.
        given: whom the caller trusts.
        revocations: what a journal says no longer counts, beside what the policy says.
        now: the time.

    Raises:
        EvidenceInvalidError: one does not hold; the message names its file and the step. One bad signature
            spoils the whole: it is there to be believed, and is not what it claims to be.
        UsageError: a file that cannot be read.
        ConfigError: a policy or key that cannot be used.
    """
    contents = [(str(file), _read(file, MAX_BUNDLE_BYTES)) for file in files]
    return judge_contents(artifact, contents, root, given, revocations=revocations, now=now)


def judge_contents(
    artifact: Artifact,
    files: Sequence[tuple[str, bytes]],
    root: TrustedRoot,
    given: Given,
    *,
    revocations: Sequence[Revocation] = (),
    now: datetime,
    spoils: bool = True,
) -> Judged:
    """Verify every signature in what was read, then ask the policy.

    Args:
        artifact: what is verified.
        files: names and bytes of evidence.
        root: what to believe.
        given: whom the caller trusts.
        revocations: see `judge`.
        now: the time.
        spoils: whether what does not hold spoils the whole. It does where the caller gave it to be believed;
            what anybody may attach to an image, for any root, is set aside instead, and said.

    Raises:
        EvidenceInvalidError: see `judge`.
        ConfigError: a policy or key that cannot be used.
    """
    policy, keys = _policy(given)
    found: list[Held] = []
    unknown: list[Unknown] = []
    unsound: list[Unknown] = []
    contents: dict[Digest, bytes] = {}
    for file, data in files:
        contents[sha256_bytes(data)] = data
        try:
            for position, entity in enumerate(read_evidence(data)):
                try:
                    item = verify_entity(entity, root, keys=keys)
                    revoked = _revoked(item, root, revocations)
                    found.append(Held(file, position, item, is_about(item, artifact), revoked))
                except CouldNotCheckError as error:
                    unknown.append(Unknown(file, error.message, error.hint))
        except EvidenceInvalidError as error:
            if spoils:
                raise type(error)(f"{file}: {error.message}", hint=error.hint) from error
            unsound.append(Unknown(file, error.message, error.hint))
    outcome = None
    if policy is not None:
        outcome = evaluate(policy, [one.established for one in found if not one.revoked], artifact, now)
        aside = (Aside(str(one.established.signer), one.revoked) for one in found if one.revoked)
        outcome = Outcome(outcome.roles, (*outcome.aside, *aside))
    return Judged(artifact, tuple(found), contents, tuple(unknown), policy, outcome, root, tuple(unsound))


def _revoked(item: Established, root: TrustedRoot, revocations: Sequence[Revocation]) -> str:
    try:
        refuse_revoked_entity(item, root, revocations)
    except RevokedError as error:
        return error.message
    return ""


def _policy(given: Given) -> tuple[Acceptance | None, KeyRing]:
    if given.policy is not None:
        if given.identity or given.issuer or given.keys or given.predicate_type or given.max_age_days:
            raise UsageError(
                "--policy says whom to trust; the other options say it, too", hint="give one way"
            )
        folder = given.policy.parent
        policy, keys = parse_acceptance(
            _read(given.policy, MAX_POLICY_BYTES),
            what=str(given.policy),
            load_keys=lambda name: load_keys(folder / name).keys,
        )
        return policy, make_keyring(keys)
    rings = [load_keys(file) for file in given.keys]
    keys = tuple(key for ring in rings for key in ring.keys)
    ring = make_keyring(keys, {name: key for one in rings for name, key in one.by_hint.items()})
    signers = [IdentityPattern("key", key.key_id) for key in ring.keys]
    if given.identity or given.issuer:
        if not (given.identity and given.issuer):
            raise UsageError(
                "--certificate-identity and --certificate-oidc-issuer go together",
                hint="a name says little without who vouches for it",
            )
        table = {"issuer": given.issuer, "subject": given.identity}
        signers.append(parse_pattern(table, what="--certificate-identity"))
    if not signers:
        return None, ring
    may_sign = (
        (predicate_type(given.predicate_type, what="--predicate-type"),) if given.predicate_type else ()
    )
    role = Role(COMMAND_LINE, tuple(signers), may_sign, max_age_days=given.max_age_days)
    return Acceptance((role,)), ring


def ask_journal(workspace: Workspace) -> Asked:
    """Ask a journal what no longer counts.

    Raises:
        EvidenceInvalidError: a revocation is missing, damaged, or does not verify.
    """
    return Asked(workspace.home, workspace.revocations, workspace.journal.head().size)


def find_root(home: Path, given: str | None) -> TrustedRoot:
    """Load the trusted root that is meant: a file, a name under `roots`, `none`, or one's own (I/O).

    Raises:
        ConfigError: there is none.
        UsageError: neither a file nor a name.
    """
    if given is None:
        return load_root(home / "trust" / "trusted_root.json")
    if given == KEYS_ALONE:
        return keys_alone()
    if (named := named_root(home, given)) is not None:
        return load_root(named)
    file = type(home)(given)
    if not file.is_file():
        raise UsageError(
            f"{given!r} is neither a trusted root's file nor a name that is known here",
            hint="give a trusted_root.json, or take one over: pratique trust use --help",
        )
    return load_root(file)


def named_root(home: Path, name: str) -> Path | None:
    """Give the file of the root of others that goes by a name here, if any does (I/O)."""
    if not is_root_name(name):
        return None
    file = home / "roots" / name / ROOT_FILE
    return file if file.is_file() else None


def find_target(text: str, path: Path) -> Artifact:
    """Take what is verified: a file, a directory as a manifest of its files, or a digest (I/O: reads them).

    Args:
        text: as given: a path, `sha256:<hex>` or `NAME@sha256:<hex>`.
        path: the same as a path.

    Raises:
        UsageError: none of these, an empty directory, or one with links or other odd files in it.
    """
    if path.is_dir():
        files = dict(sorted(_files(path)))
        if not files:
            raise UsageError(f"{path}: an empty directory, about which nothing can be said")
        return Artifact({}, files)
    if path.is_file():
        return Artifact(_digests(path))
    _, _, digest = text.rpartition("@")
    if digest.startswith("sha256:"):
        try:
            return Artifact({"sha256": parse_digest(digest).hex})
        except MalformedError as error:
            raise UsageError(error.message, hint=error.hint) from error
    raise UsageError(
        f"{text!r} is neither a file, a directory nor a digest",
        hint="write digests as sha256:<64 hex digits>; an image where it is: pratique image verify",
    )


def load_keys(path: Path) -> KeyRing:
    """Load public keys: PEM, one or several, or npm's list (`/-/npm/v1/keys`) with its names (I/O).

    Raises:
        ConfigError: no file, no key in it, or one that is too weak or of another kind.
    """
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see trust.spki
        load_pem_public_key,
    )

    try:
        data = _read(path, _MAX_KEYS_BYTES)
        if data.lstrip().startswith(b"{"):
            named = {
                item["keyid"]: _der(b64decode(item["key"], what="key")) for item in json.loads(data)["keys"]
            }
            ring = make_keyring(named.values(), named)
        else:
            ring = make_keyring(as_public_key(load_pem_public_key(pem)) for pem in _PEM_KEY.findall(data))
    except (ValueError, KeyError, TypeError, UnsupportedAlgorithm, UsageError) as error:
        raise ConfigError(f"{path}: no public keys in PEM, nor npm's list of them: {error}") from error
    except (SignatureInvalidError, MalformedError) as error:
        raise ConfigError(f"{path}: {error.message}") from error
    if not ring.keys:
        raise ConfigError(f"{path}: no public key in it", hint="PEM, -----BEGIN PUBLIC KEY-----")
    return ring


def _der(der: bytes) -> PublicKey:
    return as_public_key(decode_spki(der))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    count = 0
    for place, folders, names in os.walk(folder, onerror=_unreadable):
        here = type(folder)(place)
        for name in [*folders, *names]:
            mode = (here / name).lstat().st_mode
            if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
                raise UsageError(f"{here / name}: neither a file nor a directory; a manifest cannot hold it")
        for name in names:
            count += 1
            if count > MAX_FILES:
                raise UsageError(f"{folder}: more than {MAX_FILES} files")
            yield (here / name).relative_to(folder).as_posix(), _digests(here / name)["sha256"]


def _unreadable(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read: {error.strerror}")


def _digests(path: Path) -> dict[str, str]:
    hashers = {name: hashlib.new(name) for name in _ALGORITHMS}
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                for hasher in hashers.values():
                    hasher.update(chunk)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return {name: hasher.hexdigest() for name, hasher in hashers.items()}


def _read(path: Path, limit: int) -> bytes:
    """Read a file, and at most a byte past the limit: whoever parses it says that it is too large."""
    try:
        with path.open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
