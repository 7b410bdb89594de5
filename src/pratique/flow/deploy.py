"""Deploy what policy lets pass and enough people have agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.deploy.consent import verify_consent
from pratique.errors import PolicyRefusedError
from pratique.flow.consent import consent_to, person_of, propose, void_reason
from pratique.flow.deployments import environment_of
from pratique.flow.gate import gate
from pratique.flow.progress import Outcome
from pratique.flow.rollout import Basis, Deployed, carry_out

if TYPE_CHECKING:
    from pratique.flow.artifact import Artifact
    from pratique.flow.config import Project
    from pratique.flow.consent import Proposal
    from pratique.flow.workspace import Workspace
    from pratique.ledger.fold import Step
    from pratique.model.digest import Digest


def gate_and_deploy(
    workspace: Workspace, project: Project, environment: str | None, artifact: Artifact
) -> Deployed:
    """Deploy an artifact of whatever age, if policy lets it pass now and enough people have agreed to that.

    Raises:
        PolicyRefusedError: policy refuses it.
        AwaitingApprovalError, InfrastructureError: as `deploy`.
    """
    decided = gate(workspace, project, artifact)
    if not decided.decision.allowed:
        raise PolicyRefusedError(
            f"{artifact.name} {artifact.digest.short} is not deployed: policy refuses it",
            hint=f"pratique explain {artifact.digest}",
        )
    return deploy(workspace, propose(workspace, project, environment, artifact, decided.evidence))


def deploy(workspace: Workspace, proposal: Proposal) -> Deployed:
    """Deploy what enough people have agreed to.

    Where exactly this plan is live already, nobody is asked again: new evidence and a new decision that lets
    it pass change nothing there. A service that was stopped is started again.

    Raises:
        AwaitingApprovalError: approvals are owed; the message says whose.
        InfrastructureError: it did not become healthy; what ran before was put back.
    """
    workspace.progress.begin("approvals", proposal.environment)
    consent = consent_to(workspace, proposal)
    approvers = ", ".join(sorted(ballot.approval.person for ballot in consent.counted))
    if not consent.quorum.met and (live := _live_already(workspace, proposal)):
        people = ", ".join(sorted(person_of(workspace, approval) for approval in live.approvals))
        workspace.progress.end(Outcome.REUSED, f"live already, approved by {people}")
        return carry_out(workspace, Basis(proposal.plan, proposal.artifact, live.decision, live.approvals))
    if not consent.quorum.met:
        missing = "; ".join(str(item) for item in consent.quorum.missing)
        workspace.progress.end(Outcome.WAITING, f"{approvers or 'nobody'} so far; missing: {missing}")
        verify_consent(consent, environment=proposal.environment)
    workspace.progress.end(Outcome.DONE, approvers)
    approvals = _agreed_before(workspace, proposal, consent.approvals) or consent.approvals
    return carry_out(workspace, Basis(proposal.plan, proposal.artifact, proposal.decision, approvals))


def _agreed_before(
    workspace: Workspace, proposal: Proposal, counted: tuple[Digest, ...]
) -> tuple[Digest, ...]:
    """Give the approvals of this deployment if it has begun on them: one more approval makes no new one.

    If one of them does not count any more, the deployment is another one, on the approvals that do.
    """
    for newest in environment_of(workspace, proposal.environment).history[-1:]:
        if (newest.plan, newest.decision) == (proposal.plan.digest, proposal.decision):
            return newest.approvals if set(newest.approvals) <= set(counted) else ()
    return ()


def _live_already(workspace: Workspace, proposal: Proposal) -> Step | None:
    """Give the newest record if it says that this very plan is live, on approvals that still verify."""
    for newest in environment_of(workspace, proposal.environment).history[-1:]:
        if newest.phase == "live" and newest.plan == proposal.plan.digest:
            return None if void_reason(workspace, newest.approvals) else newest
    return None
