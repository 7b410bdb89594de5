"""The approval predicate: a named person agrees to one plan, for one artifact, for a while.

Implements docs/spec/approval.md. The statement's subject is the artifact; who signed is the bundle's matter,
and whether that key is the person's is the enrolment's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from pratique.deploy.wire import LongText, Moment, Name, Reference, Text, parse_struct, refer, to_json
from pratique.errors import MalformedError, PolicyRefusedError
from pratique.model.clock import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pratique.model.digest import Digest

MAX_VALIDITY = timedelta(days=90)
CLOCK_SKEW = timedelta(minutes=5)


class Approval(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True
):
    """What a person signs to agree.

    Attributes:
        person: the name they are enrolled under.
        environment: where the artifact may go.
        decision: evidence digest of the decision they agree on.
        plan: digest of the plan they agree to.
        approved_at: when they say they agreed.
        not_after: the last moment at which a roll-out may begin on it.
        comment: for people, never evaluated.
    """

    person: Text
    environment: Name
    decision: Reference
    plan: Reference
    approved_at: Moment
    not_after: Moment
    comment: LongText = ""

    def to_predicate(self) -> dict[str, Any]:
        """Give the predicate's JSON object."""
        return to_json(self)


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """What an approval has to be for, in full, to count."""

    artifact: Digest
    environment: str
    decision: Digest
    plan: Digest


def make_approval(
    binding: Binding, *, person: str, approved_at: datetime, not_after: datetime, comment: str = ""
) -> Approval:
    """Make the approval that a person is about to sign.

    Raises:
        MalformedError: a value that no approval can have, the validity included.
    """
    approval = Approval(
        person=person,
        environment=binding.environment,
        decision=refer(binding.decision),
        plan=refer(binding.plan),
        approved_at=approved_at,
        not_after=not_after,
        comment=comment,
    )
    return parse_approval(approval.to_predicate())


def parse_approval(predicate: Mapping[str, Any]) -> Approval:
    """Type an approval predicate.

    A field we do not know might be a condition the person set, so it is refused rather than ignored.

    Raises:
        MalformedError: not an approval.
    """
    approval = parse_struct(predicate, Approval, what="approval")
    validity = approval.not_after - approval.approved_at
    if not timedelta(0) < validity <= MAX_VALIDITY:
        raise MalformedError(
            f"approval of {approval.person}: valid for {validity}, where more than nothing"
            f" and at most {MAX_VALIDITY.days} days are allowed"
        )
    return approval


def verify_approval(
    approval: Approval, subject: Digest, binding: Binding, *, signed_at: datetime, at: datetime
) -> None:
    """Verify that an approval is for exactly this artifact, environment, decision and plan, at this moment.

    Args:
        approval: the parsed predicate.
        subject: the artifact its statement is about.
        binding: what is about to be deployed.
        signed_at: the time-stamped moment of the signature.
        at: the moment to judge for.

    Raises:
        PolicyRefusedError: it is for something else, too early or too late; the message says which.
    """
    pairs = (
        ("artifact", str(subject), str(binding.artifact)),
        ("environment", approval.environment, binding.environment),
        ("decision", str(approval.decision.value), str(binding.decision)),
        ("plan", str(approval.plan.value), str(binding.plan)),
    )
    for what, got, wanted in pairs:
        if got != wanted:
            raise PolicyRefusedError(f"the approval of {approval.person} is for {what} {got}, not {wanted}")
    if abs(signed_at - approval.approved_at) > CLOCK_SKEW:
        raise PolicyRefusedError(
            f"the approval of {approval.person} says {format_time(approval.approved_at)},"
            f" but was signed {format_time(signed_at)}"
        )
    if signed_at > approval.not_after or at > approval.not_after:
        raise PolicyRefusedError(
            f"the approval of {approval.person} expired {format_time(approval.not_after)}",
            hint="ask for a new one: pratique approve",
        )
    if at < signed_at - CLOCK_SKEW:
        raise PolicyRefusedError(
            f"the approval of {approval.person} was signed after {format_time(at)}: {format_time(signed_at)}"
        )
