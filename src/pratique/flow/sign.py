"""Signing bytes as such: a Sigstore bundle with a message signature, which others' verify-blob takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import MalformedError, UsageError
from pratique.flow.signing import surroundings
from pratique.flow.verify import find_target
from pratique.journal.writer import BareEntry
from pratique.model.digest import Digest, parse_digest, sha256_bytes, sha256_file
from pratique.trust.bundle import key_id_of
from pratique.trust.keys import write_new_file
from pratique.trust.message import SignedMessage
from pratique.trust.signers.port import sign_hashed
from pratique.trust.signers.sigstore import Keyless
from pratique.trust.signers.table import open_key
from pratique.trust.signers.uri import parse_key_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.flow.workspace import Workspace
    from pratique.trust.signers.port import AskSecret


class Target(msgspec.Struct, frozen=True):
    """What gets signed.

    Attributes:
        name: what people call it.
        digest: SHA-256 of the bytes that are signed.
        manifest: for a directory, the lines that are signed in its place, as `sha256sum` writes them.
    """

    name: str
    digest: Digest
    manifest: bytes = b""


class Signature(msgspec.Struct, frozen=True):
    """A signature that was made and logged."""

    target: Target
    key_id: str
    log_index: int
    bundle: bytes


def signing_target(given: str) -> Target:
    """Take what is to be signed: a file, a directory by its manifest, or a digest (I/O: reads them).

    Raises:
        UsageError: none of these, or a directory that is empty or holds odd files.
    """
    path = Path(given)
    if path.is_dir():
        files = find_target(given, path).files
        for name in files:
            if not name.isprintable() or "\\" in name:
                raise UsageError(f"{given}: {name!r} is a name that a manifest cannot hold")
        manifest = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items())).encode()
        return Target(path.resolve().name, sha256_bytes(manifest), manifest)
    if path.is_file():
        return Target(path.name, sha256_file(path))
    name, _, digest = given.rpartition("@")
    try:
        return Target(name or given, parse_digest(digest))
    except MalformedError as error:
        raise UsageError(
            f"{given!r} is neither a file, a directory nor a digest",
            hint="write digests as sha256:<64 hex digits>, or NAME@sha256:…",
        ) from error


def sign_target(workspace: Workspace, target: Target, key: str, ask: AskSecret) -> Signature:
    """Sign with a P-256 key, have it timestamped, and log the signature; whether it counts is the verifier's.

    The key need not be anybody's here: whoever verifies says which key they trust.

    Raises:
        UsageError: no such kind of key, or one that signs statements only.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds the key does not answer.
    """
    handle = open_key(key, surroundings(workspace, ask))
    digest = bytes.fromhex(target.digest.hex)
    signature = sign_hashed(handle, digest)
    message = SignedMessage(digest, signature, handle.public_key, workspace.authority.timestamp(signature))
    (recorded,) = workspace.journal.append([BareEntry(message.leaf())])
    bundle = message.encode(recorded.bundle)
    return Signature(target, key_id_of(handle.public_key), recorded.index, bundle)


def sign_keyless(target: Target, key: str, environ: Mapping[str, str]) -> bytes:
    """Have a Sigstore instance sign, and give its bundle; see `trust.signers.sigstore`."""
    return Keyless(parse_key_uri(key).rest, environ).digest(bytes.fromhex(target.digest.hex))


def is_keyless(key: str) -> bool:
    """Say whether a key is a Sigstore identity, whose bundles are complete and logged elsewhere."""
    return parse_key_uri(key).scheme == "sigstore"


def check_absent(*paths: Path) -> None:
    """See that nothing is there yet, before anything is signed.

    Raises:
        UsageError: something is.
    """
    for path in paths:
        if path.exists():
            raise UsageError(f"{path} is there already", hint="name another file: --bundle FILE")


def write_signature(target: Target, data: bytes, bundle: Path, manifest: Path) -> None:
    """Write the bundle, and a directory's manifest (I/O).

    Raises:
        UsageError: a file is there already, or its folder is not.
    """
    if target.manifest:
        write_new_file(manifest, target.manifest)
    write_new_file(bundle, data)
