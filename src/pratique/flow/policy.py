"""The policy in force for a project: a shipped profile with the project's additions, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pratique.flow.config import FILE_NAME
from pratique.flow.policy_release import release_in_force
from pratique.policy.bundle import PolicyBundle, load_bundle
from pratique.policy.files import read_data, read_modules
from pratique.policy.settings import merge
from pratique.policy.shipped import DEFAULT_PROFILE, shipped_bundle
from pratique.policy.sources import CONFIGURED, Source, parse_source
from pratique.policy.suite.source import load_source

if TYPE_CHECKING:
    from pratique.flow.config import PolicySourceConfig, Project
    from pratique.flow.workspace import Workspace


def policy_of(workspace: Workspace, project: Project) -> PolicyBundle:
    """Load the policy that a project's artifacts are judged by.

    Raises:
        ConfigError: the project's data or rules do not hold up.
        EvidenceInvalidError: the project's bundle is unsigned, expired, or not the one it pins.
    """
    policy = project.config.policy
    if policy.bundle:
        return release_in_force(workspace, project, policy.bundle).bundle
    sources = [_source(project, config) for config in policy.source]
    if policy.folder:
        return load_bundle(project.path(policy.folder), sources)
    profile, trust_domain = policy.profile or DEFAULT_PROFILE, workspace.authority.trust_domain
    if policy.rules:
        rules = project.path(policy.rules)
        return load_source(
            rules, profile=profile, trust_domain=trust_domain, data=policy.data, sources=sources
        )
    return shipped_bundle(
        profile, data=policy.data, requirements={"trust_domain": trust_domain}, sources=sources
    )


def policy_notice(workspace: Workspace, project: Project) -> str:
    """Say so when the policy in force is about to expire; nothing otherwise.

    Raises:
        EvidenceInvalidError: as `policy_of`.
    """
    bundle = project.config.policy.bundle
    if bundle is None:
        return ""
    return release_in_force(workspace, project, bundle).release.notice(workspace.clock())


def _source(project: Project, config: PolicySourceConfig) -> Source:
    """Read one of the project's sources (I/O)."""
    path = project.path(config.path)
    data = read_data(project.path(item) for item in config.data)
    if config.rule_data:
        data = merge(data, {CONFIGURED: config.rule_data})
    table = msgspec.to_builtins(config) | {
        "name": config.name or path.name.removesuffix(".rego").lower(),
        "modules": read_modules(path),
        "data": data,
    }
    del table["path"], table["rule_data"]
    return parse_source(table, what=FILE_NAME)
