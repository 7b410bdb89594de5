"""The runner's posture, measured and journalled around a build, and the baseline it is compared with."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec

from pratique.errors import CouldNotCheckError, EvidenceInvalidError
from pratique.flow.evidence import newest
from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.model.finding import Result, Severity
from pratique.runner.baseline import Baseline, baseline_predicate, parse_baseline, subject_of, take_baseline
from pratique.runner.context import describe
from pratique.runner.posture import Phase, Posture, measure
from pratique.runner.posture import predicate as posture_predicate
from pratique.runner.probe import Probe, UnreadableError
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from pratique.flow.workspace import Workspace
    from pratique.model.clock import Clock
    from pratique.model.digest import Digest
    from pratique.runner.check import Profile

_POSTURES_LOOKED_AT = 8


class Known(msgspec.Struct, frozen=True):
    """A baseline, and the digest of the evidence that it was read from."""

    evidence: Digest
    baseline: Baseline


def check_runner(
    clock: Clock,
    folder: Path,
    *,
    profile: Profile | None = None,
    invocation: str = "",
    known: Known | None = None,
    earlier_build: str = "",
    phase: Phase = "before-build",
) -> Posture:
    """Measure this machine; nothing is changed, nothing is sent anywhere.

    Args:
        clock: the time.
        folder: the project's folder, whose checkout is looked at too.
        profile: judge as this kind of machine instead of the one detected.
        invocation: the build it is measured for.
        known: compare with this baseline.
        earlier_build: a build that evidence shows here since the machine started.
        phase: before the build, or after it.
    """
    probe = msgspec.structs.replace(
        Probe.of_this_machine(workspace=folder, clock=clock),
        baseline=known.baseline if known else None,
        earlier_build=earlier_build,
    )
    return measure(
        probe,
        profile=profile,
        clock=clock,
        invocation_id=invocation,
        nonce=secrets.token_hex(16),
        phase=phase,
        baseline=known.evidence if known else None,
    )


def record_posture(
    workspace: Workspace,
    folder: Path,
    invocation: str,
    definition: Digest,
    *,
    phase: Phase = "before-build",
) -> Digest:
    """Measure the machine for one build and journal it; the provenance will name the evidence digest.

    Where the journal has a baseline of this machine, what changed since is among the findings. The
    measurement after a build has the same subject and invocation as the one before it.
    """
    workspace.progress.begin("runner", "posture of this machine")
    posture = check_runner(
        workspace.clock,
        folder,
        invocation=invocation,
        known=find_baseline(workspace, folder),
        earlier_build=_earlier_build(workspace, folder, invocation),
        phase=phase,
    )
    subject = Subject(f"build/{invocation}", definition.digest_set)
    recorded = workspace.record("runner", predicate.RUNNER_POSTURE, posture_predicate(posture), [subject])
    workspace.progress.end(Outcome.DONE, posture_line(posture))
    return recorded.digest


def record_baseline(workspace: Workspace, folder: Path) -> tuple[Subject, Known]:
    """Record this machine as it is, signed by the role runner; later measurements compare with it.

    Raises:
        CouldNotCheckError: the machine has no identity, or does not let itself be read.
    """
    probe = Probe.of_this_machine(workspace=folder, clock=workspace.clock)
    try:
        name, identity = subject_of(probe)
        baseline = take_baseline(probe)
    except UnreadableError as error:
        raise CouldNotCheckError(
            f"no baseline of this machine: {error}",
            hint="a machine without an id gets one, as root, with: systemd-machine-id-setup",
        ) from error
    subject = Subject(name, identity.digest_set)
    recorded = workspace.record("runner", predicate.RUNNER_BASELINE, baseline_predicate(baseline), [subject])
    return subject, Known(recorded.digest, baseline)


def find_baseline(workspace: Workspace, folder: Path) -> Known | None:
    """Find the newest baseline of this machine that verifies and that the role runner signed.

    Raises:
        EvidenceInvalidError: it has another shape; nothing older takes its place.
    """
    try:
        _, identity = subject_of(Probe.of_this_machine(workspace=folder))
    except UnreadableError:
        return None  # no baseline can have been recorded either
    found = newest(workspace, predicate.RUNNER_BASELINE, "runner", lambda _: True, subject=identity)
    return Known(found.digest, parse_baseline(found.statement.predicate)) if found else None


def _earlier_build(workspace: Workspace, folder: Path, invocation: str) -> str:
    """Find another build that was measured on this machine since it started, among the newest postures."""
    here = describe(Probe.of_this_machine(workspace=folder))
    signer = workspace.authority.signer("runner").identity
    references = workspace.journal.find(predicate_type=predicate.RUNNER_POSTURE)
    for reference in references[:_POSTURES_LOOKED_AT]:
        try:
            item = workspace.verify(reference.digest)
        except EvidenceInvalidError:
            continue
        body, context = item.statement.predicate, item.statement.predicate.get("context")
        same = isinstance(context, dict) and all(
            here[name] != "unknown" and context.get(name) == here[name] for name in ("identity", "boot")
        )
        if same and item.signer == signer and body.get("invocationId") != invocation:
            return str(body.get("invocationId"))[:40]
    return ""


def posture_line(posture: Posture) -> str:
    """Put a posture into one line."""
    failed = [item for item in posture.findings if item.result is Result.FAIL]
    critical = [item.id for item in failed if item.severity is Severity.CRITICAL]
    grave = f" ({len(critical)} critical: {', '.join(critical)})" if critical else ""
    return (
        f"{posture.profile.value}: {posture.count(Result.PASS)} checks pass, {len(failed)} fail{grave}, "
        f"{posture.count(Result.UNKNOWN)} unknown"
    )
