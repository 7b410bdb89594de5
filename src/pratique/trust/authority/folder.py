"""The authority's folder: how its files are written, and how a root and its keys are replaced as one.

A replacement is made ready in `next/`: a trusted root and the new keys, all synced. One rename, of
`next/trusted_root.json` over `trusted_root.json`, makes it count; after that the keys in `next/keys/` are
the root's, and only have to be moved over the old ones. So `next/` with a root in it never counted, and
`next/` without one counts already: whoever comes next throws the first away and completes the second.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pratique.errors import InfrastructureError
from pratique.trust.keys import write_new_file
from pratique.trust.rootfile import ROOT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pratique.trust.signers.port import KeyHandle, LogKeyHandle

LOG: Final = "log"
KEY_FILES: Final = ("ca", "tsa", "ctlog", LOG)
NEXT: Final = "next"
_FORMS: Final = (".pem", ".uri")
PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey


class RemoteKeySource(NamedTuple):
    """A key that is elsewhere: how it is opened again, and the key itself; the log's is Ed25519."""

    uri: str
    handle: KeyHandle | LogKeyHandle


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold a folder's own lock (flock), for as long as what is in it is replaced."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Sync a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_folder(
    folder: Path, root: bytes, keys: Mapping[str, PrivateKey], remote: Mapping[str, RemoteKeySource]
) -> None:
    """Write a trusted root and keys into a new folder, synced; what is elsewhere is named by its URI."""
    inner = folder / "keys"
    folder.mkdir(mode=0o700)
    write_new_file(folder / ROOT_FILE, root)
    inner.mkdir(mode=0o700)
    for name, key in keys.items():
        if name in remote:
            write_new_file(inner / f"{name}.uri", f"{remote[name].uri}\n".encode())
            continue
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_new_file(inner / f"{name}.pem", pem)
    sync_folder(inner)
    sync_folder(folder)


@contextmanager
def replacing(trust_dir: Path) -> Iterator[None]:
    """Hold the folder while root and keys are replaced: `prepare_next`, what else it takes, `put_into_force`.

    Raises:
        InfrastructureError: the disk refused; either the old root is in force, or the new one.
    """
    try:
        with folder_lock(trust_dir):
            _settle(trust_dir)
            try:
                yield
            finally:
                _settle(trust_dir)
    except OSError as error:
        raise InfrastructureError(f"{trust_dir}: the root cannot be replaced: {error.strerror}") from error


def prepare_next(
    trust_dir: Path, root: bytes, keys: Mapping[str, PrivateKey], remote: Mapping[str, RemoteKeySource]
) -> None:
    """Make a replacement ready; nothing counts yet (I/O). The folder is held (`replacing`)."""
    draft = trust_dir / f".{NEXT}"
    write_folder(draft, root, keys, remote)
    draft.rename(trust_dir / NEXT)
    sync_folder(trust_dir)


def put_into_force(trust_dir: Path) -> None:
    """Put what was made ready into force, for good; the keys that it replaces are gone then (I/O)."""
    (trust_dir / NEXT / ROOT_FILE).rename(trust_dir / ROOT_FILE)
    sync_folder(trust_dir)
    _settle(trust_dir)


def settle(trust_dir: Path) -> None:
    """Complete a replacement that was cut off, or throw away one that never counted (I/O).

    Raises:
        InfrastructureError: the disk refused.
    """
    if not is_unsettled(trust_dir):
        return
    try:
        with folder_lock(trust_dir):
            _settle(trust_dir)
    except OSError as error:
        raise InfrastructureError(f"{trust_dir}: cannot be put in order: {error.strerror}") from error


def is_unsettled(trust_dir: Path) -> bool:
    """Say whether a replacement is under way, or was cut off."""
    return any((trust_dir / name).exists() for name in (NEXT, f".{NEXT}"))


def _settle(trust_dir: Path) -> None:
    ready, leftover = trust_dir / NEXT, trust_dir / f".{NEXT}"
    shutil.rmtree(leftover, ignore_errors=True)
    if not ready.exists():
        return
    if not (ready / ROOT_FILE).exists():
        for new in sorted((ready / "keys").glob("*")):
            for form in _FORMS:  # the other form first: while it is there, the new one still waits in next/
                if form != new.suffix:
                    (trust_dir / "keys" / new.with_suffix(form).name).unlink(missing_ok=True)
            new.rename(trust_dir / "keys" / new.name)
        sync_folder(trust_dir / "keys")
    ready.rename(leftover)
    shutil.rmtree(leftover)
    sync_folder(trust_dir)
