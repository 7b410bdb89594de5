"""`azurekms:VAULT.vault.azure.net/keys/KEY[/VERSION]`: a P-256 key of Azure Key Vault, by its REST API (7.4).

Credentials are those that azure-identity's DefaultAzureCredential finds.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from pratique.errors import ConfigError, InfrastructureError, PratiqueError, UsageError
from pratique.trust.keys import spki
from pratique.trust.signers.extras import extra
from pratique.trust.signers.service import RefusedError, Service

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

API_VERSION: Final = "7.4"
ADDRESS_VARIABLE: Final = "PRATIQUE_AZURE_VAULT_ADDRESS"
_NAME: Final = re.compile(
    r"(?P<host>[A-Za-z0-9.-]+)/keys/(?P<key>[A-Za-z0-9-]{1,127})(?:/(?P<version>[0-9a-f]{32}))?\Z"
)
_P256_BYTES: Final = 32
_REASONS: Final = {
    401: ("the credentials were not accepted", "az login; is this machine's clock right?"),
    403: ("permission denied, or the key is disabled or expired", "it takes the role Key Vault Crypto User"),
    404: ("no such key", "az keyvault key list --vault-name NAME"),
}


class AzureKey:
    """One version of a key in Azure Key Vault."""

    def __init__(self, where: str, service: Service, key: str, version: str) -> None:
        self.where = where
        self._service = service
        answer = self._call("GET", f"/keys/{key}/{version}")
        self._path, self.public_key = self._read(answer)

    def _read(self, answer: dict[str, Any]) -> tuple[str, bytes]:
        try:
            item = answer["key"]
            if item["kty"] not in {"EC", "EC-HSM"} or item["crv"] != "P-256":
                raise ConfigError(f"{self.where}: not an ECDSA P-256 key")
            x, y = (int.from_bytes(_b64url(item[name]), "big") for name in ("x", "y"))
            key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
            return urlsplit(item["kid"]).path, spki(key)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InfrastructureError(f"{self.where}: a public key that does not parse") from error

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        body = {"alg": "ES256", "value": urlsafe_b64encode(digest).rstrip(b"=").decode()}
        answer = self._call("POST", f"{self._path}/sign", body)
        try:
            raw = _b64url(answer["value"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InfrastructureError(f"{self.where}: an answer without a signature") from error
        r, s = raw[:_P256_BYTES], raw[_P256_BYTES:]
        return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._service.call(method, f"{path}?api-version={API_VERSION}", body)
        except RefusedError as error:
            raise self._explain(error) from error

    def _explain(self, error: RefusedError) -> PratiqueError:
        what, hint = _REASONS.get(error.status, ("Key Vault refused", ""))
        return ConfigError(
            f"{self.where}: {what}: {error.said}" if error.said else f"{self.where}: {what}", hint=hint
        )


def _b64url(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a key and its public half; without a version it is the newest one, from then on (I/O).

    Raises:
        UsageError: not the name of a key in a vault.
        ConfigError: azure-identity is not installed, no credentials, no such key, or no permission.
        InfrastructureError: the vault cannot be reached, or keeps failing.
    """
    found = _NAME.match(uri.rest.removeprefix("//"))
    if found is None:
        raise UsageError(
            f"{uri}: not a key in a vault", hint="azurekms:NAME.vault.azure.net/keys/KEY[/VERSION]"
        )
    host = found["host"]
    address = world.environ.get(ADDRESS_VARIABLE) or f"https://{host}"
    bearer = _Bearer(str(uri), f"https://{host.partition('.')[2]}/.default")
    service = Service(address, where=str(uri), headers=bearer.headers, sleep=world.sleep)
    return AzureKey(str(uri), service, found["key"], found["version"] or "")


class _Bearer:
    """A token of whoever azure-identity finds; it renews what runs out by itself."""

    def __init__(self, where: str, scope: str) -> None:
        self._where = where
        self._scope = scope
        self._credential = extra("azure.identity", "kms-azure").DefaultAzureCredential()
        self._error: Any = extra("azure.core.exceptions", "kms-azure").ClientAuthenticationError

    def headers(self) -> dict[str, str]:
        """Give the header that authorises a call."""
        try:
            token = self._credential.get_token(self._scope).token
        except self._error as error:
            first = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"{self._where}: no Azure credentials: {first[:160]}",
                hint="az login; is this machine's clock right?",
            ) from error
        return {"Authorization": f"Bearer {token}"}
