"""From a token to who it speaks of: find its issuer, verify it, read its claims."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

from pratique.errors import ConfigError, CouldNotCheckError, MalformedError, SignatureInvalidError
from pratique.server.http import CallRefusedError, Code
from pratique.server.oidc.fetch import fetch
from pratique.server.oidc.jws import MAX_JWKS_BYTES, Jwk, parse_jwks, parse_token, verify_token
from pratique.server.oidc.principal import ClaimError, Principal, check_claims, principal_of
from pratique.server.oidc.provider import FixedProvider, Provider

if TYPE_CHECKING:
    from collections.abc import Callable

    from pratique.model.clock import Clock
    from pratique.server.config import IssuerConfig, Settings


class Keys(Protocol):
    """Where an issuer's keys come from."""

    def keys(self, kid: str, /) -> tuple[Jwk, ...]:
        """Give the keys, among them the one named if the issuer has it.

        Raises:
            CouldNotCheckError: they cannot be had.
        """
        ...


class Authenticator:
    """The issuers of serve.toml, with their keys."""

    def __init__(self, settings: Settings, *, clock: Clock, now: Callable[[], float]) -> None:
        self._clock = clock
        self._issuers: dict[str, tuple[IssuerConfig, Keys]] = {
            issuer.url: (issuer, _keys_of(issuer, settings, now)) for issuer in settings.config.issuers
        }

    def authenticate(self, text: str) -> Principal:
        """Verify a token and say who it speaks of.

        Raises:
            CallRefusedError: an unknown issuer, a token that does not hold, or keys that cannot be had. The
                message does not contain the token.
        """
        try:
            token = parse_token(text)
            config, provider = self._issuer(token.claims.get("iss"))
            verify_token(token, provider.keys(token.kid), config.algorithms)
            check_claims(token.claims, config, self._clock())
            return principal_of(token.claims, config)
        except CouldNotCheckError as error:
            raise CallRefusedError(
                Code.UNAVAILABLE, "the issuer's keys cannot be had now", reason="issuer-unreachable"
            ) from error
        except ClaimError as error:
            raise _refusal(error.message, error.reason) from error
        except MalformedError as error:
            raise _refusal(error.message, "token-malformed") from error
        except SignatureInvalidError as error:
            raise _refusal(error.message, "token-signature") from error

    def _issuer(self, url: object) -> tuple[IssuerConfig, Keys]:
        if not isinstance(url, str) or url not in self._issuers:
            raise ClaimError("tokens of this issuer are not taken here", "issuer-unknown")
        return self._issuers[url]


def _refusal(message: str, reason: str) -> CallRefusedError:
    text = f"There was an error processing the identity token: {message}"
    return CallRefusedError(Code.UNAUTHENTICATED, text, reason=reason)


def _keys_of(issuer: IssuerConfig, settings: Settings, now: Callable[[], float]) -> Keys:
    if not issuer.jwks:
        ca = settings.path(issuer.ca) if issuer.ca else None
        return Provider(issuer.url, functools.partial(fetch, ca=ca), now)
    path = settings.path(issuer.jwks)
    try:
        with path.open("rb") as stream:
            keys = parse_jwks(stream.read(MAX_JWKS_BYTES + 1))
    except OSError as error:
        raise ConfigError(f"issuer {issuer.url}: {path} cannot be read: {error.strerror}") from error
    except MalformedError as error:
        raise ConfigError(f"issuer {issuer.url}: {path}: {error.message}") from error
    if not keys:
        raise ConfigError(f"issuer {issuer.url}: {path} has no key that can be used")
    return FixedProvider(keys)
