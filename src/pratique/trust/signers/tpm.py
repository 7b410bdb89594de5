"""`tpm:0x81…` or `tpm:FILE.ctx`: a P-256 signing key that lives in a TPM 2.0, through tpm2-tools.

Which TPM is meant is for tpm2-tools' own `$TPM2TOOLS_TCTI`; by default it is the machine's, through the
kernel's resource manager.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pratique.errors import (
    ConfigError,
    InfrastructureError,
    MalformedError,
    PratiqueError,
    SignatureInvalidError,
    UsageError,
)
from pratique.trust.keys import load_p256_spki
from pratique.trust.signers.port import Secret
from pratique.trust.signers.uri import options
from pratique.trust.tool import run_tool, said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

_KEPT: Final = ("TPM2TOOLS_TCTI", "TPM2_PKCS11_TCTI", "TSS2_LOG")
_HANDLE: Final = re.compile(r"0x81[0-9a-fA-F]{6}\Z")
_ATTEMPTS: Final = 4
_BUSY: Final = ("(0x00000922)", "(0x00000908)", "out of memory for object contexts")  # retry, yielded, full
_PIN_REFUSED: Final = "the TPM refused the PIN of the key"
_CAREFUL: Final = (
    "name it with ?auth=pin if it has one; a TPM locks after some wrong PINs: do not just try again"
)
_REASONS: Final = (
    ("authorization HMAC check failed", _PIN_REFUSED, _CAREFUL),
    ("authorization failure", _PIN_REFUSED, _CAREFUL),
    ("lockout mode", "the TPM is locked after too many wrong PINs", "tpm2_dictionarylockout --clear-lockout"),
    ("handle is not correct", "the TPM has no key there", "list them: tpm2_getcap handles-persistent"),
    ("Could not load tcti", "no TPM can be reached", "is there one? Otherwise name it in $TPM2TOOLS_TCTI"),
)


class TpmKey:
    """A key in a TPM. Every call is a program of its own, so nothing stays loaded."""

    def __init__(self, where: str, context: str, world: Surroundings, *, with_pin: bool) -> None:
        self.where = where
        self._context = context
        self._world = world
        self._with_pin = with_pin
        self._pin: bytes | None = None
        self.public_key = self._read_public()

    def _read_public(self) -> bytes:
        with tempfile.TemporaryDirectory(prefix="pratique-tpm-") as folder:
            target = Path(folder) / "public.der"
            self._run(["tpm2_readpublic", "-Q", "-c", self._context, "-f", "der", "-o", str(target)])
            try:
                data = target.read_bytes()
                load_p256_spki(data)
            except (OSError, MalformedError, SignatureInvalidError) as error:
                raise ConfigError(
                    f"{self.where}: not an ECDSA P-256 key",
                    hint="make one: tpm2_create -G ecc256:ecdsa-sha256",
                ) from error
        return data

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`. A wrong PIN is forgotten and never tried again."""
        pin = b""
        if self._with_pin:
            pin = self._pin or self._world.ask(Secret("PIN", self.where))
        with tempfile.TemporaryDirectory(prefix="pratique-tpm-") as folder:
            given, target = Path(folder) / "digest", Path(folder) / "signature"
            given.write_bytes(digest)
            command = ["tpm2_sign", "-Q", "-c", self._context, "-g", "sha256", "-s", "ecdsa", "-f", "plain"]
            command += ["-p", "file:-"] if self._with_pin else []
            self._run([*command, "-d", "-o", str(target), str(given)], stdin=pin)
            signature = target.read_bytes()
        self._pin = pin
        return signature

    def _run(self, command: Sequence[str], *, stdin: bytes = b"") -> None:
        """Run one of the tools; a TPM that is busy is asked again a few times."""
        for attempt in range(_ATTEMPTS):
            done = run_tool(command, self._world.environ, keep=_KEPT, stdin=stdin, package="tpm2-tools")
            text = done.stderr.decode("utf-8", "replace")
            if done.returncode == 0 or not any(sign in text for sign in _BUSY):
                break
            self._world.sleep(0.2 * 2**attempt)
        if done.returncode != 0:
            raise self._explain(text, said(done))

    def _explain(self, text: str, short: str) -> PratiqueError:
        for sign, what, hint in _REASONS:
            if sign in text:
                kind = InfrastructureError if "reached" in what else ConfigError
                return kind(f"{self.where}: {what}", hint=hint)
        return InfrastructureError(f"{self.where}: {short}", hint="see: tpm2_getcap properties-variable")


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Read the public half of a TPM's key; a PIN is asked for when it first signs (I/O).

    Raises:
        UsageError: neither a persistent handle nor a context file.
        ConfigError: tpm2-tools are not installed, no such key, or one of another kind.
        InfrastructureError: no TPM can be reached.
    """
    context, given = options(uri, frozenset({"auth"}))
    if given.get("auth", "pin") != "pin":
        raise UsageError(f"{uri}: auth={given['auth'][:20]}", hint="auth=pin, for a key that has one")
    if not _HANDLE.match(context) and not Path(context).is_file():
        raise UsageError(
            f"{uri}: neither a persistent handle nor a context file",
            hint="such as tpm:0x81000001 or tpm:key.ctx",
        )
    return TpmKey(str(uri), context, world, with_pin="auth" in given)
