"""Public keys that people hand over, in whatever form their tools write, and those behind key URIs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pratique.errors import ConfigError, EvidenceInvalidError, UsageError
from pratique.trust.keys import MAX_KEY_BYTES, load_public_key
from pratique.trust.scheme import ECDSA_P256, OPENPGP, SSHSIG, check_public_key
from pratique.trust.signers.table import SCHEMES, open_key
from pratique.trust.signers.uri import parse_key_uri

if TYPE_CHECKING:
    from pratique.trust.signers.port import Surroundings

_PEM = b"-----BEGIN PUBLIC KEY-----"
_PRIVATE = b"PRIVATE KEY"


class GivenKey(NamedTuple):
    """A public key, and how it signs (`trust.scheme`)."""

    scheme: str
    public_key: bytes


def given_key(text: str, world: Surroundings) -> GivenKey:
    """Read a public key from a file (PEM, an SSH `.pub` line, an OpenPGP export) or take a key URI's (I/O).

    Raises:
        UsageError: no such file, or no such kind of key.
        ConfigError: a kind of key that is not taken, or one that cannot be reached.
        CouldNotCheckError: an OpenPGP key, and GnuPG is not installed.
    """
    uri = parse_key_uri(text)
    if uri.scheme == "file":
        return _from_file(Path(uri.rest))
    if uri.scheme == "ssh":
        from pratique.trust.signers.ssh import read_public  # noqa: PLC0415 - only where it is asked for

        return GivenKey(SSHSIG, read_public(Path(uri.rest), text))
    if uri.scheme == "gpg":
        from pratique.trust.signers.gpg import export_public  # noqa: PLC0415 - likewise

        return GivenKey(OPENPGP, export_public(uri, world.environ))
    if uri.scheme in SCHEMES and not SCHEMES[uri.scheme].raw:
        raise UsageError(f"{text}: {uri.scheme} keys are nobody's own", hint="people have keys of their own")
    return GivenKey(ECDSA_P256, open_key(text, world).public_key)


def _from_file(path: Path) -> GivenKey:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read: {error.strerror}") from error
    if _PRIVATE in data:
        raise ConfigError(f"{path}: a private key", hint=f"hand over the public one, such as {path}.pub")
    if data.lstrip().startswith(_PEM):
        return GivenKey(ECDSA_P256, load_public_key(path))
    try:
        if data.startswith((b"ssh-", b"ecdsa-", b"sk-")):
            from pratique.trust.sshsig import parse_public_line  # noqa: PLC0415 - only where it is one

            return GivenKey(SSHSIG, parse_public_line(data.decode("ascii", "replace")))
        if data.startswith(b"-----BEGIN PGP PUBLIC KEY") or data[:1] in {b"\x98", b"\x99", b"\xc6"}:
            from pratique.trust.openpgp import canonical_key  # noqa: PLC0415 - likewise

            key = GivenKey(OPENPGP, canonical_key(data, os.environ))
            check_public_key(*key)
            return key
    except EvidenceInvalidError as error:
        raise ConfigError(f"{path}: {error.message}") from error
    raise ConfigError(
        f"{path}: not a public key in PEM, as ssh-keygen or as gpg --export writes it",
        hint="make one with `pratique trust keygen FILE`",
    )
