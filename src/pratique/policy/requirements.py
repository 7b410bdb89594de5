"""The trust layer's configuration: which evidence is owed for an artifact, and who may sign what.

Roles name signer identities and the predicate types they may sign; `require` says which types are owed, by
how many distinct identities, and how fresh. An empty list is refused wherever it would hold vacuously (SLSA
1.2, "Verifying artifacts", step 1: check that the builder identity is one you trust for this).
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from pratique.errors import ConfigError
from pratique.model.predicate import SHORT_NAMES, WAIVER
from pratique.policy.settings import nearest, typed

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}\Z")
_SPIFFE_PATTERN = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._*-]+)+\Z")
_KEY = re.compile(r"key:sha256:[0-9a-f]{64}\Z")

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Identities, and what their word is taken for.

    Attributes:
        signers: SPIFFE identities (`*` matches within one path segment) and `key:sha256:<hex>`.
        may_sign: predicate short names.
    """

    signers: tuple[str, ...]
    may_sign: tuple[str, ...]


class Requirement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One predicate type that is owed.

    Attributes:
        command: what makes the evidence, shown to whoever lacks it.
        threshold: how many distinct identities must have signed.
        max_age_days: evidence signed longer ago does not count; absent, it never ages.
    """

    command: str
    threshold: PositiveInt = 1
    max_age_days: PositiveInt | None = None


class Requirements(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole configuration.

    Attributes:
        trust_domain: fills `{trust_domain}` in the roles' signers.
        roles: by role name.
        require: by predicate short name.
    """

    trust_domain: str
    roles: dict[str, Role]
    require: dict[str, Requirement]

    def roles_of(self, signer: str, kind: str) -> tuple[str, ...]:
        """Name the roles an identity holds, sorted. A SPIFFE identity must come from a certificate."""
        return tuple(
            name
            for name, role in sorted(self.roles.items())
            if any(_matches(self._expand(pattern), signer, kind) for pattern in role.signers)
        )

    def roles_for(self, short: str) -> tuple[str, ...]:
        """Name the roles that may sign a predicate type, sorted."""
        return tuple(name for name, role in sorted(self.roles.items()) if short in role.may_sign)

    def may_sign(self, signer: str, kind: str, short: str) -> bool:
        """Say whether an identity's word is taken for a predicate type."""
        return any(short in self.roles[name].may_sign for name in self.roles_of(signer, kind))

    def _expand(self, pattern: str) -> str:
        return pattern.replace("{trust_domain}", self.trust_domain)


_KEYS = sorted({key for kind in (Requirements, Role, Requirement) for key in kind.__struct_fields__})


def parse_requirements(table: dict[str, Any], *, what: str) -> Requirements:
    """Type and check the configuration.

    Raises:
        ConfigError: an unknown key or predicate name, a malformed identity, or a list that is empty and
            would be satisfied by nothing.
    """
    requirements = typed(table, Requirements, what=what, known=_KEYS)
    if not _TRUST_DOMAIN.match(requirements.trust_domain):
        raise ConfigError(f"{what}: trust_domain {requirements.trust_domain!r} is not a SPIFFE trust domain")
    if not requirements.require:
        raise ConfigError(f"{what}: nothing is required, so all would pass", hint="see docs/policy.md")
    for name, role in requirements.roles.items():
        _check_role(requirements, name, role, what)
    for short in requirements.require:
        _check_predicate(short, f"{what}: require.{short}")
        if not requirements.roles_for(short):
            raise ConfigError(f"{what}: {short} is required, and no role may sign it")
    return requirements


def requirements_table(requirements: Requirements) -> dict[str, Any]:
    """Give the plain table that `parse_requirements` reads back."""
    table: dict[str, Any] = msgspec.to_builtins(requirements)
    return table


def _check_role(requirements: Requirements, name: str, role: Role, what: str) -> None:
    where = f"{what}: roles.{name}"
    if not role.signers or not role.may_sign:
        raise ConfigError(f"{where}: signers and may_sign must each list at least one entry")
    for short in role.may_sign:
        _check_predicate(short, f"{where}.may_sign")
    for pattern in role.signers:
        expanded = pattern.replace("{trust_domain}", requirements.trust_domain)
        if not (_SPIFFE_PATTERN.match(expanded) or _KEY.match(expanded)):
            raise ConfigError(
                f"{where}.signers: {pattern!r} is neither a SPIFFE identity nor a key",
                hint="write spiffe://<trust domain>/<path> (* within one path segment), or key:sha256:<hex>",
            )


def _check_predicate(short: str, where: str) -> None:
    if short not in SHORT_NAMES:
        raise ConfigError(f"{where}: no predicate type is called {short!r}", hint=nearest(short, SHORT_NAMES))
    if SHORT_NAMES[short] == WAIVER:
        raise ConfigError(
            f"{where}: who may waive is said by enrolments, not here",
            hint="pratique trust enrol NAME --role waiver-approver",
        )


def _matches(pattern: str, signer: str, kind: str) -> bool:
    if pattern.startswith("key:"):
        return kind == "key" and pattern == signer
    literal = "[^/]*".join(re.escape(part) for part in pattern.split("*"))
    return kind == "certificate" and re.fullmatch(literal, signer) is not None
