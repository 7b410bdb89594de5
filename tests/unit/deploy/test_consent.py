from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pratique.deploy.approval import Binding, make_approval
from pratique.deploy.consent import Ballot, Consent, Enrolled, evaluate_consent, verify_consent
from pratique.deploy.duties import Involved, Person
from pratique.deploy.quorum import Rule, evaluate_quorum, parse_rules
from pratique.errors import AwaitingApprovalError, ConfigError
from pratique.model.digest import Digest, sha256_bytes

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BINDING = Binding(
    artifact=Digest("a" * 64), environment="prod", decision=Digest("d" * 64), plan=Digest("e" * 64)
)


def enrolled(name: str, *roles: str, key: str = "") -> Enrolled:
    return Enrolled(Person(name, (f"{name.lower()}@example.org",)), key or f"key-of-{name}", frozenset(roles))


ADA, BOB, CAROL = (
    enrolled("Ada", "approver"),
    enrolled("Bob", "approver", "security"),
    enrolled("Carol", "security"),
)
PEOPLE = [ADA, BOB, CAROL]
INVOLVED = Involved(
    authors=("Ada <ada@example.org>",), builder="spiffe://x/builder", requester="zoe@example.org"
)
RULES = [Rule("approver"), Rule("security")]


def ballot(who: Enrolled, *, key: str = "", binding: Binding = BINDING, name: str = "") -> Ballot:
    approval = make_approval(
        binding, person=name or who.person.name, approved_at=NOON, not_after=NOON + timedelta(hours=1)
    )
    return Ballot(
        evidence=sha256_bytes(f"{who.person.name}{key}{name}".encode()),
        subject=binding.artifact,
        key=key or who.key,
        signed_at=NOON,
        approval=approval,
    )


def judge(*ballots: Ballot, involved: Involved | None = None, at: datetime = NOON) -> Consent:
    return evaluate_consent(RULES, ballots, enrolled=PEOPLE, binding=BINDING, involved=involved, at=at)


def test_a_quorum_of_two_passes() -> None:
    consent = judge(ballot(ADA), ballot(BOB))
    verify_consent(consent, environment="prod")
    assert consent.approvals == tuple(sorted([ballot(ADA).evidence, ballot(BOB).evidence]))
    assert consent.excluded == ()


def test_what_is_missing_is_named_with_whom_to_ask() -> None:
    with pytest.raises(AwaitingApprovalError, match=r"1 more with role security \(Bob or Carol\)"):
        verify_consent(judge(ballot(ADA)), environment="prod")
    two = evaluate_consent(
        [Rule("approver", 2)], [ballot(BOB)], enrolled=PEOPLE, binding=BINDING, involved=None, at=NOON
    )
    with pytest.raises(AwaitingApprovalError, match=r"1 more with role approver \(Ada\)"):
        verify_consent(two, environment="prod")


def test_an_author_is_excluded_told_why_and_not_proposed() -> None:
    consent = judge(ballot(ADA), ballot(CAROL), involved=INVOLVED)
    assert [exclusion.person for exclusion in consent.excluded] == ["Ada"]
    with pytest.raises(AwaitingApprovalError) as caught:
        verify_consent(consent, environment="prod")
    assert "role approver (Bob)" in caught.value.message
    assert "not counted: Ada is an author of the source (Ada <ada@example.org>)" in caught.value.message
    verify_consent(judge(ballot(ADA), ballot(CAROL), ballot(BOB), involved=INVOLVED), environment="prod")


OTHER_PLAN = Binding(
    artifact=BINDING.artifact, environment="prod", decision=BINDING.decision, plan=Digest("f" * 64)
)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (ballot(ADA, key="unknown"), "not enrolled for Ada"),
        (ballot(ADA, key=BOB.key), "not enrolled for Ada"),
        (ballot(ADA, name="Bob"), "not enrolled for Bob"),
        (ballot(ADA, binding=OTHER_PLAN), "plan"),
    ],
)
def test_a_ballot_that_is_not_theirs_or_not_for_this_does_not_count(bad: Ballot, says: str) -> None:
    consent = judge(bad, ballot(BOB))
    assert [exclusion.evidence for exclusion in consent.excluded] == [bad.evidence]
    assert says in consent.excluded[0].reason
    assert not consent.quorum.met


def test_an_approval_expires() -> None:
    consent = judge(ballot(ADA), ballot(BOB), at=NOON + timedelta(hours=2))
    assert len(consent.excluded) == 2
    assert consent.approvals == ()
    assert not consent.quorum.met


@pytest.mark.parametrize(
    "value",
    [
        [],
        None,
        [{}],
        [{"role": "approver", "count": 0}],
        [{"role": ""}],
        [{"role": "x", "quorum": 1}],
        "none",
    ],
)
def test_rules_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(ConfigError):
        parse_rules(value, what="environment prod")
    with pytest.raises(ConfigError):
        evaluate_quorum([], [])


def test_rules_are_read() -> None:
    assert parse_rules([{"role": "approver", "count": 2}, {"role": "security"}], what="x") == (
        Rule("approver", 2),
        Rule("security", 1),
    )
