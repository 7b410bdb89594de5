"""An organisation's policy: what no project below it can make laxer.

    name = "acme"
    profile = "standard"             # at least
    mode = "enforce"                 # at least; enforce if it says nothing

    [data]                           # rule data; each key named here is a floor
    vulns = { threshold = "medium" }
    levels = { "posture.critical" = "deny" }

    [trust]                          # laid over the shipped trust.toml; all of the outcome is a floor
    require.rebuild = { threshold = 2 }

Merging is monotone: what a project sets is laid over the organisation's policy, and has to be at least as
strict, setting by setting (`strictness`); else it is an error that names the key and both values. Whatever
passes the project's policy therefore passes the organisation's.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.errors import ConfigError
from pratique.model.digest import Digest, sha256_bytes
from pratique.policy.distribution.release import PolicyRelease  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.mode import Mode, OrganisationUsed
from pratique.policy.settings import merge, typed
from pratique.policy.shipped import DEFAULT_PROFILE, PROFILES, Profile, profile_data, shipped_bundle
from pratique.policy.strictness import Weakening, weakenings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.requirements import Requirements


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    profile: Profile | None = None
    mode: Mode = Mode.ENFORCE
    data: dict[str, Any] = {}
    trust: dict[str, Any] = {}


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed the release of an organisation's policy, and what that says."""

    by: str
    release: PolicyRelease


class Organisation(msgspec.Struct, frozen=True, kw_only=True):
    """One organisation's policy.

    Attributes:
        name: what it is called in decisions and errors.
        digest: of its file.
        profile: the least that a project may choose; None if it may choose any.
        data: rule data, each leaf a floor.
        trust: laid over the shipped trust configuration, with the mode.
        signed: its release; None where it is a plain file, unsigned and without an end.
    """

    name: str
    digest: Digest
    profile: Profile | None
    data: dict[str, Any]
    trust: dict[str, Any]
    signed: Signed | None = None

    @property
    def used(self) -> OrganisationUsed:
        """How a decision names it."""
        if self.signed is None:
            return OrganisationUsed(name=self.name, digest=str(self.digest))
        release = self.signed.release
        return OrganisationUsed(
            name=self.name,
            digest=str(self.digest),
            signed_by=self.signed.by,
            release=f"{release.name} {release.version}",
        )

    def notice(self, at: datetime) -> str:
        """Say so when its release is about to end, or when nobody signed it; nothing otherwise."""
        if self.signed is None:
            return f"the policy of {self.name} is an unsigned file, and has no end"
        return self.signed.release.notice(at)

    def least_profile(self, chosen: Profile | None) -> Profile:
        """Give the profile in force where a project chose one, or none.

        Raises:
            ConfigError: it chose one that asks less.
        """
        least = self.profile or DEFAULT_PROFILE
        if chosen is None:
            return least
        if self.profile and PROFILES.index(chosen) < PROFILES.index(self.profile):
            raise weaker(self, [Weakening("profile", self.profile, chosen)])
        return chosen


def parse_organisation(data: bytes, *, what: str) -> Organisation:
    """Read an organisation's file, and refuse one that would hold nothing up.

    Raises:
        ConfigError: not TOML, an unknown key, or settings that the shipped policy could not have.
    """
    try:
        table = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{what}: not TOML: {error}", hint="a signed release is pinned by a file of its own: [bundle]"
        ) from error
    wire = typed(table, _Wire, what=what, known=_Wire.__struct_fields__)
    if not wire.name or not wire.name.isprintable():
        raise ConfigError(f"{what}: name is empty, or not one line")
    for key in ("mode", "trust_domain"):
        if key in wire.trust:
            raise ConfigError(f"{what}: trust.{key} has no place here", hint="mode stands at the top")
    organisation = Organisation(
        name=wire.name,
        digest=sha256_bytes(data),
        profile=wire.profile,
        data=wire.data,
        trust=wire.trust | {"mode": wire.mode.value},
    )
    try:
        floor(organisation, organisation.least_profile(None), trust_domain="pratique.local")
    except ConfigError as error:
        raise ConfigError(f"{what}: {error.message}", hint=error.hint) from error
    return organisation


def floor(organisation: Organisation, profile: Profile, *, trust_domain: str) -> PolicyBundle:
    """Give the policy that a project without settings of its own would have."""
    requirements = merge(organisation.trust, {"trust_domain": trust_domain})
    return shipped_bundle(profile, data=organisation.data, requirements=requirements)


def verify_held(
    organisation: Organisation, found: PolicyBundle, *, profile: Profile, trust_domain: str
) -> None:
    """Verify that a policy is nowhere laxer than an organisation's.

    Args:
        organisation: whose policy has to hold.
        found: the policy in force, wherever it came from.
        profile: the profile it is made of, or the organisation's least where it is made of none.
        trust_domain: of the journal.

    Raises:
        ConfigError: it is; the message names each key with both values.
    """
    least = floor(organisation, profile, trust_domain=trust_domain)
    fixed = [*_leaves(organisation.data)]
    if organisation.profile:
        fixed += ["levels", *_leaves(profile_data(organisation.profile))]
    laxer = [
        *weakenings(least.requirements, found.requirements),
        *_roles(least.requirements, found.requirements),
        *_approvals(least.requirements, found.requirements),
        *(
            weakening
            for weakening in weakenings(least.data, found.data)
            if any(_touches(weakening.key, path) for path in fixed)
        ),
        *(
            Weakening(f"rules.{name}", "the shipped one", "another" if name in found.modules else None)
            for name, text in sorted(least.modules.items())
            if found.modules.get(name) != text
        ),
    ]
    if laxer:
        raise weaker(organisation, laxer)


def weaker(organisation: Organisation, laxer: list[Weakening]) -> ConfigError:
    """Say what would be laxer than the organisation allows."""
    listed = "; ".join(str(item) for item in laxer)
    return ConfigError(
        f"policy of {organisation.name}: the project would weaken it: {listed}",
        hint=f"leave these out, or make them stricter; {organisation.name} may change its own file",
    )


def _roles(least: Requirements, found: Requirements) -> Iterator[Weakening]:
    """Name roles that may sign what the organisation's roles sign: who may sign that is settled."""
    settled = {short for role in least.roles.values() for short in role.may_sign}
    for name in sorted(found.roles.keys() - least.roles.keys()):
        for short in sorted(settled & set(found.roles[name].may_sign)):
            yield Weakening(f"roles.{name}.may_sign", f"without {short}", f"with {short}")


def _approvals(least: Requirements, found: Requirements) -> Iterator[Weakening]:
    for glob, rules in sorted(least.approvals.items()):
        for rule in rules:
            counts = [item.count for item in found.approvals.get(glob, ()) if item.role == rule.role]
            if max(counts, default=0) < rule.count:
                yield Weakening(f"approvals.{glob}.{rule.role}", rule.count, max(counts, default=0))


def _leaves(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _touches(key: str, path: str) -> bool:
    """Say whether a weakened key is the path, in it, or around it."""
    return key == path or key.startswith(f"{path}.") or path.startswith(f"{key}.")
