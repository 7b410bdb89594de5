"""Handing trust on: a TUF repository of this root for others, and others' roots for this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import SignatureInvalidError, UsageError
from pratique.model.digest import sha256_bytes
from pratique.store.atomic import write_all_atomic
from pratique.trust.identity import KEYS_ALONE, check_root_name
from pratique.trust.keys import generate_key
from pratique.trust.root import TrustedRoot, parse_root
from pratique.trust.rootfile import ROOT_FILE, load_root
from pratique.trust.signers.file import LocalKey
from pratique.trust.signingconfig import encode_signing_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pratique.model.clock import Clock
    from pratique.model.digest import Digest
    from pratique.trust.signers.port import KeyHandle

SIGNING_CONFIG: Final = "signing_config.v0.2.json"
FIRST: Final = "pinned.root.json"
SERVED: Final = "tuf"
"""Folder below the trust folder that `pratique serve --trust` serves."""

MAX_DAYS: Final = 3650


class Exported(msgspec.Struct, frozen=True):
    """A repository that was published.

    Attributes:
        folder: where it is.
        version: of its metadata.
        root: its root.json, which whoever uses it pins.
    """

    folder: Path
    version: int
    root: Path


def export_trust(
    home: Path,
    folder: Path,
    *,
    url: str,
    oidc: Sequence[str],
    root_keys: Sequence[KeyHandle],
    online_key: KeyHandle | None,
    days: int,
    clock: Clock,
) -> Exported:
    """Publish this state directory's trusted root as a TUF repository, or publish it again.

    Args:
        home: the state directory.
        folder: of the repository.
        url: where clients sign, if a server runs; without it, the signing configuration stays as it was.
        oidc: issuers that people log in at.
        root_keys: sign the repository's root; without any, a key of its own is made.
        online_key: signs the rest; without it, likewise.
        days: how long a version holds.
        clock: the time.

    Raises:
        UsageError: days out of range, or a URL that is none.
        ConfigError: no trust root here, or a repository of other keys.
    """
    from pratique.flow.tuf.publish import publish, published  # noqa: PLC0415 - python-tuf is an extra

    if not 1 <= days <= MAX_DAYS:
        raise UsageError(f"--days is 1 to {MAX_DAYS}")
    if url and not url.startswith("https://"):
        raise UsageError(f"{url}: clients sign over https alone")
    root = load_root(home / "trust" / ROOT_FILE)
    targets = {ROOT_FILE: root.data}
    if url:
        start, operator = root.tlogs[0].valid_for.start, root.tlogs[0].origin
        targets[SIGNING_CONFIG] = encode_signing_config(url, start, operator, oidc)
    elif (before := published(folder, SIGNING_CONFIG)) is not None:
        targets[SIGNING_CONFIG] = before
    keys = home / "trust" / "keys"
    version = publish(
        folder,
        targets,
        root_keys=root_keys or [_own_key(keys / "tuf-root.pem")],
        online_key=online_key or _own_key(keys / "tuf-online.pem"),
        days=days,
        moment=clock(),
    )
    return Exported(folder, version, folder / "root.json")


def _own_key(path: Path) -> KeyHandle:
    from pratique.trust.keys import load_private_key  # noqa: PLC0415 - beside its only use

    return LocalKey(load_private_key(path) if path.exists() else generate_key(path), f"file:{path}")


class Imported(msgspec.Struct, frozen=True):
    """A root of somebody else's that was taken over.

    Attributes:
        folder: where trusted root and signing configuration are now.
        root: the trusted root.
        signing: whether there is a signing configuration beside it.
    """

    folder: Path
    root: TrustedRoot
    signing: bool


def use_trust(home: Path, source: str, *, pinned: bytes, name: str = "") -> Imported:
    """Take a trusted root from a TUF repository: from a folder, such as a stick's, or over HTTPS.

    Everything is kept in `<home>/roots/<name>/`, by default under the pinned root's digest. Doing it again
    takes over what was published since; a repository older than what was seen is refused.

    Args:
        home: the state directory.
        source: folder or URL.
        pinned: the repository's root.json, got over a channel that is trusted.
        name: what it is called here.

    Raises:
        UsageError: no such folder, not https, no name, or one that is another root's.
        SignatureInvalidError: the repository does not verify under that root.
        MalformedError: its trusted root does not parse.
        InfrastructureError: it cannot be reached.
    """
    from pratique.flow.tuf.fetch import fetch_targets, require  # noqa: PLC0415 - python-tuf is an extra

    folder = _named(home, name or sha256_bytes(pinned).hex[:16])
    first = folder / "tuf" / FIRST
    taken = (folder / ROOT_FILE).exists()  # else a fetch that failed left the folder
    if taken and (not first.is_file() or first.read_bytes() != pinned):
        raise UsageError(f"{folder} is of another root", hint="choose another --name, or remove it")
    found = fetch_targets(source, [ROOT_FILE, SIGNING_CONFIG], pinned=pinned, cache=folder / "tuf")
    root = parse_root(require(found, ROOT_FILE, source))
    write_all_atomic([(first, pinned), *((folder / name, data) for name, data in found.items())])
    return Imported(folder, root, SIGNING_CONFIG in found)


def use_file(home: Path, file: Path, *, fingerprint: Digest, name: str) -> Imported:
    """Take over a trusted root from a file, by the fingerprint that its owner gave (I/O).

    Raises:
        UsageError: no name, or one that another root has.
        ConfigError: no such file.
        SignatureInvalidError: another root than the fingerprint's.
        MalformedError: it does not parse.
    """
    folder, root = _named(home, name), load_root(file)
    if not root.fingerprint.matches(fingerprint):
        raise SignatureInvalidError(
            f"{file} has fingerprint {root.fingerprint}, not {fingerprint}",
            hint="ask the root's owner for its fingerprint",
        )
    if (folder / "tuf" / FIRST).exists():
        raise UsageError(f"{folder} follows a TUF repository", hint="choose another --name, or remove it")
    write_all_atomic([(folder / ROOT_FILE, root.data)])
    return Imported(folder, root, signing=False)


def other_roots(home: Path) -> dict[str, TrustedRoot]:
    """Give the roots of others that are in use here, by name (I/O).

    Raises:
        MalformedError: one of them does not parse.
    """
    files = sorted((home / "roots").glob(f"*/{ROOT_FILE}"))
    return {file.parent.name: load_root(file) for file in files}


def _named(home: Path, name: str) -> Path:
    if check_root_name(name, what="--name") == KEYS_ALONE:
        raise UsageError(f"a root cannot be called {name}: that means none at all", hint="--name partner")
    return home / "roots" / name
