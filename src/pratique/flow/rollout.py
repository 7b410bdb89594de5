"""Carry out one deployment or roll-back, and journal its phases under what it rests on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from pratique.deploy.machine import Deployment, Event, GatePassed, QuorumMet, RolloutBegan, replay
from pratique.deploy.plan import DeploymentPlan, deployment_id
from pratique.deploy.record import Grounds, make_record
from pratique.deploy.rollout import Facts, roll_out
from pratique.deploy.target.directory import DirectoryTarget
from pratique.errors import InfrastructureError, UsageError
from pratique.flow.artifact import Artifact, artifact_file
from pratique.flow.consent import person_of, requester
from pratique.flow.deployments import environment_of, ledger_of
from pratique.flow.progress import Outcome
from pratique.model import predicate
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pratique.flow.workspace import Workspace
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


def carry_out(workspace: Workspace, basis: Basis) -> Deployed:
    """Bring a deployment to its end, from wherever an earlier run left it.

    Raises:
        InfrastructureError: it did not become healthy; what served before was put back.
        UsageError: the environment's directory holds something that is not ours.
    """
    plan, artifact = basis.plan, basis.artifact
    _refuse_occupied(workspace, plan)
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
        approvers=", ".join(sorted(person_of(workspace, approval) for approval in basis.approvals)),
        url=url,
    )


def _refuse_occupied(workspace: Workspace, plan: DeploymentPlan) -> None:
    """Keep two projects of one state directory from deploying over each other."""
    for other in ledger_of(workspace).values():
        if other.name != plan.environment and other.live and other.live.by.path == plan.path:
            raise UsageError(
                f"{plan.path} is where {other.name} is deployed, so {plan.environment} cannot be",
                hint="give each environment a path of its own in pratique.toml",
            )


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
        self._known = phase

    def newest_evidence(self) -> Digest:
        """Give the evidence digest of the environment's newest record, which is this deployment's."""
        return environment_of(self._workspace, self._basis.plan.environment).history[-1].evidence
