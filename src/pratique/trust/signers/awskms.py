"""`awskms:KEY`: a key of AWS KMS, ECC_NIST_P256, by its id, ARN or alias.

Credentials, region and address are those that botocore finds, as the AWS tools do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, EvidenceInvalidError, InfrastructureError, PratiqueError
from pratique.trust.keys import load_p256_spki
from pratique.trust.signers.extras import extra
from pratique.trust.signers.service import ATTEMPTS, SECONDS
from pratique.trust.signers.uri import options

if TYPE_CHECKING:
    from pratique.trust.signers.port import KeyHandle, Surroundings
    from pratique.trust.signers.uri import KeyUri

_SPEC: Final = "ECC_NIST_P256"
_LOGIN: Final = "aws sso login, or new credentials"
_REASONS: Final = {
    "NotFoundException": ("no such key in this region", "add ?region=…, or name it by ARN"),
    "DisabledException": ("the key is disabled", "aws kms enable-key"),
    "KMSInvalidStateException": ("the key is disabled or being deleted", "aws kms describe-key"),
    "InvalidKeyUsageException": ("the key is not for signing", "make one: --key-usage SIGN_VERIFY"),
    "AccessDeniedException": ("permission denied", "it takes kms:GetPublicKey and kms:Sign"),
    "ExpiredTokenException": ("the credentials have expired", _LOGIN),
    "ExpiredToken": ("the credentials have expired", _LOGIN),
    "UnrecognizedClientException": ("the credentials were not accepted", _LOGIN),
    "InvalidSignatureException": ("the request was not accepted", "is this machine's clock right?"),
    "RequestTimeTooSkewed": ("this machine's clock is too far off", "set it"),
}


class AwsKey:
    """A key in AWS KMS; an alias is looked up once, so that moving it between two calls changes nothing."""

    def __init__(self, where: str, client: Any, name: str) -> None:
        self.where = where
        self._client = client
        answer = self._call("get_public_key", KeyId=name)
        self.public_key: bytes = answer["PublicKey"]
        try:
            load_p256_spki(self.public_key)
        except EvidenceInvalidError as error:
            raise ConfigError(
                f"{where}: not an ECDSA P-256 key",
                hint=f"make one: aws kms create-key --key-spec {_SPEC} --key-usage SIGN_VERIFY",
            ) from error
        self._arn: str = answer["KeyId"]

    def sign_digest(self, digest: bytes) -> bytes:
        """See `KeyHandle.sign_digest`."""
        answer = self._call(
            "sign", KeyId=self._arn, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )
        signature: bytes = answer["Signature"]
        return signature

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        exceptions = extra("botocore.exceptions", "kms-aws")
        try:
            answer: dict[str, Any] = getattr(self._client, method)(**arguments)
        except exceptions.ClientError as error:
            raise self._explain(error.response.get("Error", {})) from error
        except (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError) as error:
            raise ConfigError(f"{self.where}: no AWS credentials: {error}", hint=_LOGIN) from error
        except exceptions.BotoCoreError as error:
            raise InfrastructureError(
                f"{self.where}: AWS KMS cannot be reached: {str(error)[:200]}",
                hint="check region and network",
            ) from error
        return answer

    def _explain(self, error: dict[str, Any]) -> PratiqueError:
        code, said = str(error.get("Code", "")), " ".join(str(error.get("Message", "")).split())[:200]
        if code in _REASONS:
            what, hint = _REASONS[code]
            return ConfigError(f"{self.where}: {what}: {said}", hint=hint)
        return InfrastructureError(f"{self.where}: AWS KMS refused: {code}: {said}", hint="try again later")


def open_key(uri: KeyUri, world: Surroundings) -> KeyHandle:
    """Find a key and its public half (I/O).

    Raises:
        UsageError: an option that is not known.
        ConfigError: botocore is not installed, no credentials or region, no such key, or no permission.
        InfrastructureError: AWS KMS cannot be reached, or keeps failing.
    """
    name, given = options(uri, frozenset({"region"}))
    botocore = extra("botocore.session", "kms-aws")
    exceptions = extra("botocore.exceptions", "kms-aws")
    config = extra("botocore.config", "kms-aws").Config(
        connect_timeout=SECONDS,
        read_timeout=SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    region = given.get("region") or world.environ.get("AWS_REGION")  # which botocore alone does not read
    try:
        client = botocore.get_session().create_client("kms", region_name=region, config=config)
    except exceptions.NoRegionError as error:
        raise ConfigError(f"{uri}: which region?", hint="add ?region=…, or set $AWS_REGION") from error
    except exceptions.BotoCoreError as error:
        raise ConfigError(f"{uri}: {str(error)[:200]}", hint="see: aws configure list") from error
    return AwsKey(str(uri), client, name.lstrip("/"))
