"""`trust.toml`, and the same as canonical JSON in a policy bundle: text to requirements and back."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec

from pratique.errors import ConfigError, MalformedError
from pratique.model.digest import parse_digest
from pratique.model.predicate import IMPORTED, SHORT_NAMES, WAIVER, short_name
from pratique.policy.build_facts import Vouch
from pratique.policy.expectations import KEYS, parse_expectation
from pratique.policy.mode import Mode
from pratique.policy.requirements import (
    Approvers,
    Distinct,
    PositiveInt,
    Requirement,
    Requirements,
    Role,
)
from pratique.policy.settings import nearest, typed
from pratique.policy.witnessed import WitnessRule, check_witnesses
from pratique.trust.identity import check_root_name
from pratique.trust.pattern import IdentityPattern, check_glob, check_url_glob, parse_pattern

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}\Z")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?\Z")
_TYPE_URI = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[!-~]{1,500}\Z")
_PLACEHOLDER: Final = "{trust_domain}"

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class _RoleWire(msgspec.Struct, forbid_unknown_fields=True):
    signers: list[Any]
    may_sign: list[str]


class _RequirementWire(msgspec.Struct, forbid_unknown_fields=True):
    command: _Text
    predicate: str | None = None
    artifacts: list[str] | None = None
    threshold: PositiveInt = 1
    distinct: Distinct = "identities"
    max_age_days: PositiveInt | None = None
    expect: dict[str, Any] | None = None


class _VouchWire(msgspec.Struct, forbid_unknown_fields=True):
    builder: str
    signers: list[Any]
    level: Annotated[int, msgspec.Meta(ge=2, le=3)]
    reason: _Text


class _RequirementsWire(msgspec.Struct, forbid_unknown_fields=True):
    trust_domain: str
    roles: dict[str, _RoleWire]
    require: dict[str, _RequirementWire]
    mode: Mode = Mode.ENFORCE
    vouch: list[_VouchWire] = []
    approvals: dict[str, list[Approvers]] = {}
    roots: dict[str, list[str]] = {}
    witnesses: WitnessRule | None = None


_WIRES = (_RequirementsWire, _RoleWire, _RequirementWire, _VouchWire, Approvers, WitnessRule)
_KEYS = sorted({*KEYS, *(key for kind in _WIRES for key in kind.__struct_fields__)})


def parse_requirements(table: dict[str, Any], *, what: str) -> Requirements:
    """Type and check the configuration.

    Raises:
        ConfigError: an unknown key or predicate name, a malformed identity or pattern, or a list that is
            empty and would be satisfied by nothing.
    """
    wire = typed(table, _RequirementsWire, what=what, known=_KEYS)
    if not _TRUST_DOMAIN.match(wire.trust_domain):
        raise ConfigError(f"{what}: trust_domain {wire.trust_domain!r} is not a SPIFFE trust domain")
    if not wire.require:
        raise ConfigError(f"{what}: nothing is required, so all would pass", hint="see docs/policy.md")
    reader = _Reader(wire.trust_domain)
    requirements = Requirements(
        trust_domain=wire.trust_domain,
        mode=wire.mode,
        roles={name: reader.role(role, f"{what}: roles.{name}") for name, role in wire.roles.items()},
        require={
            label: reader.requirement(label, found, f"{what}: require.{label}")
            for label, found in wire.require.items()
        },
        vouch=tuple(reader.vouch(found, f"{what}: vouch[{i}]") for i, found in enumerate(wire.vouch)),
        approvals={
            glob: _approvers(glob, rules, f"{what}: approvals.{glob}")
            for glob, rules in wire.approvals.items()
        },
        roots={name: _pins(name, found, f"{what}: roots.{name}") for name, found in wire.roots.items()},
        witnesses=wire.witnesses and check_witnesses(wire.witnesses, f"{what}: witnesses"),
    )
    for label, requirement in requirements.require.items():
        if not requirements.roles_for(requirement.predicate):
            raise ConfigError(f"{what}: require.{label}: no role may sign {requirement.predicate} evidence")
    return requirements


def requirements_table(requirements: Requirements) -> dict[str, Any]:
    """Give the plain table that `parse_requirements` reads back, with the trust domain filled in."""
    table: dict[str, Any] = msgspec.to_builtins(requirements)
    for name, role in requirements.roles.items():
        table["roles"][name]["signers"] = [pattern.to_plain() for pattern in role.signers]
    for entry, vouch in zip(table["vouch"], requirements.vouch, strict=True):
        entry["signers"] = [pattern.to_plain() for pattern in vouch.signers]
    return table


class _Reader:
    """Reads what holds `{trust_domain}`."""

    def __init__(self, trust_domain: str) -> None:
        self.trust_domain = trust_domain

    def role(self, wire: _RoleWire, what: str) -> Role:
        if not wire.signers or not wire.may_sign:
            raise ConfigError(f"{what}: signers and may_sign must each list at least one entry")
        may_sign = tuple(_predicate(name, f"{what}.may_sign") for name in wire.may_sign)
        return Role(signers=self._patterns(wire.signers, what), may_sign=may_sign)

    def requirement(self, label: str, wire: _RequirementWire, what: str) -> Requirement:
        if not _LABEL.match(label):
            raise ConfigError(f"{what}: a label has lower-case letters, digits and inner hyphens")
        predicate = _predicate(label if wire.predicate is None else wire.predicate, what)
        if wire.artifacts == []:
            raise ConfigError(f"{what}.artifacts: an empty list: it would be owed for nothing")
        for glob in wire.artifacts or ():
            check_glob(glob, what=f"{what}.artifacts")
        expect = None
        if wire.expect is not None:
            filled = {name: self._filled(value) for name, value in wire.expect.items()}
            expect = parse_expectation(predicate, filled, what=f"{what}.expect")
        return Requirement(
            predicate=predicate,
            command=wire.command,
            artifacts=None if wire.artifacts is None else tuple(wire.artifacts),
            threshold=wire.threshold,
            distinct=wire.distinct,
            max_age_days=wire.max_age_days,
            expect=expect,
        )

    def vouch(self, wire: _VouchWire, what: str) -> Vouch:
        builder = self._filled(wire.builder)
        check_url_glob(builder, what=f"{what}.builder")
        if not wire.signers:
            raise ConfigError(f"{what}.signers: an empty list: name who signs that platform's provenance")
        return Vouch(
            builder=builder,
            signers=self._patterns(wire.signers, what),
            level=3 if wire.level == 3 else 2,  # noqa: PLR2004 - SLSA's build levels
            reason=wire.reason,
        )

    def _patterns(self, values: list[Any], what: str) -> tuple[IdentityPattern, ...]:
        return tuple(parse_pattern(self._filled(value), what=f"{what}.signers") for value in values)

    def _filled(self, value: Any) -> Any:
        """Fill in the trust domain, in text wherever it stands."""
        if isinstance(value, str):
            return value.replace(_PLACEHOLDER, self.trust_domain)
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if isinstance(value, dict):
            return {name: self._filled(item) for name, item in value.items()}
        return value


def _approvers(glob: str, rules: list[Approvers], what: str) -> tuple[Approvers, ...]:
    check_glob(glob, what=what)
    if not rules:
        raise ConfigError(f"{what}: an empty list: nobody would have to agree")
    return tuple(rules)


def _pins(name: str, fingerprints: list[str], what: str) -> tuple[str, ...]:
    check_root_name(name, what=what)
    if not fingerprints:
        raise ConfigError(f"{what}: an empty list: no root could be it")
    try:
        return tuple(str(parse_digest(text)) for text in fingerprints)
    except MalformedError as error:
        raise ConfigError(f"{what}: {error.message}", hint=error.hint) from error


def _predicate(name: str, where: str) -> str:
    """Give a predicate type's short name, for that or its URI; or the URI if it has none."""
    short = short_name(name)
    if short not in SHORT_NAMES and not _TYPE_URI.match(short):
        raise ConfigError(f"{where}: no predicate type is called {name!r}", hint=nearest(name, SHORT_NAMES))
    if SHORT_NAMES.get(short) == WAIVER:
        raise ConfigError(
            f"{where}: who may waive is said by enrolments, not here",
            hint="pratique trust enrol NAME --role waiver-approver",
        )
    if SHORT_NAMES.get(short) == IMPORTED:
        raise ConfigError(
            f"{where}: imported evidence counts as what it claims",
            hint="name its predicate type, and its signer with issuer, subject and root",
        )
    return short
