"""The table of signers: which module opens which scheme. A scheme's module is imported when it is used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pratique.errors import UsageError
from pratique.trust.signers.uri import KeyUri, parse_key_uri

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, LogKeyHandle, Signer, Surroundings


class Scheme(NamedTuple):
    """How keys of one scheme are opened.

    Attributes:
        module: module of this package; it has `open_key(uri, world) -> KeyHandle` where `raw` is set, else
            `open_signer(uri, world) -> Signer`.
        form: how such a URI looks.
        help: what it is, in a line.
        raw: whether the scheme gives a P-256 key that signs any digest, not only statements.
        log: whether it gives Ed25519 keys too: `open_log_key(uri, world) -> LogKeyHandle`.
    """

    module: str
    form: str
    help: str
    raw: bool = True
    log: bool = False


SCHEMES: Final = {
    "file": Scheme("file", "file:PATH", "a P-256 key in a file of yours, encrypted or not"),
    "embedded": Scheme("embedded", "embedded:ROLE", "a role of the private root, by certificate", raw=False),
    "ssh": Scheme("ssh", "ssh:PATH", "an SSH key, in a file, an agent or a security key", raw=False),
    "gpg": Scheme("gpg", "gpg:FINGERPRINT", "an OpenPGP key of your GnuPG", raw=False),
    "pkcs11": Scheme(
        "pkcs11", "pkcs11:token=T;object=KEY", "a key in a token or an HSM (RFC 7512)", log=True
    ),
    "tpm": Scheme("tpm", "tpm:0x81000001", "a key in this machine's TPM"),
    "vault": Scheme("vault", "vault:KEY", "a key of Vault's or OpenBao's transit engine", log=True),
    "awskms": Scheme("awskms", "awskms:KEY", "a key of AWS KMS"),
    "gcpkms": Scheme("gcpkms", "gcpkms:projects/…/cryptoKeyVersions/1", "a key of Google Cloud KMS"),
    "sigstore": Scheme(
        "sigstore",
        "sigstore:[staging|FILE]",
        "whoever an identity token names; gives whole bundles",
        raw=False,
    ),
    "azurekms": Scheme("azurekms", "azurekms:NAME.vault.azure.net/keys/KEY", "a key of Azure Key Vault"),
}


def open_key(text: str, world: Surroundings) -> KeyHandle:
    """Open a P-256 key by its URI.

    Raises:
        UsageError: no such scheme, or one without a P-256 key of its own.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds it does not answer.
    """
    uri = parse_key_uri(text)
    scheme = _scheme(uri)
    if not scheme.raw:
        usable = ", ".join(name for name, item in SCHEMES.items() if item.raw)
        raise UsageError(f"{uri}: {uri.scheme} signs statements only", hint=f"take one of: {usable}")
    handle: KeyHandle = _module(scheme).open_key(uri, world)
    return handle


def open_log_key(text: str, world: Surroundings) -> LogKeyHandle:
    """Open an Ed25519 key by its URI.

    Raises:
        UsageError: no such scheme, or one without such keys.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds it does not answer.
    """
    uri = parse_key_uri(text)
    scheme = _scheme(uri)
    if not scheme.log:
        usable = ", ".join(name for name, item in SCHEMES.items() if item.log)
        raise UsageError(
            f"{uri}: a log signs with Ed25519, and {uri.scheme} keys are not", hint=f"one of: {usable}"
        )
    handle: LogKeyHandle = _module(scheme).open_log_key(uri, world)
    return handle


def open_signer(text: str, world: Surroundings) -> Signer:
    """Open who signs statements, by its URI.

    Raises:
        UsageError: no such scheme.
        ConfigError: the key cannot be used.
        InfrastructureError: what holds it does not answer.
    """
    from pratique.trust.signers.statement import KeySigner  # noqa: PLC0415 - the table itself stays light

    uri = parse_key_uri(text)
    scheme = _scheme(uri)
    if scheme.raw:
        return KeySigner(_module(scheme).open_key(uri, world), world.timestamp)
    signer: Signer = _module(scheme).open_signer(uri, world)
    return signer


def _scheme(uri: KeyUri) -> Scheme:
    if uri.scheme not in SCHEMES:
        forms = ", ".join(item.form for item in SCHEMES.values())
        raise UsageError(
            f"no file {uri}, and no keys are called {uri.scheme}:", hint=f"a key is one of: {forms}"
        )
    return SCHEMES[uri.scheme]


def _module(scheme: Scheme) -> Any:
    return importlib.import_module(f"pratique.trust.signers.{scheme.module}")
