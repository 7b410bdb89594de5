"""`ssh:PATH`: an SSH key, in a file, in an agent or in a security key; `ssh-keygen -Y sign` signs.

What is signed is the statement's PAE, in the namespace of `trust.sshsig`. A path that ends in `.pub` means
that an agent holds the private half. Passphrases, PINs and touches are between ssh-keygen and the person.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, PratiqueError, UsageError
from pratique.model.predicate import PAYLOAD_TYPE
from pratique.trust.bundle import Signed, key_id_of
from pratique.trust.envelope import pae
from pratique.trust.identity import Identity
from pratique.trust.keys import MAX_KEY_BYTES
from pratique.trust.scheme import SSHSIG
from pratique.trust.signers.statement import payload_of
from pratique.trust.sshsig import NAMESPACE, dearmor, parse_public_line, verify_sshsig
from pratique.trust.tool import run_tool, said

if TYPE_CHECKING:
    from pratique.trust.signers.port import Signer, Surroundings
    from pratique.trust.signers.uri import KeyUri
    from pratique.trust.statement import Statement

_KEPT: Final = (
    "SSH_AUTH_SOCK",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "SSH_SK_PROVIDER",
    "DISPLAY",
    "WAYLAND_DISPLAY",
)
_REASONS: Final = (
    ("match private", "FILE.pub is not the private key's public half", "ssh-keygen -y -f FILE > FILE.pub"),
    ("incorrect passphrase", "the passphrase is wrong, or there is no terminal to ask on",
     "load the key into an agent (ssh-add), and name its .pub file"),
    ("agent refused operation", "the agent refused to sign", "does it ask for a touch or a confirmation?"),
    ("Couldn't get agent socket", "there is no agent", "start one (ssh-agent), and load the key: ssh-add"),
    ("No private key found", "neither file nor agent has the private key", "load it: ssh-add"),
    ("UNPROTECTED PRIVATE KEY", "others than its owner can touch this key", "chmod 600 FILE"),
    ("device not found", "the security key is not there", "plug it in"),
)  # fmt: skip


class SshSigner:
    """Signs as an SSH key."""

    def __init__(self, where: str, path: Path, public_key: bytes, world: Surroundings) -> None:
        self._where = where
        self._path = path
        self._public_key = public_key
        self._world = world

    @property
    def identity(self) -> Identity:
        """The key, by its id: hex SHA-256 of its blob, which `ssh-keygen -l` shows in base64."""
        return Identity("key", key_id_of(self._public_key))

    def sign(self, statement: Statement) -> Signed:
        """See `Signer.sign`."""
        payload = payload_of(statement)
        covered = pae(PAYLOAD_TYPE, payload)
        signature = self._sign(covered)
        try:
            verify_sshsig(signature, covered, self._public_key)
        except EvidenceInvalidError as error:
            raise ConfigError(
                f"{self._where}: {error.message}", hint="does FILE.pub belong to the private key?"
            ) from error
        stamp = self._world.timestamp(signature)
        return Signed(payload, PAYLOAD_TYPE, signature, None, self._public_key, stamp, SSHSIG)

    def _sign(self, data: bytes) -> bytes:
        command = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(self._path)]
        done = run_tool(command, self._world.environ, keep=_KEPT, stdin=data, package="openssh-client")
        if done.returncode != 0:
            raise self._explain(done.stderr.decode("utf-8", "replace"), said(done))
        return dearmor(done.stdout.decode("ascii", "replace"))

    def _explain(self, text: str, short: str) -> PratiqueError:
        for sign, what, hint in _REASONS:
            if sign in text:
                return ConfigError(f"{self._where}: {what}", hint=hint)
        return InfrastructureError(f"{self._where}: ssh-keygen failed: {short}")


def open_signer(uri: KeyUri, world: Surroundings) -> Signer:
    """Read the public half of an SSH key, from `PATH.pub`; the private half is used when it signs (I/O).

    Raises:
        ConfigError: no such key, or one of a kind that is not taken.
    """
    path = Path(uri.rest)
    return SshSigner(str(uri), path, read_public(path, str(uri)), world)


def read_public(path: Path, where: str) -> bytes:
    """Read the public key blob that belongs to a path, with `.pub` or without.

    Raises:
        UsageError: no path.
        ConfigError: no such file, or not an SSH public key that is taken.
    """
    if not path.name:
        raise UsageError(
            f"{where}: it names no file", hint="ssh:PATH of a private key, or of the .pub of one"
        )
    public = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
    try:
        with public.open("rb") as stream:
            return parse_public_line(stream.read(MAX_KEY_BYTES).decode("ascii", "replace"))
    except OSError as error:
        raise ConfigError(
            f"{public}: the public key cannot be read: {error.strerror}",
            hint=f"ssh-keygen -y -f {path} > {public}",
        ) from error
    except EvidenceInvalidError as error:
        raise ConfigError(
            f"{public}: {error.message}", hint="ssh-keygen -t ed25519 makes one that is taken"
        ) from error
