"""`gpg:FINGERPRINT`: an OpenPGP key of the user's own GnuPG; its agent asks for the passphrase or PIN."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, PratiqueError, UsageError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import Signed, key_id_of
from pratique.trust.envelope import pae
from pratique.trust.identity import Identity
from pratique.trust.openpgp import PACKAGE, canonical_key, verify_openpgp
from pratique.trust.scheme import OPENPGP
from pratique.trust.signers.statement import payload_of
from pratique.trust.tool import run_tool, said

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.trust.signers.port import Signer, Surroundings
    from pratique.trust.signers.uri import KeyUri
    from pratique.trust.statement import Statement

_KEPT: Final = ("GNUPGHOME", "GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "PINENTRY_USER_DATA")
_FINGERPRINT: Final = re.compile(r"[0-9A-F]{40}(?:[0-9A-F]{24})?\Z")
_REASONS: Final = (
    ("No secret key", "GnuPG has no private key of that fingerprint", "gpg --list-secret-keys"),
    ("Unusable secret key", "the key is expired, revoked or not for signing", "gpg --list-keys"),
    ("Bad passphrase", "the passphrase is wrong", "try again"),
    ("Operation cancelled", "nobody gave the passphrase", "try again"),
    ("Inappropriate ioctl", "there is no terminal to ask for the passphrase on", "export GPG_TTY=$(tty)"),
    ("No pinentry", "GnuPG has nothing to ask with", "install the package pinentry-curses"),
    ("Bad PIN", "the card refused the PIN", "cards lock after a few wrong PINs: do not just try again"),
    ("No agent running", "the GnuPG agent cannot be started", "gpgconf --launch gpg-agent"),
    ("can't connect to the", "the GnuPG agent cannot be reached", "gpgconf --launch gpg-agent"),
)  # fmt: skip


class GpgSigner:
    """Signs as an OpenPGP key."""

    def __init__(self, where: str, fingerprint: str, public_key: bytes, world: Surroundings) -> None:
        self._where = where
        self._fingerprint = fingerprint
        self._public_key = public_key
        self._world = world

    @property
    def identity(self) -> Identity:
        """The key, by its id: hex SHA-256 of its canonical exported form."""
        return Identity("key", key_id_of(self._public_key))

    def sign(self, statement: Statement) -> Signed:
        """See `Signer.sign`."""
        payload = payload_of(statement)
        covered = pae(PAYLOAD_TYPE, payload)
        command = ["gpg", "--batch", "--quiet", "--local-user", self._fingerprint, "--digest-algo", "SHA256"]
        command += ["--no-armor", "--output", "-", "--detach-sign"]
        done = run_tool(command, self._world.environ, keep=_KEPT, stdin=covered, package=PACKAGE)
        if done.returncode != 0 or not done.stdout:
            raise _explain(self._where, done.stderr.decode("utf-8", "replace"), said(done))
        self._check(done.stdout, covered)
        stamp = self._world.timestamp(done.stdout)
        return Signed(payload, PAYLOAD_TYPE, done.stdout, None, self._public_key, stamp, OPENPGP)

    def _check(self, signature: bytes, covered: bytes) -> None:
        """GnuPG may have signed with a subkey that the enrolled form of the key does not have."""
        soon = self._world.clock() + timedelta(seconds=2)  # the signature's own time has whole seconds
        try:
            verify_openpgp(signature, covered, self._public_key, soon, self._world.environ)
        except EvidenceInvalidError as error:
            raise ConfigError(
                f"{self._where}: {error.message}", hint="gpg --list-keys shows what the key is for"
            ) from error


def open_signer(uri: KeyUri, world: Surroundings) -> Signer:
    """Read the public half of an OpenPGP key from the user's keyring (I/O).

    Raises:
        UsageError: not a whole fingerprint.
        ConfigError: GnuPG is not installed, or has no such key.
    """
    return GpgSigner(str(uri), _fingerprint(uri), export_public(uri, world.environ), world)


def export_public(uri: KeyUri, environ: Mapping[str, str]) -> bytes:
    """Export the public key in its canonical form (I/O).

    Raises:
        UsageError: not a whole fingerprint.
        ConfigError: GnuPG is not installed, or has no such key.
    """
    fingerprint = _fingerprint(uri)
    command = ["gpg", "--batch", "--quiet", "--no-armor", "--export-options", "export-minimal"]
    done = run_tool([*command, "--export", fingerprint], environ, keep=_KEPT, package=PACKAGE)
    if done.returncode != 0 or not done.stdout:
        raise ConfigError(f"{uri}: GnuPG has no such key", hint="gpg --list-secret-keys")
    return canonical_key(done.stdout, environ)


def _fingerprint(uri: KeyUri) -> str:
    fingerprint = uri.rest.replace(" ", "").upper().removeprefix("0X")
    if not _FINGERPRINT.match(fingerprint):
        raise UsageError(
            f"{uri}: not a whole fingerprint", hint="gpg --list-secret-keys --with-colons shows them"
        )
    return fingerprint


def _explain(where: str, text: str, short: str) -> PratiqueError:
    for sign, what, hint in _REASONS:
        if sign in text:
            return ConfigError(f"{where}: {what}", hint=hint)
    return InfrastructureError(f"{where}: gpg failed: {short}")
