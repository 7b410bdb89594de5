"""`gcpkms:projects/…/cryptoKeyVersions/N`: a key of Google Cloud KMS, by its REST API (v1).

Credentials are Application Default Credentials, as google-auth finds them.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pratique.errors import ConfigError, InfrastructureError, PratiqueError, UsageError
from pratique.trust.keys import spki
from pratique.trust.signers.extras import extra
from pratique.trust.signers.service import RefusedError, Service

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

ADDRESS: Final = "https://cloudkms.googleapis.com"
ADDRESS_VARIABLE: Final = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"  # as gcloud itself has it
_SCOPE: Final = "https://www.googleapis.com/auth/cloudkms"
_PART = r"[A-Za-z0-9_.:-]{1,63}"
_NAME: Final = re.compile(
    rf"projects/{_PART}/locations/{_PART}/keyRings/{_PART}/cryptoKeys/{_PART}/cryptoKeyVersions/[1-9][0-9]*\Z"
)
_ALGORITHM: Final = "EC_SIGN_P256_SHA256"
_LOGIN: Final = "gcloud auth application-default login"
_REASONS: Final = {
    401: ("the credentials were not accepted", f"{_LOGIN}; is this machine's clock right?"),
    403: ("permission denied", "the account needs roles/cloudkms.signer and roles/cloudkms.publicKeyViewer"),
    404: ("no such key version", "gcloud kms keys versions list"),
}  # fmt: skip


class GcpKey:
    """One version of a key in Cloud KMS."""

    def __init__(self, where: str, service: Service, name: str) -> None:
        self.where = where
        self._service = service
        self._name = name
        answer = self._call("GET", f"/v1/{name}/publicKey")
        if answer.get("algorithm") != _ALGORITHM:
            raise ConfigError(
                f"{where}: its algorithm is {str(answer.get('algorithm'))[:40]}, not {_ALGORITHM}"
            )
        try:
            self.public_key = spki(load_pem_public_key(answer["pem"].encode()))  # type: ignore[arg-type] # checked above
        except (KeyError, ValueError, AttributeError) as error:
            raise InfrastructureError(f"{where}: a public key that does not parse") from error

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        body = {"digest": {"sha256": b64encode(digest).decode()}}
        answer = self._call("POST", f"/v1/{self._name}:asymmetricSign", body)
        try:
            return b64decode(answer["signature"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise InfrastructureError(f"{self.where}: an answer without a signature") from error

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._service.call(method, path, body)
        except RefusedError as error:
            raise self._explain(error) from error

    def _explain(self, error: RefusedError) -> PratiqueError:
        what, hint = _REASONS.get(error.status, ("Cloud KMS refused", "is the key version enabled?"))
        return ConfigError(
            f"{self.where}: {what}: {error.said}" if error.said else f"{self.where}: {what}", hint=hint
        )


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a key version and its public half (I/O).

    Raises:
        UsageError: not the resource name of a key version.
        ConfigError: google-auth is not installed, no credentials, no such key, or no permission.
        InfrastructureError: Cloud KMS cannot be reached, or keeps failing.
    """
    name = uri.rest.removeprefix("//")
    if not _NAME.match(name):
        raise UsageError(
            f"{uri}: not a key version",
            hint="gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/1",
        )
    address = (world.environ.get(ADDRESS_VARIABLE) or ADDRESS).rstrip("/")
    bearer = _Bearer(str(uri))
    service = Service(address, where=str(uri), headers=bearer.headers, sleep=world.sleep)
    return GcpKey(str(uri), service, name)


class _Bearer:
    """Application Default Credentials, renewed when they run out."""

    def __init__(self, where: str) -> None:
        google = extra("google.auth", "kms-gcp")
        self._requests = extra("google.auth.transport.requests", "kms-gcp")
        self._where = where
        try:
            self._credentials, _ = google.default(scopes=[_SCOPE])
        except google.exceptions.DefaultCredentialsError as error:
            raise ConfigError(
                f"{where}: no Google credentials: {str(error)[:160]}",
                hint="gcloud auth application-default login",
            ) from error
        self._errors: Any = google.exceptions

    def headers(self) -> dict[str, str]:
        """Give the header that authorises a call."""
        try:
            if not self._credentials.valid:
                self._credentials.refresh(self._requests.Request())
        except self._errors.RefreshError as error:
            raise ConfigError(
                f"{self._where}: the Google credentials cannot be renewed: {str(error)[:160]}",
                hint="gcloud auth application-default login; is this machine's clock right?",
            ) from error
        except self._errors.TransportError as error:
            raise InfrastructureError(
                f"{self._where}: Google's token service cannot be reached: {str(error)[:160]}"
            ) from error
        return {"Authorization": f"Bearer {self._credentials.token}"}
