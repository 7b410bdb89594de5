"""The policy in force for a project: a shipped profile with the project's additions, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pratique.policy.bundle import PolicyBundle, load_bundle
from pratique.policy.shipped import DEFAULT_PROFILE, shipped_bundle

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace


def policy_of(workspace: Workspace, project: Project) -> PolicyBundle:
    """Load the policy that a project's artifacts are judged by.

    Raises:
        ConfigError: the project's data or rules do not hold up.
    """
    policy = project.config.policy
    if policy.folder:
        return load_bundle(project.path(policy.folder))
    return shipped_bundle(
        policy.profile or DEFAULT_PROFILE,
        data=policy.data,
        requirements={"trust_domain": workspace.authority.trust_domain},
        rules=project.path(policy.rules) if policy.rules else None,
    )
