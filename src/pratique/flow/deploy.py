"""Deploy an approved artifact, and return to an earlier one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.deploy.consent import verify_consent
from pratique.deploy.machine import Deployment, Event, GatePassed, QuorumMet, RolloutBegan, replay
from pratique.deploy.plan import deployment_id, make_plan
from pratique.deploy.record import Grounds, make_record
from pratique.deploy.rollout import Facts, roll_out
from pratique.deploy.target.directory import DirectoryTarget
from pratique.errors import InfrastructureError, PolicyRefusedError, UsageError
from pratique.flow.artifact import Artifact, artifact_file, find_artifact
from pratique.flow.consent import Proposal, consent_to, environment_path, qualified, requester
from pratique.flow.deployments import environment_of
from pratique.flow.gate import gate
from pratique.flow.progress import Outcome
from pratique.flow.scan import scan
from pratique.model import predicate
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.deploy.plan import DeploymentPlan
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.ledger.fold import Environment, Step
    from pratique.model.digest import Digest

Phase = Literal["rolling-out", "live", "failed"]


class Basis(msgspec.Struct, frozen=True):
    """What a deployment rests on, and is named after."""

    plan: DeploymentPlan
    artifact: Artifact
    decision: Digest
    approvals: tuple[Digest, ...]

    @property
    def deployment_id(self) -> str:
        """The same for every run of the same deployment."""
        return deployment_id(self.plan.digest, self.decision, self.approvals)

    def state(self, *, begun: bool) -> Deployment:
        """Put the state machine where the journal says that the deployment stands."""
        events: list[Event] = [GatePassed(self.decision), QuorumMet(self.approvals)]
        return replay([*events, RolloutBegan()] if begun else events)


class Deployed(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment that is live, and what it rests on."""

    environment: str
    artifact: Artifact
    deployment: str
    evidence: Digest
    decision: Digest
    approvers: str
    url: str = ""

    def body(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "environment": self.environment,
            "artifact": {"name": self.artifact.name, "digest": str(self.artifact.digest)},
            "deploymentId": self.deployment,
            "evidence": str(self.evidence),
            "decision": str(self.decision),
            "approvers": self.approvers,
            "url": self.url,
        }


def deploy(workspace: Workspace, proposal: Proposal) -> Deployed:
    """Deploy what enough people have agreed to.

    Raises:
        AwaitingApprovalError: approvals are owed; the message says whose.
        InfrastructureError: it did not become healthy; what ran before was put back.
    """
    workspace.progress.begin("approvals", proposal.environment)
    consent = consent_to(workspace, proposal)
    approvers = ", ".join(sorted(ballot.approval.person for ballot in consent.counted))
    if not consent.quorum.met:
        missing = "; ".join(str(item) for item in consent.quorum.missing)
        workspace.progress.end(Outcome.WAITING, f"{approvers or 'nobody'} so far; missing: {missing}")
        verify_consent(consent, environment=proposal.environment)
    workspace.progress.end(Outcome.DONE, approvers)
    approvals = _agreed_before(workspace, proposal) or consent.approvals
    return _roll_out(workspace, Basis(proposal.plan, proposal.artifact, proposal.decision, approvals))


def rollback(workspace: Workspace, project: Project, environment: str | None, to: Digest | None) -> Deployed:
    """Return an environment to an artifact that was live there before, under today's policy.

    The approvals it went live with hold; its components are matched against today's advisories and policy is
    evaluated now, and a refusal stands.

    Args:
        workspace: the state directory.
        project: whose environment.
        environment: which; may be left out where there is only one.
        to: the artifact to return to; by default the one that was live before the current one.

    Raises:
        UsageError: there is nothing to return to.
        PolicyRefusedError: today's policy refuses it.
        InfrastructureError: it did not become healthy.
    """
    name, config = project.environment(environment)
    environment = qualified(project, name)
    earlier = _returnable(environment_of(workspace, environment), to)
    artifact = find_artifact(workspace, project, str(earlier.artifact))
    scan(workspace, project, artifact)
    decided = gate(workspace, project, artifact)
    if not decided.decision.allowed:
        raise PolicyRefusedError(
            f"{artifact.name} {artifact.digest.short} was live in {environment}; today's policy refuses it",
            hint=f"pratique explain {artifact.digest}",
        )
    plan = make_plan(
        environment=environment,
        path=environment_path(workspace, config),
        artifact_name=artifact.name,
        artifact=artifact.digest,
        action="rollback",
        service=config.service,
    )
    return _roll_out(workspace, Basis(plan, artifact, decided.evidence, earlier.approvals))


def _returnable(environment: Environment, to: Digest | None) -> Step:
    """Find the record to return to: of what went live before what is live now."""
    live = [step for step in environment.history if step.phase == "live"]
    if not live:
        raise UsageError(f"nothing was ever live in {environment.name}", hint="pratique ship")
    current = live[-1].artifact
    for step in reversed(live):
        if step.artifact == to or (to is None and step.artifact != current):
            return step
    what = f"{to} was never live" if to else f"nothing but {current.short} was ever live"
    raise UsageError(f"{what} in {environment.name}", hint="pratique status shows what was")


def _agreed_before(workspace: Workspace, proposal: Proposal) -> tuple[Digest, ...]:
    """Give the approvals of this deployment if it has begun: one more approval makes no new one."""
    for newest in environment_of(workspace, proposal.environment).history[-1:]:
        if (newest.plan, newest.decision) == (proposal.plan.digest, proposal.decision):
            return newest.approvals
    return ()


def _roll_out(workspace: Workspace, basis: Basis) -> Deployed:
    plan, artifact = basis.plan, basis.artifact
    workspace.progress.begin("deploy", f"{artifact.name} to {plan.environment}")
    workspace.blobs.put(plan.encode())
    recorder = _Recorder(workspace, basis)
    with artifact_file(workspace, artifact) as path:
        outcome = roll_out(
            basis.state(begun=recorder.begun),
            plan,
            deployment_id=basis.deployment_id,
            artifact=path,
            target=DirectoryTarget(Path(plan.path)),
            record=recorder,
        )
    if outcome.phase == "failed":
        workspace.progress.end(Outcome.REFUSED, f"FAILED: {outcome.facts.reason}")
        serving = outcome.facts.serving
        left = f"serves {serving.short} again" if serving else "is left empty"
        raise InfrastructureError(
            f"{artifact.name} {artifact.digest.short} did not go live: {outcome.facts.reason};"
            f" {plan.environment} {left}",
            hint=f"see the service's log below {plan.path}/.pratique",
        )
    url = outcome.facts.health.url if outcome.facts.health else ""
    healthy = f", healthy at {url}" if url else ""
    workspace.progress.end(Outcome.DONE, f"{artifact.digest.short} live in {plan.environment}{healthy}")
    return Deployed(
        environment=plan.environment,
        artifact=artifact,
        deployment=basis.deployment_id,
        evidence=recorder.newest_evidence(),
        decision=basis.decision,
        approvers=", ".join(sorted(_person(workspace, approval) for approval in basis.approvals)),
        url=url,
    )


def _person(workspace: Workspace, approval: Digest) -> str:
    return str(workspace.verify(approval).statement.predicate["person"])


class _Recorder:
    """Journals the phases of one deployment; what the newest record says already is not said twice."""

    def __init__(self, workspace: Workspace, basis: Basis) -> None:
        self._workspace = workspace
        self._basis = basis
        newest = environment_of(workspace, basis.plan.environment).history[-1:]
        same = [step for step in newest if step.deployment == basis.deployment_id]
        self._known = same[0].phase if same else None
        self._grounds = Grounds(
            deployment_id=basis.deployment_id,
            requester=requester(),
            decision=basis.decision,
            approvals=basis.approvals,
            started_on=same[0].signed_at if same else workspace.clock(),
        )

    @property
    def begun(self) -> bool:
        """Whether the journal says that this deployment has begun, and not that it failed."""
        return self._known in {"rolling-out", "live"}

    def __call__(self, phase: Phase, facts: Facts, /) -> None:
        if phase == self._known or (phase == "rolling-out" and self.begun):
            return
        basis = self._basis
        record = make_record(
            basis.plan,
            self._grounds,
            phase,
            previous=facts.previous,
            content=facts.content,
            health=facts.health,
            finished_on=None if phase == "rolling-out" else self._workspace.clock(),
            reason=facts.reason,
            serving=facts.serving,
        )
        subject = Subject(basis.artifact.name, basis.artifact.digest.digest_set)
        self._workspace.record("deployer", predicate.DEPLOYMENT, record.to_predicate(), [subject])

    def newest_evidence(self) -> Digest:
        """Give the evidence digest of the environment's newest record, which is this deployment's."""
        return environment_of(self._workspace, self._basis.plan.environment).history[-1].evidence
