"""What would have to be otherwise: changes to the input that are tried, not promised.

Each change is made to the very input that was decided on, and the policy decides again. What is said to help
did help there. That is no promise about the world: evidence made anew may say something else.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.model.clock import format_time
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import SBOM, SHORT_NAMES, VULNS, WAIVER
from pratique.model.strict_json import MAX_INT, canonical_json
from pratique.policy.decision import Decision, Finding, Status
from pratique.policy.evidence import Evidence, GateInput
from pratique.policy.gate import evaluate
from pratique.policy.waivers.judge import WAIVER_ROLE
from pratique.policy.waivers.person import Grant, Person
from pratique.policy.waivers.waiver import waivable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.policy.bundle import PolicyBundle
    from pratique.policy.engine.port import Engine

_AGAINST: Final = (Status.VIOLATION, Status.ERROR)
_OWED: Final = "evidence."
_PURL: Final = "pkg:"
_LISTED: Final = 3


class Change(msgspec.Struct, frozen=True):
    """Something that could be otherwise, in words and as the input would be then."""

    what: str
    given: GateInput


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was tried, and under which the code no longer denies.

    Attributes:
        what: the change.
        allows: whether the artifact passes then.
        remaining: codes that still deny.
    """

    what: str
    allows: bool
    remaining: tuple[str, ...]

    def __str__(self) -> str:
        then = "the artifact passes" if self.allows else f"still refused for {', '.join(self.remaining)}"
        return f"{self.what}: {then}"


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """All that was tried.

    Attributes:
        by_code: for each code that denies, the changes that help.
        together: one change for each code, all made at once; None where some code has none, or one is enough.
    """

    by_code: dict[str, tuple[Trial, ...]]
    together: Trial | None


def try_cures(
    decision: Decision,
    given: GateInput,
    bundle: PolicyBundle,
    engine: Engine,
    *,
    code: str | None = None,
    most: int = 12,
) -> Tried:
    """Try what could help against each code that denies (runs the engine).

    Args:
        decision: the decision, a denial.
        given: the input it was made on.
        bundle: the policy it was made by.
        engine: decides again.
        code: only this one; then nothing is tried together.
        most: how many changes are tried at the most.
    """
    found: dict[str, list[Finding]] = {}
    for result in decision.with_status(*_AGAINST):
        if code in {None, result.code}:
            found.setdefault(result.code, []).append(result)
    by_code: dict[str, tuple[Trial, ...]] = {}
    first: list[tuple[str, list[Finding]]] = []
    left = most
    for name, findings in found.items():
        trials = []
        for change in _changes(given, findings, bundle):
            if left == 0:
                break
            left -= 1
            trial = _try(change, bundle, engine)
            if name not in trial.remaining:
                trials.append(trial)
        by_code[name] = tuple(trials)
        if trials:
            best = next((trial for trial in trials if trial.allows), trials[0])
            first.append((best.what, findings))
    together = None
    if len(found) > 1 and len(first) == len(found):
        combined = given
        for what, findings in first:
            combined = next(
                change.given for change in _changes(combined, findings, bundle) if change.what == what
            )
        what = "; ".join(dict.fromkeys(what for what, _ in first))
        together = _try(Change(what, combined), bundle, engine)
    return Tried(by_code=by_code, together=together)


def _try(change: Change, bundle: PolicyBundle, engine: Engine) -> Trial:
    decision = evaluate(change.given, bundle, engine).decision
    codes = dict.fromkeys(result.code for result in decision.with_status(*_AGAINST))
    return Trial(what=change.what, allows=decision.allowed, remaining=tuple(codes))


def _changes(given: GateInput, findings: list[Finding], bundle: PolicyBundle) -> Iterator[Change]:
    """Give the changes worth trying against one code, the most wholesome first."""
    code = findings[0].code
    if code.startswith(_OWED):
        yield from _renewed(given, code.removeprefix(_OWED))
    purls = dict.fromkeys(part for finding in findings for part in finding.term if part.startswith(_PURL))
    if purls:
        yield _without(given, tuple(purls))
    if waivable(code) and bundle.data.waivers is not None:
        yield _waived(given, findings, bundle)


def _renewed(given: GateInput, short: str) -> Iterator[Change]:
    """The same evidence, signed just now: helps where only its age was wrong."""
    kind = SHORT_NAMES.get(short, short)
    if any(item.predicate_type == kind for item in given.evidence):
        evidence = tuple(
            msgspec.structs.replace(item, signed_at=given.effective_time)
            if item.predicate_type == kind
            else item
            for item in given.evidence
        )
        yield Change(
            f"with the same {short} evidence signed anew", msgspec.structs.replace(given, evidence=evidence)
        )


def _without(given: GateInput, purls: tuple[str, ...]) -> Change:
    """The artifact without some components: neither in its bill of materials nor in its scan."""
    more = f" and {len(purls) - _LISTED} more" if len(purls) > _LISTED else ""
    evidence = tuple(
        msgspec.structs.replace(item, predicate=_stripped(item, set(purls))) for item in given.evidence
    )
    return Change(
        f"without {', '.join(purls[:_LISTED])}{more}", msgspec.structs.replace(given, evidence=evidence)
    )


def _stripped(item: Evidence, purls: set[str]) -> dict[str, Any]:
    predicate = item.predicate
    if item.predicate_type == SBOM and isinstance(predicate.get("components"), list):
        kept = [
            part
            for part in predicate["components"]
            if not isinstance(part, dict) or part.get("purl") not in purls
        ]
        return predicate | {"components": kept}
    scanner = predicate.get("scanner")
    if item.predicate_type == VULNS and isinstance(scanner, dict) and isinstance(scanner.get("result"), list):
        kept = [result for result in scanner["result"] if not _about(result, purls)]
        return predicate | {"scanner": scanner | {"result": kept}}
    return predicate


def _about(result: Any, purls: set[str]) -> bool:
    notes = result.get("annotations") if isinstance(result, dict) else None
    return isinstance(notes, list) and any(
        isinstance(note, dict) and note.get("purl") in purls for note in notes
    )


def _waived(given: GateInput, findings: list[Finding], bundle: PolicyBundle) -> Change:
    """Waivers by as many people as the gravest of the findings takes, for exactly these findings."""
    admitted = bundle.data.waivers
    count = max(admitted.quorum(finding.severity) for finding in findings) if admitted else 0
    people = [_person(number, given) for number in range(count)]
    waivers = tuple(
        _waiver(person, finding, given)
        for person in people
        for finding in {item.term: item for item in findings}.values()
    )
    who = f"{count} {'person' if count == 1 else 'people'} with the role {WAIVER_ROLE}"
    return Change(
        f"waived by {who}",
        msgspec.structs.replace(
            given,
            evidence=(*given.evidence, *waivers),
            people=(*given.people, *(p for p in people if p not in given.people)),
        ),
    )


def _person(number: int, given: GateInput) -> Person:
    since = given.effective_time - timedelta(days=1)
    return Person(
        key=f"key:sha256:{sha256_bytes(f'somebody {number}'.encode()).hex}",
        name=f"somebody {number}",
        not_before=since,
        grants=(Grant(since=since, roles=(WAIVER_ROLE,)),),
    )


def _waiver(person: Person, finding: Finding, given: GateInput) -> Evidence:
    scope = {"code": finding.code, "artifact": str(given.subject)}
    predicate = {
        "person": person.name,
        "scope": scope | ({"term": list(finding.term)} if finding.term else {}),
        "reason": "tried",
        "waivedAt": format_time(given.effective_time),
        "notAfter": format_time(given.effective_time + timedelta(days=1)),
    }
    return Evidence(
        digest=sha256_bytes(canonical_json(predicate)),
        predicate_type=WAIVER,
        subjects=(given.subject,),
        predicate=predicate,
        signer=person.key,
        signer_kind="key",
        signed_at=given.effective_time,
        log_index=MAX_INT,
    )
