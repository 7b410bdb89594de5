"""The runner's posture: measured and journalled before anything of the project's runs."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.model.finding import Result, Severity
from pratique.runner.posture import Posture, measure
from pratique.runner.posture import predicate as posture_predicate
from pratique.runner.probe import Probe
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.workspace import Workspace
    from pratique.model.clock import Clock
    from pratique.model.digest import Digest
    from pratique.runner.check import Profile


def check_runner(
    clock: Clock, folder: Path, *, profile: Profile | None = None, invocation: str = ""
) -> Posture:
    """Measure this machine; nothing is changed, nothing is sent anywhere.

    Args:
        clock: the time.
        folder: the project's folder, whose checkout is looked at too.
        profile: judge as this kind of machine instead of the one detected.
        invocation: the build it is measured for.
    """
    probe = Probe.of_this_machine(workspace=folder)
    return measure(probe, profile=profile, clock=clock, invocation_id=invocation, nonce=secrets.token_hex(16))


def record_posture(workspace: Workspace, folder: Path, invocation: str, definition: Digest) -> Digest:
    """Measure the machine for one build and journal it; the provenance will name the evidence digest."""
    workspace.progress.begin("runner", "posture of this machine")
    posture = check_runner(workspace.clock, folder, invocation=invocation)
    subject = Subject(f"build/{invocation}", definition.digest_set)
    recorded = workspace.record("runner", predicate.RUNNER_POSTURE, posture_predicate(posture), [subject])
    workspace.progress.end(Outcome.DONE, posture_line(posture))
    return recorded.digest


def posture_line(posture: Posture) -> str:
    """Put a posture into one line."""
    failed = [item for item in posture.findings if item.result is Result.FAIL]
    critical = [item.id for item in failed if item.severity is Severity.CRITICAL]
    grave = f" ({len(critical)} critical: {', '.join(critical)})" if critical else ""
    return (
        f"{posture.profile.value}: {posture.count(Result.PASS)} checks pass, {len(failed)} fail{grave}, "
        f"{posture.count(Result.UNKNOWN)} unknown"
    )
