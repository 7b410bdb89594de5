"""Whom a verified token speaks of, as a certificate will say it (pure)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from pratique.errors import SignatureInvalidError
from pratique.server.oidc.profile import EXTENSIONS, PROFILES, MissingClaimError, Profile, fill
from pratique.trust.identity import Identity

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.server.config import IssuerConfig

MAX_SUBJECT: Final = 1024
_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z"
)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+\Z")


class Principal(msgspec.Struct, frozen=True):
    """Who is to be certified.

    Attributes:
        identity: subject and issuer.
        email: whether the subject is an e-mail address; otherwise it is a URI.
        challenge: what a client signs to show that it has its key.
        extensions: Fulcio's, by the last number of their OID.
    """

    identity: Identity
    email: bool
    challenge: str
    extensions: dict[int, str]


class ClaimError(SignatureInvalidError):
    """A token that is genuine and still does not do; `reason` is a fixed word for the audit."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


def check_claims(claims: dict[str, Any], config: IssuerConfig, now: datetime) -> None:
    """See that a token with a valid signature is for us, and valid now (OpenID Connect Core 1.0 §3.1.3.7).

    Raises:
        ClaimError: it is not.
    """
    if claims.get("iss") != config.url:
        raise ClaimError("a token of another issuer", "issuer")
    audience = claims.get("aud")
    if config.audience not in (audience if isinstance(audience, list) else [audience]):
        raise ClaimError(f"the token is not for the audience {config.audience!r}", "audience")
    moment, skew = now.timestamp(), config.skew_seconds
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if moment >= expires + skew:
        raise ClaimError("the token has expired", "token-expired")
    if issued > moment + skew or _time(claims, "nbf", issued) > moment + skew:
        raise ClaimError("the token is not valid yet", "token-early")
    if expires - issued > config.max_token_seconds:
        raise ClaimError("the token is valid for longer than is taken", "token-long")
    for name, value in config.require.items():
        if _plain(claims.get(name)) != value:
            raise ClaimError(f"the token's claim {name} is not the one required", "claim-required")


def _time(claims: dict[str, Any], name: str, default: float | None = None) -> float:
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimError(f"the token has no {name}", "token-times")
    return float(value)


def _plain(value: object) -> object:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def principal_of(claims: dict[str, Any], config: IssuerConfig) -> Principal:
    """Make the certificate's subject and extensions of a token's claims, as Fulcio does for each type.

    Raises:
        ClaimError: claims that are missing, or that cannot be a certificate's.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or len(subject) > MAX_SUBJECT or not subject.isprintable():
        raise ClaimError("the token has no subject", "subject")
    extensions = {EXTENSIONS["token-subject"]: subject}
    match config.type:
        case "email":
            address = _email(claims, config)
            return Principal(_identity(address, config), email=True, challenge=address, extensions=extensions)
        case "uri":
            name = _uri_subject(subject, config)
        case "kubernetes":
            name = _service_account(claims)
        case "custom":
            own = Profile(config.subject, config.extensions, {})
            name, more = _filled(own, claims, config)
            extensions.update(more)
        case _:
            name, more = _filled(PROFILES[config.type], claims, config)
            extensions.update(more)
    if len(name) > MAX_SUBJECT or not _URI.match(name):
        raise ClaimError("the token's claims do not make a URI", "subject")
    return Principal(_identity(name, config), email=False, challenge=subject, extensions=extensions)


def _identity(name: str, config: IssuerConfig) -> Identity:
    return Identity("certificate", name, config.url)


def _email(claims: dict[str, Any], config: IssuerConfig) -> str:
    address = claims.get("email")
    if not isinstance(address, str) or not _EMAIL.match(address) or ".." in address:
        raise ClaimError("the token has no e-mail address", "email")
    if config.verified_email and claims.get("email_verified") is not True:
        raise ClaimError("the token does not say that its e-mail address was verified", "email")
    return address


def _uri_subject(subject: str, config: IssuerConfig) -> str:
    parts, domain = urlsplit(subject), urlsplit(config.subject_domain)
    if (parts.scheme, parts.hostname) != (domain.scheme, domain.hostname) or "@" in parts.netloc:
        raise ClaimError(f"the token's subject is not below {config.subject_domain}", "subject")
    return subject


def _service_account(claims: dict[str, Any]) -> str:
    cluster = claims.get("kubernetes.io")
    account = cluster.get("serviceaccount") if isinstance(cluster, dict) else None
    namespace = cluster.get("namespace") if isinstance(cluster, dict) else None
    name = account.get("name") if isinstance(account, dict) else None
    if not (isinstance(namespace, str) and namespace and isinstance(name, str) and name):
        raise ClaimError("the token names no service account", "subject")
    base = "https://kubernetes.io/namespaces"
    return f"{base}/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}"


def _filled(profile: Profile, claims: dict[str, Any], config: IssuerConfig) -> tuple[str, dict[int, str]]:
    values = {**profile.values, **config.values}
    try:
        found = {
            EXTENSIONS[name]: fill(template, claims, values) for name, template in profile.extensions.items()
        }
        return fill(profile.subject, claims, values), {number: text for number, text in found.items() if text}
    except MissingClaimError as error:
        raise ClaimError(str(error), "claim-missing") from error
