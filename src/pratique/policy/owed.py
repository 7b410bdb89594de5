"""What one requirement still lacks: content as expected, evidence fresh enough, or enough who signed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pratique.model.clock import format_time
from pratique.model.digest import Digest  # noqa: TC001
from pratique.model.predicate import short_name
from pratique.policy.evidence import Evidence  # noqa: TC001
from pratique.policy.expectations import RebuildExpectation
from pratique.policy.waivers.person import Person  # noqa: TC001
from pratique.trust.identity import Identity  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pratique.policy.requirements import Requirement, Requirements

_LISTED = 3
_COUNTED = {"identities": "identities", "keys": "enrolled keys", "people": "people"}


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A requirement that is not met.

    Attributes:
        label: the requirement's; the result's code is `evidence.<label>`.
        message: what is missing, and what was there instead.
        command: what makes it.
        evidence: what was looked at.
    """

    label: str
    message: str
    command: str
    evidence: tuple[Digest, ...]


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What a requirement's judgement needs besides the evidence itself.

    Attributes:
        now: the effective time.
        people: whose the enrolled keys are.
        builders: the identities that signed provenance which stands.
        set_aside: evidence that does not count, with the reasons, to be named where something is missing.
    """

    now: datetime
    people: tuple[Person, ...]
    builders: frozenset[Identity]
    set_aside: tuple[tuple[Evidence, str], ...]


def missing(
    label: str,
    requirement: Requirement,
    standing: Sequence[Evidence],
    circumstances: Circumstances,
    requirements: Requirements,
) -> Owed | None:
    """Say what a requirement lacks, or nothing; `standing` holds one statement per identity."""
    short = requirement.predicate
    unexpected = [
        (item, f"{short} evidence {item.digest.short} {objection}")
        for item in standing
        if requirement.expect and (objection := requirement.expect.objection(item, requirements.vouch))
    ]
    if unexpected:
        return Owed(
            label=label,
            message=_some(unexpected),
            command=requirement.command,
            evidence=tuple(item.digest for item, _ in unexpected),
        )
    uncounted: list[tuple[Evidence, str]] = []
    voices: dict[object, str] = {}
    for item in standing:
        voice, reason = _voice(item, requirement, circumstances)
        if reason:
            uncounted.append((item, f"{short} evidence {item.digest.short} {reason}"))
        else:
            voices.setdefault(voice, item.signer)
    if len(voices) >= requirement.threshold:
        return None
    roles = _listing(requirements.roles_for(short))
    message = f"no accepted {short} evidence; {roles} may sign it"
    if requirement.threshold > 1:
        message = (
            f"{short} evidence of {requirement.threshold} distinct {_COUNTED[requirement.distinct]}"
            f" is required; {_listing(voices.values()) or 'nobody'} signed ({roles} may)"
        )
    refused = [entry for entry in circumstances.set_aside if short_name(entry[0].predicate_type) == short]
    instead = [*uncounted, *refused]
    return Owed(
        label=label,
        message="; ".join([message, *([_some(instead)] if instead else [])]),
        command=requirement.command,
        evidence=tuple(item.digest for item, _ in instead),
    )


def _voice(item: Evidence, requirement: Requirement, circumstances: Circumstances) -> tuple[object, str]:
    """Give whom a statement counts for, or say why it counts for nobody."""
    if reason := _uncounted(item, requirement, circumstances):
        return None, reason
    if requirement.distinct == "identities":
        return item.identity, ""
    if item.signer_kind != "key" or item.root:
        return None, f"is signed by {item.signer}, which is no enrolled key"
    if requirement.distinct == "keys":
        return item.identity, ""
    person = next((person for person in circumstances.people if person.key == item.signer), None)
    if person is None or not person.valid_at(item.signed_at):
        return None, f"is signed by {item.signer}, which was no enrolled person's key at that time"
    return person.identity, ""


def _uncounted(item: Evidence, requirement: Requirement, circumstances: Circumstances) -> str:
    days, expect = requirement.max_age_days, requirement.expect
    if days is not None and not item.dated:
        return f"says nowhere when it was signed, and more than {days} days ago would be too long"
    if days is not None and circumstances.now - item.signed_at > timedelta(days=days):
        return f"was signed at {format_time(item.signed_at)}, more than {days} days ago"
    if (
        isinstance(expect, RebuildExpectation)
        and expect.independent
        and item.identity in circumstances.builders
    ):
        return f"is signed by {item.signer}, who signed the provenance too: not independent"
    return ""


def _some(entries: Sequence[tuple[Evidence, str]]) -> str:
    reasons = [reason for _, reason in entries[:_LISTED]]
    if len(entries) > _LISTED:
        reasons.append(f"{len(entries) - _LISTED} more like these")
    return "; ".join(reasons)


def _listing(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)
