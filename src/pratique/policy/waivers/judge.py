"""Which waivers count, and what becomes of the violations they cover (docs/policy.md, Waivers).

Pure. Belongs to the trust layer: Rego never sees a waiver, so no rule can grant one. A waiver counts only if

1. the policy admits waivers, and it says what docs/spec/waiver.md asks for;
2. it is signed by the enrolled key of the very person it names, who held the role `waiver-approver` when
   signing and has no part in the artifact;
3. it is about this artifact, or, for any artifact, about this very policy;
4. it was signed no later than the effective time, when it says it was, for no longer than the policy allows;
5. it is the newest of this person for this scope, which is how one is shortened or taken back;
6. it has not expired.

A violation is waived when as many distinct people as its severity asks for waive it. It stays in the
decision, with who, why and until when. Errors and verdicts of the trust layer are never waived.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.clock import format_time
from pratique.model.predicate import WAIVER
from pratique.policy.decision import Finding, Status, WaiverUsed
from pratique.policy.evidence import Evidence, GateInput  # noqa: TC001 - msgspec reads the annotations
from pratique.policy.standing import SetAside
from pratique.policy.waivers.waiver import ANY_ARTIFACT, CLOCK_SKEW, Scope, Waiver, due_subject, parse_waiver

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pratique.model.digest import Digest
    from pratique.policy.rule_data import WaiversData
    from pratique.policy.waivers.person import Person

WAIVER_ROLE: Final = "waiver-approver"
UNUSED: Final = "waivers.unused"
EXPIRED: Final = "waivers.expired"
INCOMPLETE: Final = "waivers.incomplete"
LISTED: Final = 10
_TITLES: Final = {
    UNUSED: "Every waiver is needed",
    EXPIRED: "No waiver that is needed has expired",
    INCOMPLETE: "Every waiver has the people it takes",
}
_SOLUTIONS: Final = {
    UNUSED: "Nothing has to be done; the waiver ends by itself.",
    EXPIRED: "Cure the violation, or waive it again: pratique waive",
    INCOMPLETE: "Somebody else with the role waiver-approver has to agree: pratique waive",
}


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver in good order; `identity` tells who gave it from other people."""

    evidence: Evidence
    waiver: Waiver
    identity: str


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What the waivers among the evidence come to, each newest first.

    Attributes:
        counting: in force.
        expired: were in force.
        set_aside: never counted, and why.
    """

    counting: tuple[Given, ...] = ()
    expired: tuple[Given, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The results after waiving, notices on waivers included, and the waivers that made a difference."""

    results: tuple[Finding, ...]
    used: tuple[Evidence, ...]


def judge_waivers(gate_input: GateInput, policy: Digest, admitted: WaiversData | None) -> Judged:
    """Tell waivers that count from those that do not; see the module's rules."""
    people = {person.key: person for person in gate_input.people}
    newest: dict[tuple[str, Scope], Given] = {}
    set_aside = []
    waivers = [item for item in gate_input.evidence if item.predicate_type == WAIVER]
    for item in sorted(waivers, key=lambda item: item.age_order, reverse=True):
        found = _accept(item, people, gate_input, policy, admitted)
        if isinstance(found, Given):
            newer = newest.setdefault((found.identity, found.waiver.scope), found)
            if newer is found:
                continue
            found = f"is superseded by the newer {newer.evidence.digest.short} of the same person"
        set_aside.append(SetAside(evidence=item, reason=f"waiver {item.digest.short} {found}"))
    counting: list[Given] = []
    expired: list[Given] = []
    for given in newest.values():
        (counting if gate_input.effective_time <= given.waiver.not_after else expired).append(given)
    return Judged(
        counting=tuple(counting),
        expired=tuple(expired),
        set_aside=tuple(sorted(set_aside, key=lambda item: item.evidence.digest)),
    )


def apply_waivers(results: Iterable[Finding], judged: Judged, admitted: WaiversData | None) -> Applied:
    """Mark the violations that enough people waive, and say which waivers are unused, expired or too few."""
    if admitted is None:
        return Applied(results=tuple(results), used=())
    decided = [_waive(finding, judged, admitted) for finding in results]
    against = [finding for finding in decided if finding.status is Status.VIOLATION]
    used = {waiver.evidence for finding in decided for waiver in finding.waivers}
    notices: dict[str, list[tuple[Given, str]]] = {INCOMPLETE: [], EXPIRED: [], UNUSED: []}
    for given in judged.counting:
        needed = [finding for finding in against if given.waiver.covers(finding)]
        if needed:
            more = max(owed(finding, judged, admitted) for finding in needed)
            who = "1 more person waives" if more == 1 else f"{more} more people waive"
            notices[INCOMPLETE].append((given, f"counts once {who} the same"))
        elif str(given.evidence.digest) not in used:
            notices[UNUSED].append((given, "covers no violation that is left"))
    for given in judged.expired:
        if any(given.waiver.covers(finding) for finding in against):
            notices[EXPIRED].append((given, f"expired at {format_time(given.waiver.not_after)}"))
        else:
            notices[UNUSED].append((given, "covers no violation that is left"))
    told = [notice for code, items in notices.items() for notice in _notices(code, items)]
    return Applied(
        results=(*decided, *told),
        used=tuple(given.evidence for given in judged.counting if str(given.evidence.digest) in used),
    )


def owed(finding: Finding, judged: Judged, admitted: WaiversData) -> int:
    """Say how many more people it takes to waive a violation; a person with two keys is one."""
    people = {given.identity for given in judged.counting if given.waiver.covers(finding)}
    return max(0, admitted.quorum(finding.severity) - len(people))


def _accept(
    item: Evidence,
    people: dict[str, Person],
    gate_input: GateInput,
    policy: Digest,
    admitted: WaiversData | None,
) -> Given | str:
    """Take a waiver for what it says, or say why it does not count."""
    if admitted is None:
        return "does not count: this policy admits no waivers"
    try:
        waiver = parse_waiver(item.predicate)
    except MalformedError as error:
        return f"cannot be read: {error.message}"
    person = people.get(item.signer) if item.signer_kind == "key" else None
    if person is None:
        return f"is signed by {item.signer}, which is no enrolled person's key"
    objection = _personal(person, waiver, item) or _about(waiver, item, gate_input, policy)
    objection = objection or _dated(waiver, item, gate_input, admitted)
    return objection or Given(evidence=item, waiver=waiver, identity=person.identity)


def _personal(person: Person, waiver: Waiver, item: Evidence) -> str:
    if person.name != waiver.person:
        return f"is in the name of {waiver.person}, but signed with the key of {person.name}"
    if not person.valid_at(item.signed_at):
        return f"is signed with a key of {person.name} that did not count at that time"
    if WAIVER_ROLE not in person.roles_at(item.signed_at):
        return f"is signed by {person.name}, who did not hold the role {WAIVER_ROLE}"
    return f"does not count: {person.involved}" if person.involved else ""


def _about(waiver: Waiver, item: Evidence, gate_input: GateInput, policy: Digest) -> str:
    due = due_subject(waiver, policy)
    if item.subjects != (due,):
        meant = "this policy" if waiver.scope.artifact == ANY_ARTIFACT else "what its scope says"
        return f"is not about {meant}, {due.short}, alone"
    if waiver.scope.artifact != ANY_ARTIFACT and due != gate_input.subject:
        return f"is for artifact {due.short}, not for this one"
    return ""


def _dated(waiver: Waiver, item: Evidence, gate_input: GateInput, admitted: WaiversData) -> str:
    now, signed = gate_input.effective_time, item.signed_at
    if signed > now:
        return f"was signed at {format_time(signed)}, after the effective time {format_time(now)}"
    if abs(signed - waiver.waived_at) > CLOCK_SKEW:
        return f"was signed at {format_time(signed)}, which is not when it says"
    if waiver.not_after - waiver.waived_at > timedelta(days=admitted.max_days):
        return f"holds for more than {admitted.max_days} days"
    return ""


def _waive(finding: Finding, judged: Judged, admitted: WaiversData) -> Finding:
    """Give the finding back, marked as waived if it is a violation that enough people waive."""
    if finding.status is not Status.VIOLATION or owed(finding, judged, admitted):
        return finding
    waivers = tuple(
        WaiverUsed(
            evidence=str(given.evidence.digest),
            person=given.waiver.person,
            reason=given.waiver.reason,
            not_after=format_time(given.waiver.not_after),
            ticket=given.waiver.ticket or "",
        )
        for given in judged.counting
        if given.waiver.covers(finding)
    )
    return msgspec.structs.replace(finding, status=Status.WAIVED, waivers=waivers)


def _notices(code: str, items: Sequence[tuple[Given, str]]) -> list[Finding]:
    """Write so many notices and no more: how many waivers there are is not for us to say."""
    listed = [
        _notice(
            code,
            f"the waiver of {given.waiver.scope.code} by {given.waiver.person},"
            f" {given.evidence.digest.short}, {what}",
            str(given.evidence.digest),
        )
        for given, what in items[:LISTED]
    ]
    if len(items) > LISTED:
        listed.append(_notice(code, f"{len(items) - LISTED} more waivers like these"))
    return listed


def _notice(code: str, text: str, *digests: str) -> Finding:
    return Finding(
        code=code,
        status=Status.WARNING,
        msg=text,
        title=_TITLES[code],
        severity="low",
        term=digests,
        solution=_SOLUTIONS[code],
        evidence=digests,
    )
