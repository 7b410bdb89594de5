from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.deploy.quorum import Rule, Vote, evaluate_quorum, match, voters_of

ROLES = ("approver", "security", "owner")
rules = st.lists(st.builds(Rule, st.sampled_from(ROLES), st.integers(1, 2)), min_size=1, max_size=3)
role_sets = st.frozensets(st.sampled_from(ROLES))


def honest_votes() -> st.SearchStrategy[list[Vote]]:
    """Everybody has one key of their own."""
    return st.lists(role_sets, max_size=6).map(
        lambda all_roles: [Vote(f"p{n}", f"k{n}", roles) for n, roles in enumerate(all_roles)]
    )


shared_votes = st.lists(
    st.builds(Vote, st.sampled_from("ABCD"), st.sampled_from("klmn"), role_sets), max_size=6
)


def most_filled(required: list[Rule], votes: list[Vote]) -> int:
    """Brute force: the most places any assignment of distinct people fills."""
    places = [rule.role for rule in required for _ in range(rule.count)]
    padded: list[Vote | None] = [*votes, *[None] * len(places)]
    return max(
        sum(vote is not None and role in vote.roles for role, vote in zip(places, order, strict=False))
        for order in set(permutations(padded, len(places)))
    )


@given(
    st.lists(st.builds(Rule, st.sampled_from(ROLES), st.integers(1, 2)), min_size=1, max_size=2),
    st.lists(role_sets, max_size=4).map(lambda sets: [Vote(f"p{n}", f"k{n}", r) for n, r in enumerate(sets)]),
)
def test_as_many_places_are_filled_as_brute_force_can(required: list[Rule], votes: list[Vote]) -> None:
    assert len(evaluate_quorum(required, votes).filled) == most_filled(required, votes)


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=5))
def test_a_matching_is_valid_and_maximal(fits: list[list[bool]]) -> None:
    chosen = match(fits)
    used = [voter for voter in chosen if voter is not None]
    assert len(used) == len(set(used))
    assert all(voter is None or fits[place][voter] for place, voter in enumerate(chosen))
    best = 0
    for order in permutations([0, 1, 2, 3, None, None, None, None, None], len(fits)):
        best = max(best, sum(v is not None and fits[p][v] for p, v in enumerate(order)))
        if best == min(len(fits), 4):
            break
    assert len(used) == best


@given(rules, honest_votes(), st.data())
def test_one_more_honest_vote_never_hurts(
    required: list[Rule], votes: list[Vote], data: st.DataObject
) -> None:
    before = evaluate_quorum(required, votes)
    more = Vote("new", "new-key", data.draw(role_sets))
    assert len(evaluate_quorum(required, [*votes, more]).filled) >= len(before.filled)


@given(rules, shared_votes, st.randoms(use_true_random=False))
def test_nobody_and_no_key_counts_twice_in_any_order(required: list[Rule], votes: list[Vote], random) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - hypothesis has no public type for it
    outcome = evaluate_quorum(required, votes)
    assert len(outcome.filled) <= len({vote.person for vote in votes})
    assert len(outcome.filled) <= len({vote.key for vote in votes})
    shuffled = [*votes, *votes]
    random.shuffle(shuffled)
    assert evaluate_quorum(required, shuffled) == outcome
    voters = voters_of(votes)
    people = [person for voter in voters for person in voter.people]
    assert sorted(people) == sorted({vote.person for vote in votes})


@given(rules, honest_votes())
def test_filled_and_missing_make_up_the_rules(required: list[Rule], votes: list[Vote]) -> None:
    outcome = evaluate_quorum(required, votes)
    for role in ROLES:
        wanted = sum(rule.count for rule in required if rule.role == role)
        filled = sum(place == role for place, _ in outcome.filled)
        missing = sum(m.count for m in outcome.missing if m.role == role)
        assert filled + missing == wanted
    assert outcome.met == (not outcome.missing)


def test_overlapping_groups_do_not_deadlock() -> None:
    """GitLab issue 425759: whoever is in both groups must not be bound to the one that others could fill."""
    both = Vote("Ada", "k1", frozenset({"approver", "security"}))
    one = Vote("Bob", "k2", frozenset({"approver"}))
    for votes in ([both, one], [one, both]):
        for required in ([Rule("approver"), Rule("security")], [Rule("security"), Rule("approver")]):
            outcome = evaluate_quorum(required, votes)
            assert outcome.met
            assert set(outcome.filled) == {("approver", "Bob"), ("security", "Ada")}


@pytest.mark.parametrize(
    "votes",
    [
        [Vote("Ada", "k1", frozenset({"approver"})), Vote("Ada", "k2", frozenset({"approver"}))],
        [Vote("Ada", "k1", frozenset({"approver"})), Vote("Bob", "k1", frozenset({"approver"}))],
    ],
    ids=["two keys of one person", "one key for two people"],
)
def test_one_voice_does_not_fill_two_places(votes: list[Vote]) -> None:
    outcome = evaluate_quorum([Rule("approver", 2)], votes)
    assert not outcome.met
    assert [missing.count for missing in outcome.missing] == [1]


def test_a_shared_key_has_only_the_roles_all_its_people_have() -> None:
    votes = [
        Vote("Ada", "k1", frozenset({"approver", "security"})),
        Vote("Bob", "k1", frozenset({"approver"})),
    ]
    assert not evaluate_quorum([Rule("security")], votes).met
    assert evaluate_quorum([Rule("approver")], votes).filled == (("approver", "Ada = Bob"),)
