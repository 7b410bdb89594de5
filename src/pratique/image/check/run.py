"""Runs every rule over an image. What a rule could not look at is unknown, never a pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, NotApplicableError, Rule, UnknownError
from pratique.image.check.gather import gather
from pratique.image.check.table import RULES
from pratique.model.finding import Finding, Result, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pratique.image.descriptor import Descriptor
    from pratique.image.layout import Layout

MAX_SHOWN: Final = 20


def check_image(layout: Layout, descriptor: Descriptor, now: datetime) -> list[Finding]:
    """Check an image by all rules.

    Args:
        layout: where it is.
        descriptor: its manifest's.
        now: when ends of life are judged.

    Returns:
        At least one finding for each rule, in the rules' order.

    Raises:
        EvidenceInvalidError: its manifest or configuration is missing, damaged or malformed.
    """
    facts = gather(layout, descriptor, now)
    return [finding for rule in RULES for finding in apply_rule(rule, facts)]


def apply_rule(rule: Rule, facts: Facts) -> list[Finding]:
    """Apply one rule; at most `MAX_SHOWN` findings, the last of which says how many there are beyond."""
    try:
        seen = sorted(set(rule.look(facts)))
    except NotApplicableError as reason:
        if not (rule.needs_files and facts.unread):
            return [_finding(rule, Result.NOT_APPLICABLE, detail=str(reason))]
        seen = []
    except UnknownError as reason:
        return [_finding(rule, Result.UNKNOWN, detail=str(reason))]
    findings = [_finding(rule, Result.FAIL, one.location, one.detail) for one in seen[:MAX_SHOWN]]
    if len(seen) > MAX_SHOWN:
        findings.append(_finding(rule, Result.FAIL, "image", f"and {len(seen) - MAX_SHOWN} more"))
    if not findings and rule.needs_files and facts.unread:
        why = "; ".join(f"{one.location}: {one.detail}" for one in facts.unread[:3])
        return [_finding(rule, Result.UNKNOWN, detail=f"not every layer could be read: {why}")]
    return findings or [_finding(rule, Result.PASS)]


def _finding(rule: Rule, result: Result, location: str = "", detail: str = "") -> Finding:
    return Finding(
        id=rule.id,
        result=result,
        severity=rule.severity,
        title=rule.title,
        detail=detail,
        location=location,
        fix=rule.fix if result is Result.FAIL else "",
    )


def is_refused(findings: Iterable[Finding]) -> bool:
    """Say whether a critical or high finding failed."""
    return any(one.result is Result.FAIL and one.severity.rank <= Severity.HIGH.rank for one in findings)


def is_unknown(findings: Sequence[Finding]) -> bool:
    """Say whether something could not be checked."""
    return any(one.result is Result.UNKNOWN for one in findings)
