"""Replacing the keys of the embedded root: what they signed stays evidence, and auditors can follow."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import EvidenceInvalidError, UsageError
from pratique.flow.signing import key_opener, nobody_to_ask
from pratique.model.clock import format_time
from pratique.model.digest import Digest  # noqa: TC001 - msgspec reads the annotations
from pratique.trust.authority.folder import (
    KEY_FILES,
    RemoteKeySource,
    prepare_next,
    put_into_force,
    replacing,
    sync_folder,
)
from pratique.trust.authority.init import new_keys
from pratique.trust.authority.roots import next_root
from pratique.trust.bundle import parse_bundle
from pratique.trust.keys import read_private_file, write_new_file
from pratique.trust.root import instance_key, instances, parse_root
from pratique.trust.succession import rotation_statement
from pratique.trust.tstoken import parse_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.flow.workspace import Workspace
    from pratique.journal.writer import Recorded
    from pratique.trust.bundle import Signed
    from pratique.trust.root import TrustedRoot
    from pratique.trust.signers.port import AskSecret

ALL: Final = KEY_FILES


class Rotated(msgspec.Struct, frozen=True):
    """A root that follows another.

    Attributes:
        old: fingerprint of the root until now, which auditors have pinned.
        new: fingerprint of the root that follows; None when nothing was done.
        moment: when the new keys began to count.
        replaced: digest of the key that goes and of the one that comes, by name; without the latter when
            nothing was done.
        evidence: the statement, in the journal, with which the old root names the new one; None likewise.
    """

    old: Digest
    new: Digest | None
    moment: datetime
    replaced: dict[str, tuple[Digest, Digest | None]]
    evidence: Digest | None = None


class Plan(msgspec.Struct, frozen=True):
    """What to replace, and by what.

    Attributes:
        names: of the keys to replace.
        remote: URIs of new keys that are elsewhere, by name.
        ends: an earlier end than now, by the digest of a key.
        keep: a new folder for the old keys; None destroys them.
    """

    names: tuple[str, ...] = ALL
    remote: dict[str, str] = {}
    ends: dict[Digest, datetime] = {}
    keep: Path | None = None


def foresee_rotation(workspace: Workspace, plan: Plan) -> Rotated:
    """Say what `rotate` would do, having checked all that it checks.

    Raises:
        UsageError: see `rotate`.
    """
    moment = workspace.clock()
    _check(workspace, plan)
    _check_clock(workspace, moment)
    current = instances(workspace.root)
    replaced: dict[str, tuple[Digest, Digest | None]] = {
        name: (instance_key(current[name][0]), None) for name in plan.names
    }
    return Rotated(workspace.root.fingerprint, None, moment, replaced)


def rotate(workspace: Workspace, plan: Plan, *, ask: AskSecret = nobody_to_ask) -> Rotated:
    """Replace keys of the embedded root, and journal under the old root which root follows it.

    All at once or not at all: a run that is killed leaves the old root in force, or the new one. What was
    signed before stays as it is and verifies as it did. Open the workspace again afterwards: this one signs
    under the old root, and nothing more of it is taken.

    Raises:
        UsageError: an unknown name, a key elsewhere without its successor, a clock behind the evidence.
        ConfigError: a new key cannot be used.
        InfrastructureError: disk or lock; either root is in force then.
    """
    _check(workspace, plan)
    opened = key_opener(ask, workspace.clock)
    remote = {name: RemoteKeySource(uri, opened(name, uri)) for name, uri in plan.remote.items()}
    turn = _Turn(workspace, plan, remote)
    with replacing(workspace.home / "trust"):
        recorded = workspace.journal.conclude(turn.last, turn.then)
    return turn.rotated(recorded)


class _Turn:
    """One rotation: the two halves that the journal calls under its lock."""

    def __init__(self, workspace: Workspace, plan: Plan, remote: Mapping[str, RemoteKeySource]) -> None:
        self._workspace = workspace
        self._plan = plan
        self._remote = remote
        self._root: TrustedRoot = workspace.root
        self._moment = workspace.clock()

    def last(self) -> Signed:
        """Make keys and root ready, and sign with the old ones that they follow."""
        workspace, old = self._workspace, self._workspace.root
        self._moment = workspace.clock()
        _check_clock(workspace, self._moment)
        keys = new_keys(self._plan.names, self._remote)
        ca_key = keys.get("ca", workspace.authority.ca_key)
        data = next_root(old, keys, ca_key, self._moment, ends=self._plan.ends)
        self._root = parse_root(data)
        trust = workspace.home / "trust"
        prepare_next(trust, data, keys, self._remote)
        if self._plan.keep is not None:
            _keep(trust / "keys", self._plan.keep, self._plan.names)
        for root in (old.data, data):
            workspace.blobs.put(root)
        signer = workspace.authority.at(self._moment).signer("administrator")
        return signer.sign(rotation_statement(old, data, self._moment))

    def then(self, _: Recorded) -> None:
        """Put them into force."""
        put_into_force(self._workspace.home / "trust")

    def rotated(self, recorded: Recorded) -> Rotated:
        """Tell what was done."""
        old, new = self._workspace.root, self._root
        before, after = instances(old), instances(new)
        replaced: dict[str, tuple[Digest, Digest | None]] = {
            name: (instance_key(before[name][0]), instance_key(after[name][0])) for name in self._plan.names
        }
        return Rotated(old.fingerprint, new.fingerprint, self._moment, replaced, recorded.digest)


def _check(workspace: Workspace, plan: Plan) -> None:
    if unknown := sorted({*plan.names, *plan.remote} - set(ALL)):
        raise UsageError(f"no key {unknown[0]!r}", hint=f"keys are {', '.join(ALL)}")
    if astray := sorted(set(plan.remote) - set(plan.names)):
        raise UsageError(f"{astray[0]}: a new key is named, and it is not one that is replaced by such a one")
    if plan.keep is not None and plan.keep.exists():
        raise UsageError(f"{plan.keep} is there already", hint="name a new folder for the old keys")
    for name in plan.names:
        if (workspace.home / "trust" / "keys" / f"{name}.uri").exists() and name not in plan.remote:
            raise UsageError(
                f"the {name} key is elsewhere; name the one that is to follow it",
                hint=f"--key {name}=URI; the old one stays where it is, and is yours to destroy",
            )


def _check_clock(workspace: Workspace, moment: datetime) -> None:
    """Refuse to end keys before what they signed: a clock that is behind would undo evidence."""
    for found in workspace.journal.find():
        stamped = stamped_at(workspace, found.digest)
        if stamped is not None and stamped > moment:
            raise UsageError(
                f"the clock says {format_time(moment)}, and evidence {found.digest.short} was signed at"
                f" {format_time(stamped)}: it would no longer count",
                hint="set the clock right",
            )


def stamped_at(workspace: Workspace, evidence: Digest) -> datetime | None:
    """Give the time that a piece of evidence states, unverified; None when it is damaged."""
    try:
        return parse_token(parse_bundle(workspace.journal.get(evidence)).timestamp).moment
    except EvidenceInvalidError:
        return None


def _keep(keys: Path, folder: Path, names: Sequence[str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True)
        for name in names:
            source = next(keys.glob(f"{name}.*"))
            write_new_file(folder / source.name, read_private_file(source))
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
