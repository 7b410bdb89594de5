"""`serve.toml`: where the server listens, whom it believes, how much it takes. Unknown keys are errors."""

from __future__ import annotations

import ipaddress
from pathlib import Path  # noqa: TC003 - msgspec reads the annotations
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from pratique.errors import ConfigError
from pratique.policy.settings import typed
from pratique.server.oidc.profile import PROFILES, template_problem
from pratique.store.toml_file import read_toml

FILE_NAME = "serve.toml"
_LOOPBACK_NAMES = frozenset({"localhost"})


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[tls]`: PEM files; the certificate with its intermediates, leaf first."""

    certificate: str
    key: str


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[limits]`: counts are a minute; 0 lifts a limit.

    Attributes:
        per_address: requests of one address, of any kind.
        per_identity: certificates of one identity, and log entries of one signer.
        connections: open at the same time.
        waiting: requests that may wait for the journal.
        body_seconds: time for a request's headers, and again for its body.
    """

    per_address: int = 600
    per_identity: int = 60
    connections: int = 256
    waiting: int = 256
    body_seconds: float = 10.0


class IssuerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[issuers]]`: an OpenID provider that is believed, and how its tokens become certificates.

    Attributes:
        url: exactly its `iss`.
        type: which claims make the certificate's subject: `email`, `uri`, `kubernetes`, a CI's profile, or
            `custom` with templates of your own.
        audience: the `aud` that tokens must have.
        algorithms: signature algorithms that are taken from it (RFC 7518).
        subject_domain: for `uri`: scheme and host that subjects must have.
        verified_email: for `email`: whether the token has to say that the address was verified.
        subject: for `custom`: template of the subject's URI, as `https://ci.example.org/{project}`.
        extensions: for `custom`: Fulcio extension names with their templates.
        values: values for templates where a token has no such claim.
        require: claims that must have exactly this value, such as `{repository_owner_id = "1234"}`.
        skew_seconds: how far its clock may be off.
        max_token_seconds: longest validity of a token that is taken.
        ca: PEM file with the authorities that its TLS certificate chains to; by default the system's.
        jwks: file with its keys, instead of fetching them; for networks without a way to it.
    """

    url: str
    type: str
    audience: str = "sigstore"
    algorithms: tuple[Literal["RS256", "ES256", "ES384", "PS256", "EdDSA"], ...] = ("RS256", "ES256")
    subject_domain: str = ""
    verified_email: bool = True
    subject: str = ""
    extensions: dict[str, str] = {}
    values: dict[str, str] = {}
    require: dict[str, str] = {}
    skew_seconds: int = 30
    max_token_seconds: int = 24 * 3600
    ca: str = ""
    jwks: str = ""


class LogConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[log]`: whose signatures may be logged.

    Attributes:
        accept: `issued` takes entries whose certificate this root issued; `any` takes any valid signature.
    """

    accept: Literal["issued", "any"] = "issued"


class EvidenceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[evidence]`: whose evidence is taken besides what tokens' identities signed under this root.

    Attributes:
        roots: names of others' trusted roots in use here; what holds under one is recorded as theirs.
    """

    roots: tuple[str, ...] = ()


class ServeConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file.

    Attributes:
        listen: `HOST:PORT`, or `unix:PATH`.
        plain: whether to speak HTTP without TLS; on loopback or a Unix socket alone.
        tls: the server's certificate.
        keys: kinds of keys that are certified.
        issuers: whose tokens are believed.
        log: what may be logged.
        evidence: whose evidence is taken.
        limits: how much is taken.
        audit_seconds: how long timestamps and refusals may wait for their audit record.
    """

    listen: str = "127.0.0.1:8443"
    plain: bool = False
    tls: TlsConfig | None = None
    keys: tuple[Literal["p256", "p384"], ...] = ("p256", "p384")
    issuers: tuple[IssuerConfig, ...] = ()
    log: LogConfig = LogConfig()
    evidence: EvidenceConfig = EvidenceConfig()
    limits: LimitsConfig = LimitsConfig()
    audit_seconds: float = 10.0


class Settings(msgspec.Struct, frozen=True):
    """A configured server: the file's folder, against which paths are resolved, and what the file says."""

    folder: Path
    config: ServeConfig

    def path(self, name: str) -> Path:
        """Resolve a path of the file."""
        return self.folder / name


def load_settings(path: Path) -> Settings:
    """Load one configuration file (I/O).

    Raises:
        ConfigError: unreadable, not TOML, a key or value that does not belong, a contradiction.
    """
    table = read_toml(path, hint="see docs/serve.md")
    return Settings(path.parent.resolve(), parse_settings(table, what=str(path)))


def parse_settings(table: dict[str, object], *, what: str) -> ServeConfig:
    """Type a parsed file, and refuse what contradicts itself.

    Raises:
        ConfigError: see `load_settings`.
    """
    config = typed(table, ServeConfig, what=what, known=_KNOWN)
    if (config.tls is None) == (not config.plain):
        raise ConfigError(
            f"{what}: it needs exactly one of [tls] and plain = true",
            hint="plain HTTP is for loopback and Unix sockets, behind a proxy that has the certificate",
        )
    if config.plain and not is_local(config.listen):
        raise ConfigError(f"{what}: plain HTTP on {config.listen}: tokens would cross a network in clear")
    if not config.keys:
        raise ConfigError(f"{what}: keys is empty, so nothing could be certified")
    limits = config.limits
    if min(limits.per_address, limits.per_identity) < 0 or min(limits.connections, limits.waiting) < 1:
        raise ConfigError(f"{what}: [limits] has a negative or empty limit")
    if limits.body_seconds <= 0 or config.audit_seconds <= 0:
        raise ConfigError(f"{what}: body_seconds and audit_seconds must be above 0")
    for issuer in config.issuers:
        _check_issuer(issuer, what)
    urls = [issuer.url for issuer in config.issuers]
    if len(set(urls)) != len(urls):
        raise ConfigError(f"{what}: one issuer is configured twice")
    return config


def _check_issuer(issuer: IssuerConfig, what: str) -> None:
    where = f"{what}: issuer {issuer.url}"
    parts = urlsplit(issuer.url)
    loopback = parts.scheme == "http" and _is_loopback(parts.hostname or "")
    if not (parts.scheme == "https" or loopback or issuer.jwks) or not parts.hostname or parts.fragment:
        raise ConfigError(f"{where}: its url must be https (http on loopback, or with jwks)")
    if not issuer.audience or not issuer.algorithms:
        raise ConfigError(f"{where}: audience and algorithms may not be empty")
    if issuer.skew_seconds < 0 or issuer.max_token_seconds < 1:
        raise ConfigError(f"{where}: skew_seconds or max_token_seconds is out of range")
    if issuer.type == "custom":
        if not issuer.subject:
            raise ConfigError(f"{where}: type custom needs a subject template")
        if problem := template_problem(issuer.subject, issuer.extensions):
            raise ConfigError(f"{where}: {problem}")
    elif issuer.type not in {"email", "uri", "kubernetes", *PROFILES}:
        listed = ", ".join(["email", "uri", "kubernetes", *PROFILES, "custom"])
        raise ConfigError(f"{where}: no type {issuer.type!r}", hint=f"types: {listed}")
    elif issuer.subject or issuer.extensions:
        raise ConfigError(f"{where}: subject and extensions belong to type custom")
    domain = urlsplit(issuer.subject_domain)
    if (issuer.type == "uri") != bool(domain.scheme and domain.hostname):
        raise ConfigError(f"{where}: type uri, and no other, needs subject_domain, as https://example.org")


def is_local(listen: str) -> bool:
    """Say whether an address is of this machine alone: a Unix socket, or on loopback."""
    return listen.startswith("unix:") or _is_loopback(listen.rpartition(":")[0].strip("[]"))


def _is_loopback(host: str) -> bool:
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_TABLES = (ServeConfig, TlsConfig, LimitsConfig, IssuerConfig, LogConfig, EvidenceConfig)
_KNOWN = sorted({field for table in _TABLES for field in table.__struct_fields__})
