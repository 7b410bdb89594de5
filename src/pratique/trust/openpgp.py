"""OpenPGP signatures over a statement, verified by GnuPG in a keyring of its own: no agent, no network.

A key is known by its exported form: the certificate with its user ids and subkeys, without other people's
signatures (`canonical_key`). Whoever changes the certificate, for example its expiry, has it enrolled again.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import (
    ConfigError,
    CouldNotCheckError,
    InfrastructureError,
    MalformedError,
    SignatureInvalidError,
)
from pratique.trust.tool import run_tool, said

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

MAX_BYTES: Final = 256 * 1024
PACKAGE: Final = "gnupg"
_STATUS: Final = "[GNUPG:] "
_STRONG_HASHES: Final = frozenset({"8", "9", "10"})  # RFC 9580 §9.5: SHA-256, SHA-384, SHA-512
_QUIET: Final = (
    "gpg", "--batch", "--no-tty", "--no-options", "--no-autostart", "--disable-dirmngr",
    "--no-auto-key-retrieve", "--no-auto-key-locate", "--trust-model", "always", "--status-fd", "1",
)  # fmt: skip
_SECONDS: Final = 20.0


def canonical_key(data: bytes, environ: Mapping[str, str]) -> bytes:
    """Read one exported OpenPGP public key, armoured or not, and give its canonical form (I/O).

    Raises:
        MalformedError: not exactly one public key, or a secret one.
        CouldNotCheckError: GnuPG is not installed.
        InfrastructureError: GnuPG failed.
    """
    if len(data) > MAX_BYTES:
        raise MalformedError(f"OpenPGP key: longer than {MAX_BYTES} bytes")
    with _keyring(environ) as ring:
        ring.load(data)
        return ring.export()


def fingerprint_of(key: bytes, environ: Mapping[str, str]) -> str:
    """Give the fingerprint of a canonical key, in upper-case hex.

    Raises:
        MalformedError: not exactly one key; CouldNotCheckError, InfrastructureError: as `canonical_key`.
    """
    with _keyring(environ) as ring:
        return ring.load(key)


def verify_openpgp(
    signature: bytes, message: bytes, key: bytes, at: datetime, environ: Mapping[str, str]
) -> None:
    """Verify a binary detached signature over a message by one key, as of a moment (RFC 9580 §5.2).

    Raises:
        MalformedError: the key does not parse.
        SignatureInvalidError: another key's, by a key that had expired or was revoked then, with a weak hash,
            or it does not hold.
        CouldNotCheckError: GnuPG is not installed.
        InfrastructureError: GnuPG failed.
    """
    if len(signature) > MAX_BYTES:
        raise MalformedError(f"OpenPGP signature: longer than {MAX_BYTES} bytes")
    with _keyring(environ) as ring:
        fingerprint = ring.load(key)
        done = ring.verify(signature, message, at)
    status = _status(done)
    valid = [words[1:] for words in status if words[0] == "VALIDSIG"]
    good = [words for words in status if words[0] == "GOODSIG"]
    made = [words for words in status if words[0] == "NEWSIG"]
    if done.returncode != 0 or not (len(valid) == len(good) == len(made) == 1):
        reason = next((names[0] for names in status if names[0] in _REASONS), "")
        raise SignatureInvalidError(f"the OpenPGP signature {_REASONS.get(reason, 'does not verify')}")
    # doc/DETAILS: fingerprint, date, timestamp, expiry, version, reserved, public-key and hash algorithm,
    # class, primary key's fingerprint
    fields = valid[0]
    if fields[9] != fingerprint:
        raise SignatureInvalidError("the OpenPGP signature is by another key")
    if fields[7] not in _STRONG_HASHES or fields[8] != "00":
        raise SignatureInvalidError("the OpenPGP signature is not a binary one with SHA-256 or better")


_REASONS: Final = {
    "EXPKEYSIG": "is by a key that had expired",
    "REVKEYSIG": "is by a revoked key",
    "EXPSIG": "had expired",
    "ERRSIG": "is by another key, or of a kind that is not known",
    "BADSIG": "does not verify",
    "NODATA": "is none",
}


class _Keyring:
    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def run(self, arguments: Sequence[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        command = [*_QUIET, "--homedir", str(self._folder), *arguments]
        return run_tool(command, self._environ, stdin=stdin, package=PACKAGE, seconds=_SECONDS)

    def load(self, key: bytes) -> str:
        """Import one public key and give its fingerprint."""
        done = self.run(["--import-options", "import-minimal", "--import"], key)
        status = _status(done)
        found = [words[2] for words in status if words[0] == "IMPORT_OK"]
        # doc/DETAILS, IMPORT_RES: the tenth number counts secret keys
        secret = any(words[0] == "IMPORT_RES" and words[10] != "0" for words in status)
        if secret or len(found) != 1:
            what = "it holds a secret key" if secret else f"{len(found)} public keys"
            raise MalformedError(f"OpenPGP key: {what}, not exactly one public key")
        return found[0]

    def export(self) -> bytes:
        """Give the one key in its minimal form."""
        target = self._folder / "exported"
        done = self.run(["--export-options", "export-minimal", "--output", str(target), "--export"])
        if done.returncode != 0 or not target.exists():
            raise InfrastructureError(f"gpg could not export a key it had read: {said(done)}")
        return target.read_bytes()

    def verify(self, signature: bytes, message: bytes, at: datetime) -> subprocess.CompletedProcess[bytes]:
        """Verify as of a moment; frozen, so that nothing depends on how long gpg takes."""
        file = self._folder / "signature"
        file.write_bytes(signature)
        moment = f"{at:%Y%m%dT%H%M%S}!"
        return self.run(["--faked-system-time", moment, "--verify", str(file), "-"], message)


def _status(done: subprocess.CompletedProcess[bytes]) -> list[list[str]]:
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return [line.removeprefix(_STATUS).split() for line in lines if line.startswith(_STATUS)]


@contextmanager
def _keyring(environ: Mapping[str, str]) -> Iterator[_Keyring]:
    """A keyring that lasts as long as the context."""
    with tempfile.TemporaryDirectory(prefix="pratique-gpg-") as folder:
        try:
            yield _Keyring(Path(folder), environ)
        except ConfigError as error:
            raise CouldNotCheckError(error.message, hint=error.hint) from error
