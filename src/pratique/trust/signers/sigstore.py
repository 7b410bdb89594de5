"""`sigstore:`: keyless signing with a Sigstore instance, through sigstore-python's public classes.

`sigstore:` is the public instance, `sigstore:staging` its staging instance, `sigstore:FILE` a private one by
its ClientTrustConfig. The instance certifies who the identity token says, timestamps and logs the signature,
so that what comes back is a whole bundle; nothing of it enters the journal here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pratique.errors import ConfigError, InfrastructureError, PratiqueError, UsageError
from pratique.trust.signers.extras import extra
from pratique.trust.signers.statement import payload_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pratique.trust.signers.port import Signer, Surroundings
    from pratique.trust.signers.uri import KeyUri
    from pratique.trust.statement import Statement

EXTRA: Final = "sigstore"
TOKEN_VARIABLE: Final = "SIGSTORE_ID_TOKEN"  # noqa: S105 - the name that cosign reads, too


class Keyless:
    """Signs with one Sigstore instance, as whoever the identity token names."""

    def __init__(self, where: str, environ: Mapping[str, str]) -> None:
        """Take the public instance, `staging`, or the one of a ClientTrustConfig file (I/O: may use TUF).

        Raises:
            ConfigError: sigstore is not installed, or the file is none.
            InfrastructureError: the instance's trust root cannot be fetched.
        """
        self._where = f"sigstore:{where}"
        self._environ = environ
        self._sign: Any = extra("sigstore.sign", EXTRA)
        self._oidc: Any = extra("sigstore.oidc", EXTRA)
        self._trust = self._load(where)

    def _load(self, where: str) -> Any:
        config = extra("sigstore.models", EXTRA).ClientTrustConfig
        try:
            if not where:
                return config.production()
            return (
                config.staging() if where == "staging" else config.from_json(Path(where).read_text("utf-8"))
            )
        except OSError as error:
            raise ConfigError(
                f"{where}: the trust config cannot be read: {error.strerror or error}"
            ) from error
        except Exception as error:
            if where and where != "staging":
                raise ConfigError(f"{where}: not a ClientTrustConfig: {_first_line(error)}") from error
            raise InfrastructureError(
                f"{self._where}: its trust root cannot be had: {_first_line(error)}",
                hint="it comes over the network; a private instance is named by its file: sigstore:FILE",
            ) from error

    def statement(self, statement: Statement) -> bytes:
        """Sign a statement and give the bundle.

        Raises:
            MalformedError: the statement has no signable form.
            ConfigError: no identity token, or one that has expired or is not accepted.
            InfrastructureError: the instance does not answer, or answers with what does not hold.
        """
        dsse = extra("sigstore.dsse", EXTRA)
        return self._bundle(lambda signer: signer.sign_dsse(dsse.Statement(payload_of(statement))))

    def digest(self, digest: bytes) -> bytes:
        """Sign bytes by their SHA-256 and give the bundle; raises as `statement` does."""
        hashes = extra("sigstore.hashes", EXTRA)
        algorithm = hashes.HashAlgorithm.SHA2_256
        hashed = hashes.Hashed(algorithm=algorithm, digest=digest)
        return self._bundle(lambda signer: signer.sign_artifact(hashed))

    def _bundle(self, sign: Any) -> bytes:
        token = self._token()
        try:
            with self._sign.SigningContext.from_trust_config(self._trust).signer(token) as signer:
                data: str = sign(signer).to_json()
        except self._oidc.ExpiredIdentity as error:
            raise ConfigError(
                f"{self._where}: the identity token has expired", hint="get a new one"
            ) from error
        except PratiqueError:
            raise
        except Exception as error:  # its clients raise a dozen unrelated classes
            raise InfrastructureError(
                f"{self._where}: signing failed: {type(error).__name__}: {_first_line(error)}",
                hint="is the instance up, its token issuer accepted, and this machine's clock right?",
            ) from error
        return data.encode()

    def _token(self) -> Any:
        """Take the identity token from the environment, from the CI system, or by way of a browser."""
        given = self._environ.get(TOKEN_VARIABLE)
        try:
            raw = given or self._oidc.detect_credential()
            if raw:
                return self._oidc.IdentityToken(raw)
            self._need_terminal()
            return self._oidc.Issuer(self._trust.signing_config.get_oidc_url()).identity_token()
        except PratiqueError:
            raise
        except Exception as error:
            raise ConfigError(
                f"{self._where}: the identity token is none that is accepted: {_first_line(error)}",
                hint="has it expired? Its audience has to be `sigstore`",
            ) from error

    def _need_terminal(self) -> None:
        if not sys.stdin or not sys.stdin.isatty():
            raise ConfigError(
                f"{self._where}: no identity token, and no terminal to log in from",
                hint=f"set ${TOKEN_VARIABLE}, or let the CI job have one (id-token: write)",
            )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def open_signer(uri: KeyUri, _: Surroundings) -> Signer:
    """Refuse: what Sigstore signs is logged there, and nobody is enrolled by it.

    Raises:
        UsageError: always.
    """
    raise UsageError(
        f"{uri}: nobody is enrolled by a Sigstore identity", hint="sign and attest --bundle take it"
    )
