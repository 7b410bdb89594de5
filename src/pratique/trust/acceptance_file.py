"""The verification policy as a file (TOML): roles, and what is revoked.

[roles.publisher]
signers = [{issuer = "https://token.actions.githubusercontent.com",
subject = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/*"}]
keys = ["release.pub"]                 # files beside this one: their keys are signers, too
may_sign = ["https://slsa.dev/provenance/v1"]
threshold = 1
max_age_days = 90

[[revoked]]
key = "sha256:…"                       # or certificate, or digest
since = "2026-03-01T00:00:00Z"
reason = "stolen laptop"
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.clock import parse_time
from pratique.model.digest import parse_digest
from pratique.model.predicate import SHORT_NAMES
from pratique.trust.acceptance import SIGNATURE, Acceptance, Revocation, Role
from pratique.trust.pattern import IdentityPattern, parse_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pratique.trust.publickey import PublicKey

_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-~]{1,500}\Z")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Days = Annotated[int, msgspec.Meta(ge=1, le=36500)]


class _RoleWire(msgspec.Struct, forbid_unknown_fields=True):
    signers: list[Any] = []
    keys: list[str] = []
    may_sign: list[str] = []
    threshold: _Count = 1
    max_age_days: _Days | None = None


class _RevokedWire(msgspec.Struct, forbid_unknown_fields=True):
    key: str | None = None
    certificate: str | None = None
    digest: str | None = None
    since: str | None = None
    reason: str = ""


class _PolicyWire(msgspec.Struct, forbid_unknown_fields=True):
    roles: dict[str, _RoleWire]
    revoked: list[_RevokedWire] = []


_KEYS: Final = sorted(
    {key for wire in (_RoleWire, _RevokedWire, _PolicyWire) for key in wire.__struct_fields__}
)


def parse_acceptance(
    data: bytes, *, what: str, load_keys: Callable[[str], Iterable[PublicKey]]
) -> tuple[Acceptance, tuple[PublicKey, ...]]:
    """Read a verification policy.

    Args:
        data: the file's bytes.
        what: names it in errors.
        load_keys: gives the public keys in a file that the policy names.

    Returns:
        The policy, and the keys it names by file, which verification needs.

    Raises:
        ConfigError: not TOML, a key that nobody reads, a pattern that means too much, a role that nobody can
            fill, or no role.
    """
    import difflib  # noqa: PLC0415 - whoever names signers otherwise has no file
    import tomllib  # noqa: PLC0415

    try:
        table = tomllib.loads(data.decode("utf-8"))
        wire = msgspec.convert(table, _PolicyWire)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{what}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        found = _UNKNOWN.search(str(error))
        close = difflib.get_close_matches(found[1], _KEYS) if found else []
        hint = f"did you mean {close[0]!r}?" if close else ""
        raise ConfigError(f"{what}: {error}", hint=hint) from error
    loaded: list[PublicKey] = []
    roles: list[Role] = []
    for name, role in wire.roles.items():
        keys = [key for file in role.keys for key in load_keys(file)]
        loaded.extend(keys)
        roles.append(_role(name, role, keys, what))
    try:
        return Acceptance(tuple(roles), tuple(_revocation(item, what) for item in wire.revoked)), tuple(
            loaded
        )
    except ConfigError as error:
        raise ConfigError(f"{what}: {error.message}", hint=error.hint) from error


def _role(name: str, wire: _RoleWire, keys: list[PublicKey], what: str) -> Role:
    where = f"{what}: role {name!r}"
    patterns = [parse_pattern(item, what=where) for item in wire.signers]
    if any(pattern.root for pattern in patterns):
        raise ConfigError(f"{where}: evidence is verified under one root", hint="name it with --root")
    patterns += [IdentityPattern("key", key.key_id) for key in keys]
    exact = all("*" not in pattern.subject + pattern.issuer for pattern in patterns)
    if exact and len(set(patterns)) < wire.threshold:
        raise ConfigError(
            f"{where}: {wire.threshold} different signers are needed, and {len(set(patterns))} are named",
            hint="one key under two names is one signer",
        )
    claims = tuple(predicate_type(item, what=where) for item in wire.may_sign)
    return Role(name, tuple(patterns), claims, wire.threshold, wire.max_age_days)


def predicate_type(text: str, *, what: str) -> str:
    """Give a predicate type's URI for its short name, its URI, or `signature`.

    Raises:
        ConfigError: none of them.
    """
    uri = SHORT_NAMES.get(text, text)
    if uri != SIGNATURE and not _URI.match(uri):
        raise ConfigError(f"{what}: no predicate type is called {text[:80]!r}", hint="a URI, or 'signature'")
    return uri


def _revocation(wire: _RevokedWire, what: str) -> Revocation:
    named = {"key": wire.key, "certificate": wire.certificate, "digest": wire.digest}
    given = [(name, value) for name, value in named.items() if value is not None]
    if len(given) != 1:
        raise ConfigError(f"{what}: a revocation names one of key, certificate and digest")
    kind, text = given[0]
    try:
        since = None if wire.since is None else parse_time(wire.since)
        return Revocation(kind, parse_digest(text).hex, since, wire.reason)
    except MalformedError as error:
        raise ConfigError(f"{what}: revoked {kind}: {error.message}", hint=error.hint) from error
