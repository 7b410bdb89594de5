"""The trust layer's configuration: which evidence is owed for an artifact, and who may sign what.

Roles name signer identities and the predicate types they may sign; `require` says which types are owed, for
which artifacts, by how many, how fresh and with what content. An empty list is refused wherever it would hold
vacuously (SLSA 1.2, "Verifying artifacts", step 1: check that the builder is one you trust for this).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from pratique.policy.build_facts import Vouch  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.expectations import Expectation  # noqa: TC001
from pratique.policy.mode import Mode
from pratique.policy.strictness import FREE, HIGHER, LOWER, SUBSET, SUPERSET, in_order
from pratique.policy.witnessed import WitnessRule  # noqa: TC001 - msgspec reads the annotations
from pratique.trust.pattern import IdentityPattern, matches_glob

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.trust.identity import Identity

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
Distinct = Literal["identities", "keys", "people"]


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """Identities, and what their word is taken for.

    Attributes:
        signers: patterns, see `trust.pattern`.
        may_sign: predicate short names, or type URIs that have none.
    """

    signers: tuple[IdentityPattern, ...]
    may_sign: tuple[str, ...]


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of evidence that is owed.

    Attributes:
        predicate: the predicate's short name, or its type URI if it has none.
        command: what makes the evidence, shown to whoever lacks it.
        artifacts: globs over the artifact's name (`*` within a segment); absent, it is owed for all.
        threshold: how many distinct ones must have signed.
        distinct: what is counted: signer identities; keys, where only enrolled keys count; or the people
            behind enrolled keys, each once.
        max_age_days: evidence signed longer ago does not count for this, though rules still see it.
        expect: what its content has to be.
    """

    predicate: str
    command: Annotated[str, FREE]
    artifacts: Annotated[tuple[str, ...] | None, SUPERSET]
    threshold: Annotated[PositiveInt, HIGHER]
    distinct: Annotated[Distinct, in_order("identities", "keys", "people")]
    max_age_days: Annotated[PositiveInt | None, LOWER]
    expect: Annotated[Expectation | None, HIGHER]

    def applies_to(self, names: Iterable[str]) -> bool:
        """Say whether it is owed for an artifact that has these names."""
        if self.artifacts is None:
            return True
        return any(matches_glob(glob, name) for glob in self.artifacts for name in names)


class Approvers(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """So many distinct people of a role have to approve a deployment."""

    role: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    count: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration.

    Attributes:
        trust_domain: fills `{trust_domain}` in the roles' signers.
        mode: what a denial leads to.
        roles: by role name.
        require: by label; the result's code is `evidence.<label>`.
        vouch: hosted build platforms that somebody answers for.
        approvals: by glob over `<project>.<environment>`: the approvals that a deployment there takes at
            least, whatever the environment's own quorum.
        roots: by name of a trusted root of others, the fingerprints that it may have; what is not named here
            may be whatever this installation took over under that name.
        witnesses: who has to have seen the log as far as the evidence; None asks nobody.
    """

    trust_domain: Annotated[str, FREE]
    mode: Annotated[Mode, in_order("audit", "warn", "enforce")] = Mode.ENFORCE
    roles: dict[str, Role]
    require: dict[str, Requirement]
    vouch: Annotated[tuple[Vouch, ...], SUBSET] = ()
    approvals: Annotated[dict[str, tuple[Approvers, ...]], FREE] = {}
    roots: dict[str, Annotated[tuple[str, ...], SUBSET]] = {}
    witnesses: Annotated[WitnessRule | None, HIGHER] = None

    def roles_of(self, identity: Identity) -> tuple[str, ...]:
        """Name the roles an identity holds, sorted."""
        return tuple(
            name
            for name, role in sorted(self.roles.items())
            if any(pattern.matches(identity) for pattern in role.signers)
        )

    def roles_for(self, short: str) -> tuple[str, ...]:
        """Name the roles that may sign a predicate type, sorted."""
        return tuple(name for name, role in sorted(self.roles.items()) if short in role.may_sign)

    def may_sign(self, identity: Identity, short: str) -> bool:
        """Say whether an identity's word is taken for a predicate type."""
        return any(short in self.roles[name].may_sign for name in self.roles_of(identity))

    def approvals_for(self, environment: str) -> dict[str, int]:
        """Give how many people of each role have to approve a deployment to an environment.

        Where several entries speak of one role, the highest count is what satisfies them all.
        """
        owed: dict[str, int] = {}
        for glob, rules in sorted(self.approvals.items()):
            for rule in rules if matches_glob(glob, environment) else ():
                owed[rule.role] = max(rule.count, owed.get(rule.role, rule.count))
        return owed
