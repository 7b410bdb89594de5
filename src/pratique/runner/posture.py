"""Measure the machine, and say it as a runner-posture predicate (docs/spec/runner-posture.md)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.model.clock import format_time
from pratique.model.finding import Finding, Result
from pratique.runner.context import describe, detect_profile
from pratique.runner.table import CHECKS

if TYPE_CHECKING:
    from datetime import datetime

    from pratique.model.clock import Clock
    from pratique.model.digest import Digest
    from pratique.runner.check import Profile
    from pratique.runner.probe import Probe


Phase = Literal["before-build", "after-build"]


class Posture(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen, when, for which build; `baseline` is the evidence that it was compared with."""

    profile: Profile
    findings: tuple[Finding, ...]
    context: dict[str, str]
    measured_at: datetime
    invocation_id: str
    nonce: str
    phase: Phase = "before-build"
    baseline: Digest | None = None

    def count(self, result: Result) -> int:
        """Tell how many checks came to a result."""
        return sum(1 for finding in self.findings if finding.result is result)


def measure(
    probe: Probe,
    *,
    profile: Profile | None = None,
    clock: Clock,
    invocation_id: str,
    nonce: str,
    phase: Phase = "before-build",
    baseline: Digest | None = None,
) -> Posture:
    """Run every check.

    Args:
        probe: the machine.
        profile: judge as this kind of machine; detected when not given, and stated beside it either way.
        clock: gives the time of measurement.
        invocation_id: the build that this is measured for.
        nonce: fresh random text from whoever started the build, so that an old measurement cannot be reused.
        phase: before anything of the project runs, or once its build is over.
        baseline: digest of the evidence that `probe.baseline` was read from.
    """
    chosen = profile or detect_profile(probe)
    return Posture(
        profile=chosen,
        findings=tuple(check.run(probe, chosen) for check in CHECKS),
        context=describe(probe),
        measured_at=clock(),
        invocation_id=invocation_id,
        nonce=nonce,
        phase=phase,
        baseline=baseline,
    )


def predicate(posture: Posture) -> dict[str, Any]:
    """Write a posture as the predicate of a runner-posture/v1 statement."""
    counts = Counter(finding.result for finding in posture.findings)
    compared = {"baseline": {"digest": posture.baseline.digest_set}} if posture.baseline else {}
    return {
        "phase": posture.phase,
        "profile": posture.profile.value,
        "measuredAt": format_time(posture.measured_at),
        "invocationId": posture.invocation_id,
        "nonce": posture.nonce,
        "context": posture.context,
        "checks": [msgspec.to_builtins(finding) for finding in posture.findings],
        "summary": {
            "pass": counts[Result.PASS],
            "fail": counts[Result.FAIL],
            "notApplicable": counts[Result.NOT_APPLICABLE],
            "unknown": counts[Result.UNKNOWN],
        },
        **compared,
    }
