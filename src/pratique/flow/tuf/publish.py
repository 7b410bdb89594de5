"""Publishing a TUF repository: a folder that any web server, or a stick, carries (TUF specification 1.0).

`N.root.json`, `N.targets.json`, `N.snapshot.json` and `timestamp.json` beside `targets/<sha256>.<name>`, and
`root.json`, a copy of the newest root for people to pin. Publishing again raises the versions and renews what
runs out; nothing that a client may be reading is removed or changed. The timestamp is written last.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from pratique.errors import ConfigError, InfrastructureError
from pratique.flow.tuf.keys import HandleSigner
from pratique.store.atomic import write_all_atomic, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pratique.trust.signers.port import KeyHandle

ROOT_DAYS: Final = 365
_PUBLIC: Final = 0o644
_Role = TypeVar("_Role", Root, Timestamp, Targets)
_ONLINE: Final = ("targets", "snapshot", "timestamp")


def publish(
    folder: Path,
    targets: Mapping[str, bytes],
    *,
    root_keys: Sequence[KeyHandle],
    online_key: KeyHandle,
    days: int,
    moment: datetime,
) -> int:
    """Make a repository in a folder, or publish its next version (I/O).

    Args:
        folder: of the repository; missing ones are made.
        targets: what is distributed, by name.
        root_keys: sign the root, each of them needed. Only a first root, or one that is about to run out, is
            signed; while a later version keeps to the same keys, they may stay locked away.
        online_key: signs targets, snapshot and timestamp.
        days: for how long those three hold.
        moment: now.

    Returns:
        the version published.

    Raises:
        ConfigError: the folder's root is of other keys, or its metadata does not parse.
        InfrastructureError: the disk refused, or what holds a key does not answer.
    """
    online = HandleSigner(online_key)
    root = _root(folder, [HandleSigner(key) for key in root_keys], online, moment)
    version = 1 + _version(folder)
    expires = (moment + timedelta(days=days)).replace(microsecond=0)
    listed = {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in targets.items()}
    target_list = _signed(Targets(version=version, expires=expires, targets=listed), online)
    snapshot = _signed(
        Snapshot(version=version, expires=expires, meta={"targets.json": _meta(version, target_list)}), online
    )
    timestamp = _signed(
        Timestamp(version=version, expires=expires, snapshot_meta=_meta(version, snapshot)), online
    )
    files = [
        (folder / "targets" / f"{sha256(data).hexdigest()}.{name}", data) for name, data in targets.items()
    ]
    files += [
        (folder / f"{version}.targets.json", target_list),
        (folder / f"{version}.snapshot.json", snapshot),
    ]
    write_all_atomic([*root, *files], _PUBLIC)
    write_atomic(folder / "timestamp.json", timestamp, _PUBLIC)
    for place in {folder, *(path.parent for path, _ in files)}:
        place.chmod(0o755)
    return version


def published(folder: Path, name: str) -> bytes | None:
    """Give a target as the repository has it now; None if it has none of that name, or is not there (I/O).

    Raises:
        ConfigError: the repository is not whole.
    """
    version = _version(folder)
    if not version:
        return None
    try:
        found = _load(folder / f"{version}.targets.json", Targets).signed.targets.get(name)
        if found is None:
            return None
        return (folder / "targets" / f"{found.hashes['sha256']}.{name}").read_bytes()
    except OSError as error:
        raise ConfigError(f"{folder}: version {version} is not whole: {error}") from error


def _root(
    folder: Path, signers: Sequence[HandleSigner], online: HandleSigner, moment: datetime
) -> list[tuple[Path, bytes]]:
    """Make the root's files, if there is none or the one there has used two thirds of its time."""
    try:
        current = _load(folder / "root.json", Root)
    except FileNotFoundError:
        version = 1
    else:
        known = current.signed.roles["root"].keyids
        if known != [signer.public_key.keyid for signer in signers]:
            raise ConfigError(
                f"{folder}/root.json is of other keys than those given",
                hint="give the keys it was made with, or begin a new repository in an empty folder",
            )
        if any(current.signed.roles[role].keyids != [online.public_key.keyid] for role in _ONLINE):
            raise ConfigError(f"{folder}/root.json names another online key than the one given")
        if current.signed.expires - moment > timedelta(days=ROOT_DAYS) / 3:
            return []
        version = current.signed.version + 1
    root = Root(version=version, expires=(moment + timedelta(days=ROOT_DAYS)).replace(microsecond=0))
    for signer in signers:
        root.add_key(signer.public_key, "root")
    for role in _ONLINE:
        root.add_key(online.public_key, role)
    root.roles["root"].threshold = len(signers)
    data = _signed(root, *signers)
    return [(folder / f"{version}.root.json", data), (folder / "root.json", data)]


def _version(folder: Path) -> int:
    try:
        return int(_load(folder / "timestamp.json", Timestamp).signed.version)
    except FileNotFoundError:
        return 0


def _load(path: Path, kind: type[_Role]) -> Metadata[_Role]:
    try:
        metadata: Metadata[_Role] = Metadata.from_bytes(path.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InfrastructureError(f"{path}: cannot be read: {error.strerror}") from error
    except RepositoryError as error:
        raise ConfigError(f"{path}: not TUF metadata: {error}") from error
    if not isinstance(metadata.signed, kind):
        raise ConfigError(f"{path}: metadata of another role")
    return metadata


def _signed(content: Signed, *signers: HandleSigner) -> bytes:
    metadata: Metadata[Any] = Metadata(content)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def _meta(version: int, data: bytes) -> MetaFile:
    return MetaFile(version, len(data), {"sha256": sha256(data).hexdigest()})
