from __future__ import annotations

from pratique.deploy.quorum import Rule, at_least


def test_rules_are_raised_to_what_is_asked_besides_and_never_lowered() -> None:
    own = (Rule("approver", 2), Rule("security"))
    assert at_least(own, {}) == own
    assert at_least(own, {"approver": 1, "security": 1}) == own
    assert at_least(own, {"approver": 3, "release": 1}) == (*own, Rule("approver", 1), Rule("release", 1))
    twice = (Rule("approver"), Rule("approver"))
    assert at_least(twice, {"approver": 2}) == twice
