"""`vault:KEY`: a key of HashiCorp Vault's (or OpenBao's) transit engine: ecdsa-p256, or for a log ed25519.

Address and token are where Vault's own tools have them: `$VAULT_ADDR`, `$VAULT_CACERT`, `$VAULT_NAMESPACE`,
and `$VAULT_TOKEN` or `~/.vault-token`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from pratique.errors import ConfigError, InfrastructureError, PratiqueError, UsageError
from pratique.trust.keys import spki
from pratique.trust.signers.service import RefusedError, Service
from pratique.trust.signers.uri import options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.trust.signers.port import KeyHandle, LogKeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404


class _TransitKey:
    """One version of a transit key: a rotation between two calls changes nothing."""

    kind: str

    def __init__(self, where: str, service: Service, path: tuple[str, str], version: str) -> None:
        self.where = where
        self._service = service
        self._mount, self._name = path
        self._version, self.public_key = self._find(version)

    def _find(self, wanted: str) -> tuple[int, bytes]:
        answer = self._call("GET", f"/v1/{self._mount}/keys/{self._name}")
        data = answer.get("data")
        if not isinstance(data, dict) or data.get("type") != self.kind:
            kind = data.get("type") if isinstance(data, dict) else "none"
            raise ConfigError(
                f"{self.where}: a key of type {str(kind)[:40]}, not {self.kind}",
                hint=f"make one: vault write -f {self._mount}/keys/NAME type={self.kind}",
            )
        version = wanted or str(data.get("latest_version", ""))
        try:
            return int(version), self._read(data["keys"][version]["public_key"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{self.where}: there is no version {version[:20]!r} of it") from error

    def _read(self, text: str) -> bytes:
        raise NotImplementedError

    def _sign(self, data: bytes, how: dict[str, Any], algorithm: str = "") -> bytes:
        body = {"input": b64encode(data).decode(), "key_version": self._version, **how}
        answer = self._call("POST", f"/v1/{self._mount}/sign/{self._name}{algorithm}", body)
        try:
            prefix, version, text = answer["data"]["signature"].split(":")
            signature = b64decode(text, validate=True)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise InfrastructureError(f"{self.where}: an answer without a signature") from error
        if (prefix, version) != ("vault", f"v{self._version}"):
            raise InfrastructureError(f"{self.where}: another version signed than was asked for")
        return signature

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._service.call(method, path, body)
        except RefusedError as error:
            raise self._explain(error) from error

    def _explain(self, error: RefusedError) -> PratiqueError:
        if error.status == _FORBIDDEN:
            return ConfigError(
                f"{self.where}: permission denied",
                hint="the token may have expired (vault token lookup), or its policy lacks"
                f" {self._mount}/keys/… (read) or {self._mount}/sign/… (update)",
            )
        if error.status == _NOT_FOUND:
            return ConfigError(f"{self.where}: no such key", hint=f"vault list {self._mount}/keys")
        return ConfigError(f"{self.where}: Vault refused ({error.status}): {error.said}")


class VaultKey(_TransitKey):
    """A P-256 key."""

    kind = "ecdsa-p256"

    def _read(self, text: str) -> bytes:
        return spki(load_pem_public_key(text.encode()))  # type: ignore[arg-type] # the type is checked by now

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        return self._sign(digest, {"prehashed": True, "marshaling_algorithm": "asn1"}, "/sha2-256")


class VaultLogKey(_TransitKey):
    """An Ed25519 key, whose public half Vault gives as 32 bytes."""

    kind = "ed25519"

    def _read(self, text: str) -> bytes:
        public = Ed25519PublicKey.from_public_bytes(b64decode(text, validate=True))
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign_message(self, message: bytes) -> bytes:
        """See `LogKeyHandle.sign_message`."""
        return self._sign(message, {})


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a transit key and its public half (I/O).

    Raises:
        UsageError: not a key's name, or a version that is none.
        ConfigError: no address or token, no such key, one of another kind, or no permission.
        InfrastructureError: Vault cannot be reached, is sealed, or keeps failing.
    """
    return VaultKey(*_found(uri, world))


def open_log_key(uri: KeyUri, world: Surroundings) -> LogKeyHandle:
    """Find a log's transit key and its public half (I/O); raises as `open_key`."""
    return VaultLogKey(*_found(uri, world))


def _found(uri: KeyUri, world: Surroundings) -> tuple[str, Service, tuple[str, str], str]:
    name, given = options(uri, frozenset({"mount", "version"}))
    version = given.get("version", "")
    if version and not version.isdecimal():
        raise UsageError(f"{uri}: {version[:20]!r} is no version of a key")
    address = world.environ.get("VAULT_ADDR", "")
    if not address:
        raise ConfigError(
            f"{uri}: where is Vault?", hint="set $VAULT_ADDR, and $VAULT_TOKEN or ~/.vault-token"
        )
    service = Service(
        address,
        where=str(uri),
        headers=lambda: _headers(uri, world.environ),
        sleep=world.sleep,
        ca_file=world.environ.get("VAULT_CACERT") or None,
    )
    mount = quote(given.get("mount", "transit").strip("/"))
    return str(uri), service, (mount, quote(name, safe="")), version


def _headers(uri: KeyUri, environ: Mapping[str, str]) -> dict[str, str]:
    token = environ.get("VAULT_TOKEN", "")
    if not token:
        try:
            token = (Path(environ.get("HOME", "~")).expanduser() / ".vault-token").read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{uri}: no Vault token", hint="vault login, or set $VAULT_TOKEN") from error
    if not token.isascii() or not token.isprintable():
        raise ConfigError(f"{uri}: what is given as Vault token is none")
    namespace = environ.get("VAULT_NAMESPACE", "")
    return {"X-Vault-Token": token, "X-Vault-Request": "true"} | (
        {"X-Vault-Namespace": namespace} if namespace else {}
    )
