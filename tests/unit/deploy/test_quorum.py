from __future__ import annotations

import pytest

from pratique.deploy.quorum import Rule, Vote, at_least, evaluate_quorum, voters_of


def test_rules_are_raised_to_what_is_asked_besides_and_never_lowered() -> None:
    own = (Rule("approver", 2), Rule("security"))
    assert at_least(own, {}) == own
    assert at_least(own, {"approver": 1, "security": 1}) == own
    assert at_least(own, {"approver": 3, "release": 1}) == (*own, Rule("approver", 1), Rule("release", 1))
    twice = (Rule("approver"), Rule("approver"))
    assert at_least(twice, {"approver": 2}) == twice


def vote(person: str, key: str, *roles: str) -> Vote:
    return Vote(person, key, frozenset(roles))


@pytest.mark.parametrize("order", [1, -1])
def test_whoever_has_both_roles_is_used_where_they_are_needed(order: int) -> None:
    votes = [vote("Ada", "a", "approver", "security"), vote("Bob", "b", "approver")]
    rules = [Rule("approver"), Rule("security")]
    filled = dict(evaluate_quorum(rules[::order], votes).filled)
    assert filled == {"approver": "Bob", "security": "Ada"}
    rules = [Rule("security"), Rule("approver", 2)]
    votes.append(vote("Eve", "e", "approver"))
    assert evaluate_quorum(rules[::order], votes[::order]).met


def test_one_person_with_two_keys_is_one_voice_with_all_their_roles() -> None:
    votes = [vote("Ada", "a", "approver"), vote("Ada", "b", "security")]
    (voter,) = voters_of(votes)
    assert (voter.name, voter.roles) == ("Ada", {"approver", "security"})
    assert not evaluate_quorum([Rule("approver"), Rule("security")], votes).met


def test_one_key_of_two_people_is_one_voice_with_the_roles_of_both() -> None:
    votes = [vote("Bob", "a", "approver", "security"), vote("Ada", "a", "approver")]
    (voter,) = voters_of(votes)
    assert (voter.name, voter.roles) == ("Ada = Bob", {"approver"})
    quorum = evaluate_quorum([Rule("approver", 2)], votes)
    assert quorum.filled == (("approver", "Ada = Bob"),)
    assert not quorum.met


@pytest.mark.parametrize("order", [1, -1])
def test_voices_that_a_third_vote_ties_together_are_one(order: int) -> None:
    votes = [vote("Ada", "a", "approver"), vote("Bob", "b", "approver"), vote("Ada", "b", "approver")]
    assert len(voters_of(votes[:2])) == 2
    (voter,) = voters_of(votes[::order])
    assert voter.people == ("Ada", "Bob")
    assert voters_of([*votes[::order], votes[0]]) == [voter]


def test_where_nobody_is_left_it_says_so() -> None:
    (missing,) = evaluate_quorum([Rule("approver", 2)], [vote("Ada", "a", "approver")]).missing
    assert str(missing) == "1 more with role approver (nobody enrolled is left to ask)"
