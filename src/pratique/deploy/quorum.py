"""Quorum: how many people in which roles must agree, and whether those who did suffice.

Who counts for which rule is a bipartite matching between people and the places the rules open. Counting each
rule on its own goes wrong both ways: one person fills two rules, or, when every person is bound to the first
rule they fit, overlapping groups deadlock although a valid assignment exists (GitLab issue 425759).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from pratique.deploy.wire import Name  # noqa: TC001 - msgspec resolves it at run time
from pratique.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many distinct people of a role have to agree."""

    role: Name
    count: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1


class Vote(msgspec.Struct, frozen=True):
    """A valid approval: the person, the key it was signed with (SHA-256 of its SPKI, hex), their roles."""

    person: str
    key: str
    roles: frozenset[str]


class Voter(msgspec.Struct, frozen=True):
    """One voice: votes that share a person or a key cannot be told apart, so together they count once.

    A person has the roles of all their enrolments. A shared key could have been used by any of its people, so
    that voice has only the roles they all have.
    """

    people: tuple[str, ...]
    roles: frozenset[str]

    @property
    def name(self) -> str:
        """The person, or the people who share a key."""
        return " = ".join(self.people)


class Missing(msgspec.Struct, frozen=True):
    """Places of a rule that nobody fills, and the people who could."""

    role: str
    count: int
    candidates: tuple[str, ...]

    def __str__(self) -> str:
        who = " or ".join(self.candidates) if self.candidates else "nobody enrolled is left to ask"
        return f"{self.count} more with role {self.role} ({who})"


class Quorum(msgspec.Struct, frozen=True):
    """The outcome: who fills which role, and what is still missing."""

    filled: tuple[tuple[str, str], ...]
    missing: tuple[Missing, ...]

    @property
    def met(self) -> bool:
        """Whether every place is filled."""
        return not self.missing


def parse_rules(value: Any, *, what: str) -> tuple[Rule, ...]:
    """Type the rules of an environment: `[{"role": "approver", "count": 2}, …]`.

    Raises:
        ConfigError: not rules, or none at all: an empty quorum would be met by nobody agreeing.
    """
    try:
        rules = msgspec.convert(value, tuple[Rule, ...])
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{what}: {error}", hint='write rules as [{role = "approver", count = 2}]'
        ) from error
    if not rules:
        raise ConfigError(f"{what}: no rules", hint='name at least one: [{role = "approver", count = 1}]')
    return rules


def at_least(rules: Sequence[Rule], owed: Mapping[str, int]) -> tuple[Rule, ...]:
    """Raise rules to what somebody else asks besides: of each role, as many people as the stricter says.

    Args:
        rules: an environment's own; several for one role add up.
        owed: how many people by role.
    """
    have: dict[str, int] = {}
    for rule in rules:
        have[rule.role] = have.get(rule.role, 0) + rule.count
    more = {role: count - have.get(role, 0) for role, count in sorted(owed.items())}
    return (*rules, *(Rule(role, count) for role, count in more.items() if count > 0))


def evaluate_quorum(
    rules: Sequence[Rule], votes: Iterable[Vote], *, candidates: Iterable[Vote] = ()
) -> Quorum:
    """Match the votes to the places the rules open, as many as can be filled at once.

    Args:
        rules: what is required; each rule opens `count` places.
        votes: valid approvals by people who may approve.
        candidates: everyone who could still agree, to say whom to ask.

    Raises:
        ConfigError: no rules.
    """
    if not rules:
        raise ConfigError("a quorum without rules", hint="name at least one rule")
    places = [rule.role for rule in rules for _ in range(rule.count)]
    voters = voters_of(votes)
    chosen = match([[role in voter.roles for voter in voters] for role in places])
    voted = {person for voter in voters for person in voter.people}
    waiting = [vote for vote in candidates if vote.person not in voted]
    empty = [role for role, voter in zip(places, chosen, strict=True) if voter is None]
    return Quorum(
        filled=tuple(
            (role, voters[voter].name)
            for role, voter in zip(places, chosen, strict=True)
            if voter is not None
        ),
        missing=tuple(
            Missing(role, empty.count(role), _names(vote for vote in waiting if role in vote.roles))
            for role in dict.fromkeys(empty)
        ),
    )


def _names(votes: Iterable[Vote]) -> tuple[str, ...]:
    return tuple(sorted({vote.person for vote in votes}))


def voters_of(votes: Iterable[Vote]) -> list[Voter]:
    """Merge votes that share a person or a key, in whatever order they come."""
    groups: list[set[Vote]] = []
    for vote in votes:
        same = [g for g in groups if any(v.person == vote.person or v.key == vote.key for v in g)]
        groups = [g for g in groups if g not in same]
        groups.append({vote}.union(*same))
    voters = []
    for group in groups:
        roles_of: dict[str, frozenset[str]] = {}
        for vote in group:
            roles_of[vote.person] = roles_of.get(vote.person, frozenset()) | vote.roles
        voters.append(Voter(tuple(sorted(roles_of)), frozenset.intersection(*roles_of.values())))
    return sorted(voters, key=lambda voter: voter.people)


def match(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """Give a maximum bipartite matching by augmenting paths (Kuhn): for each place, the voter who fills it.

    Args:
        fits: a row per place, in it whether each voter fits.
    """
    place_of: dict[int, int] = {}

    def augment(place: int, tried: set[int]) -> bool:
        for voter, fit in enumerate(fits[place]):
            if not fit or voter in tried:
                continue
            tried.add(voter)
            if voter not in place_of or augment(place_of[voter], tried):
                place_of[voter] = place
                return True
        return False

    for place in range(len(fits)):
        augment(place, set())
    filled = {place: voter for voter, place in place_of.items()}
    return [filled.get(place) for place in range(len(fits))]
