"""Consent: from approvals that verified to who agreed, who does not count and why, and who is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.deploy.approval import Approval, Binding, verify_approval
from pratique.deploy.duties import Involved, Person, conflicts
from pratique.deploy.quorum import Quorum, Rule, Vote, evaluate_quorum
from pratique.errors import AwaitingApprovalError, PolicyRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pratique.model.digest import Digest


class Enrolled(msgspec.Struct, frozen=True):
    """A person's key as the administrator enrolled it: SHA-256 of its SPKI (hex) and what it may do."""

    person: Person
    key: str
    roles: frozenset[str]


class Ballot(msgspec.Struct, frozen=True, kw_only=True):
    """An approval whose signature holds, with what its bundle proves."""

    evidence: Digest
    subject: Digest
    key: str
    signed_at: datetime
    approval: Approval


class Exclusion(msgspec.Struct, frozen=True):
    """An approval that does not count, and why."""

    evidence: Digest
    person: str
    reason: str


class Consent(msgspec.Struct, frozen=True):
    """Who agreed, who does not count, and what the quorum comes to."""

    counted: tuple[Ballot, ...]
    excluded: tuple[Exclusion, ...]
    quorum: Quorum

    @property
    def approvals(self) -> tuple[Digest, ...]:
        """Evidence digests of the approvals that count, sorted."""
        return tuple(sorted(ballot.evidence for ballot in self.counted))


def evaluate_consent(
    rules: Sequence[Rule],
    ballots: Sequence[Ballot],
    *,
    enrolled: Sequence[Enrolled],
    binding: Binding,
    involved: Involved | None,
    at: datetime,
) -> Consent:
    """Judge every ballot, then the quorum of those that count.

    Args:
        rules: the environment's quorum rules.
        ballots: approvals with valid signatures, for this or anything else.
        enrolled: every enrolment that holds at `at`.
        binding: what is about to be deployed.
        involved: who wrote, built and requested; None where the environment does not separate duties.
        at: the moment to judge for.

    Raises:
        ConfigError: no rules.
    """
    counted, excluded, votes = [], [], []
    for ballot in sorted(ballots, key=lambda ballot: ballot.evidence):
        known = _enrolment(ballot, enrolled)
        reason = _refusal(ballot, known, binding, involved, at)
        if reason or known is None:
            excluded.append(Exclusion(ballot.evidence, ballot.approval.person, reason))
        else:
            counted.append(ballot)
            votes.append(Vote(known.person.name, known.key, known.roles))
    candidates = [
        Vote(known.person.name, known.key, known.roles)
        for known in enrolled
        if involved is None or not conflicts(known.person, involved)
    ]
    return Consent(tuple(counted), tuple(excluded), evaluate_quorum(rules, votes, candidates=candidates))


def verify_consent(consent: Consent, *, environment: str) -> None:
    """Let a deployment pass only with its quorum.

    Raises:
        AwaitingApprovalError: places are empty; the message names them, and each approval not counted.
    """
    if consent.quorum.met:
        return
    missing = "; ".join(str(missing) for missing in consent.quorum.missing)
    excluded = "".join(f"\n  not counted: {exclusion.reason}" for exclusion in consent.excluded)
    raise AwaitingApprovalError(
        f"{environment} still needs {missing}{excluded}", hint="each of them: pratique approve --key FILE"
    )


def _enrolment(ballot: Ballot, enrolled: Sequence[Enrolled]) -> Enrolled | None:
    """The key decides who signed; the name in the approval only has to agree with it."""
    return next(
        (e for e in enrolled if e.key == ballot.key and e.person.name == ballot.approval.person), None
    )


def _refusal(
    ballot: Ballot, known: Enrolled | None, binding: Binding, involved: Involved | None, at: datetime
) -> str:
    if known is None:
        return f"key {ballot.key[:12]} is not enrolled for {ballot.approval.person}"
    try:
        verify_approval(ballot.approval, ballot.subject, binding, signed_at=ballot.signed_at, at=at)
    except PolicyRefusedError as error:
        return error.message
    return "; ".join(conflicts(known.person, involved)) if involved is not None else ""
