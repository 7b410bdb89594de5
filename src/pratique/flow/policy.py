"""The policy in force for a project: the shipped one, with the project's data and rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.policy.bundle import PolicyBundle, shipped_bundle

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


def policy_of(workspace: Workspace, project: Project) -> PolicyBundle:
    """Load the policy that a project's artifacts are judged by.

    Raises:
        ConfigError: the project's data or rules do not hold up.
    """
    policy = project.config.policy
    return shipped_bundle(
        data=policy.data,
        requirements={"trust_domain": workspace.authority.trust_domain},
        rules=project.path(policy.rules) if policy.rules else None,
    )
