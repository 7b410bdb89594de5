"""A decision in words: for each obstacle what was looked at, and the smallest thing that removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.model.predicate import short_name
from pratique.policy.decision import Decision, Finding, Status, WaiverUsed

if TYPE_CHECKING:
    from collections.abc import Iterable

_PIPELINE = ("pratique build", "pratique rebuild", "pratique scan")


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One code that stands in the way, with all its findings together.

    Attributes:
        code: heading in docs/policy-rules.md.
        title: what would have to hold.
        severity: critical, high, medium or low.
        seen: what was found, one sentence each.
        at: where that is; nothing where it is the artifact as a whole.
        looked_at: the evidence, each as `<short name> <digest>, signed by <who> at <when>`, or why it did
            not count.
        cures: what to do, without repetition.
        waived_by: who accepts it for now: `<person> until <when>: <why>`.
        because: conditions behind it, each as `<file>:<line>: <text> (<held, or not met>)`, or why
            none is shown.
        tried: changes to the very input under which it would be gone, and what would be left.
    """

    code: str
    title: str
    severity: str
    seen: tuple[str, ...]
    looked_at: tuple[str, ...]
    cures: tuple[str, ...]
    waived_by: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    at: tuple[str, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A decision explained.

    Attributes:
        verdict: one sentence.
        obstacles: what denies, gravest first.
        cautions: what warns.
        waived: what people accept for a while.
        passed: codes that succeeded.
        skipped: `<code>: <why>`.
        next_commands: the fewest commands that make all evidence owed, in the order of the pipeline.
        together: one change for each obstacle, all tried at once; empty where nothing was.
        held_to: organisations' policies that could not be weakened: who signed each, or that nobody did.
    """

    verdict: str
    obstacles: tuple[Obstacle, ...]
    cautions: tuple[Obstacle, ...]
    waived: tuple[Obstacle, ...]
    passed: tuple[str, ...]
    skipped: tuple[str, ...]
    next_commands: tuple[str, ...]
    together: str = ""
    held_to: tuple[str, ...] = ()


def explain(decision: Decision) -> Explanation:
    """Put a decision into words; pure, and reads nothing but the decision."""
    obstacles = _obstacles(decision, Status.ERROR, Status.VIOLATION)
    cautions = _obstacles(decision, Status.WARNING)
    passed = decision.with_status(Status.SUCCESS)
    return Explanation(
        verdict=_verdict(decision, len(obstacles), len(cautions)),
        obstacles=obstacles,
        cautions=cautions,
        waived=_obstacles(decision, Status.WAIVED),
        passed=tuple(result.code for result in passed),
        skipped=tuple(f"{result.code}: {result.msg}" for result in decision.with_status(Status.SKIPPED)),
        next_commands=_next_commands(obstacles),
        held_to=tuple(str(organisation) for organisation in decision.organisations),
    )


def render(explanation: Explanation) -> str:
    """Write an explanation as plain text, wrapped by whoever shows it."""
    lines = [explanation.verdict, *(f"held to the policy of {text}" for text in explanation.held_to)]
    groups = (
        ("refused", explanation.obstacles),
        ("waived", explanation.waived),
        ("caution", explanation.cautions),
    )
    for word, group in groups:
        for obstacle in group:
            lines += ["", f"{word}: {obstacle.code} ({obstacle.severity}): {obstacle.title}"]
            lines += [f"  seen:      {text}" for text in obstacle.seen]
            lines += [f"  at:        {text}" for text in obstacle.at]
            lines += [f"  looked at: {text}" for text in obstacle.looked_at]
            lines += [f"  because:   {text}" for text in obstacle.because]
            lines += [f"  cure:      {text}" for text in obstacle.cures]
            lines += [f"  tried:     {text}" for text in obstacle.tried]
            lines += [f"  by:        {text}" for text in obstacle.waived_by]
    if explanation.passed:
        lines += ["", f"passed: {', '.join(explanation.passed)}"]
    lines += [f"skipped: {text}" for text in _by_reason(explanation.skipped)]
    if explanation.together:
        lines += ["", f"tried together: {explanation.together}"]
    if explanation.next_commands:
        lines += ["", f"next: {' && '.join(explanation.next_commands)}"]
    return "\n".join(lines) + "\n"


def result_lines(decision: Decision) -> tuple[str, ...]:
    """Give a line for each result, but one for all that passed, and one for each reason to skip."""
    quiet = (Status.SUCCESS, Status.SKIPPED)
    lines = [
        f"{result.status.value:<9} {result.code}{f': {result.msg}' if result.msg else ''}"
        for result in decision.results
        if result.status not in quiet
    ]
    passed = dict.fromkeys(result.code for result in decision.with_status(Status.SUCCESS))
    lines += [f"{'success':<9} {', '.join(passed)}"] if passed else []
    skipped = (f"{result.code}: {result.msg}" for result in decision.with_status(Status.SKIPPED))
    return (*lines, *(f"{'skipped':<9} {text}" for text in _by_reason(skipped)))


def _by_reason(skipped: Iterable[str]) -> list[str]:
    """Put codes that were skipped for one reason, each as `<code>: <why>`, together."""
    codes: dict[str, list[str]] = {}
    for text in skipped:
        code, _, why = text.partition(": ")
        codes.setdefault(why, []).append(code)
    return [f"{why}: {', '.join(dict.fromkeys(found))}" for why, found in codes.items()]


def rule_by_rule(decision: Decision) -> tuple[Obstacle, ...]:
    """Say of each code that passed or was skipped what it stands for, and what was looked at."""
    return _obstacles(decision, Status.SUCCESS, Status.SKIPPED)


def render_rule(decision: Decision, rule: Obstacle) -> str:
    """Write one rule that passed or was skipped as plain text."""
    status = next(result.status.value for result in decision.results if result.code == rule.code)
    lines = [f"{status}: {rule.code} ({rule.severity}): {rule.title}"]
    lines += [f"  seen:      {text}" for text in rule.seen if text]
    lines += [f"  looked at: {text}" for text in rule.looked_at]
    return "\n".join(lines) + "\n"


def waiver_line(waiver: WaiverUsed) -> str:
    """Say who waived something, until when and why."""
    ticket = f" ({waiver.ticket})" if waiver.ticket else ""
    return f"{waiver.person} until {waiver.not_after}: {waiver.reason}{ticket}"


def waived_lines(finding: Finding) -> tuple[str, ...]:
    """Say who lets a waived violation pass: people, or the rules of its own source."""
    lines = tuple(waiver_line(waiver) for waiver in finding.waivers)
    return (*lines, finding.excepted) if finding.excepted else lines


def _verdict(decision: Decision, obstacles: int, cautions: int) -> str:
    artifact = f"{decision.name} {decision.subject.short}".strip()
    by = f"policy {decision.policy.short} at {decision.effective_time}"
    if decision.allowed:
        waived = len(decision.with_status(Status.WAIVED))
        accepted = f", and {waived} violations waived" if waived else ""
        return f"{artifact} passes {by}, with {cautions} cautions{accepted}"
    mode = decision.mode.value
    acted = "" if mode == "enforce" else f", which is recorded and not enforced (mode {mode})"
    return f"{artifact} is refused by {by} for {obstacles} reasons{acted}"


def _obstacles(decision: Decision, *statuses: Status) -> tuple[Obstacle, ...]:
    by_code: dict[str, list[Finding]] = {}
    for result in decision.with_status(*statuses):
        by_code.setdefault(result.code, []).append(result)
    described = _described(decision)
    found = [
        Obstacle(
            code=code,
            title=results[0].title,
            severity=results[0].severity,
            seen=_once(result.msg for result in results),
            looked_at=_once(
                described.get(digest, digest) for result in results for digest in result.evidence
            ),
            cures=_once(result.solution for result in results if result.solution),
            at=_once(str(place) for result in results for place in result.locations),
            waived_by=_once(line for result in results for line in waived_lines(result)),
        )
        for code, results in by_code.items()
    ]
    ranks = ("critical", "high", "medium", "low")
    return tuple(sorted(found, key=lambda item: ranks.index(item.severity) if item.severity in ranks else 1))


def _described(decision: Decision) -> dict[str, str]:
    texts = {
        item.digest: (
            f"{short_name(item.predicate_type)} {item.digest}, signed by {item.signer} at {item.signed_at}"
        )
        for item in decision.inputs
    }
    for refused in (*decision.set_aside, *decision.rejected):
        texts.setdefault(
            refused.digest, f"{short_name(refused.predicate_type)} {refused.digest}, which does not count"
        )
    return texts


def _next_commands(obstacles: tuple[Obstacle, ...]) -> tuple[str, ...]:
    """Collect the commands for what is owed; what comes later in the pipeline is about what comes earlier."""
    wanted = {
        command
        for obstacle in obstacles
        if obstacle.code.startswith("evidence.")
        for cure in obstacle.cures
        if (command := cure.removeprefix("Make it with: ")) != cure
    }
    known = [command for command in _PIPELINE if command in wanted]
    return tuple(known + sorted(wanted - set(_PIPELINE)))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
