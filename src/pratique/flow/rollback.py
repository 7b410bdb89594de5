"""Return an environment to an artifact that was live there before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.deploy.plan import make_plan
from pratique.errors import PolicyRefusedError, UsageError
from pratique.flow.artifact import find_artifact
from pratique.flow.consent import environment_path, qualified, void_reason
from pratique.flow.deployments import environment_of, left_at, way_back
from pratique.flow.gate import gate
from pratique.flow.rollout import Basis, Deployed, carry_out
from pratique.flow.scan import scan

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.ledger.fold import Environment, Step
    from pratique.model.digest import Digest


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
    if reason := void_reason(workspace, earlier.approvals):
        raise PolicyRefusedError(
            f"{earlier.artifact} was live in {environment} on an approval that does not hold any more:"
            f" {reason}",
            hint=f"have it approved anew, and then: pratique deploy {earlier.artifact}",
        )
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
        service=config.planned_service(),
    )
    return carry_out(workspace, Basis(plan, artifact, decided.evidence, earlier.approvals))


def _returnable(environment: Environment, to: Digest | None) -> Step:
    """Find the record to return to: of what went live before what is live now."""
    lived = way_back(environment.history)
    if not lived:
        raise UsageError(f"nothing was ever live in {environment.name}", hint="pratique ship")
    current = lived.pop()
    for step in reversed(lived):
        if step.artifact == to or (to is None and step.artifact != current.artifact):
            return step
    if to is None:
        what = f"nothing was live before {current.artifact.short}"
    elif to == current.artifact:
        what = f"{to} is what is live"
    elif left_at(environment.history, to):
        what = f"{to} is what was rolled back from"
    else:
        what = f"{to} was never live"
    raise UsageError(
        f"{what} in {environment.name}",
        hint="to go forward: pratique deploy DIGEST; what was: pratique status",
    )
