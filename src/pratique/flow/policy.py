"""The policy in force for a project: a shipped profile with the project's additions, or its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.flow.config import FILE_NAME
from pratique.flow.organisation import load_organisation
from pratique.flow.policy_release import release_in_force
from pratique.policy.bundle import PolicyBundle, load_bundle
from pratique.policy.engine.choose import engine_named
from pratique.policy.files import read_data, read_modules
from pratique.policy.organisation import Organisation, verify_held
from pratique.policy.settings import merge
from pratique.policy.shipped import DEFAULT_PROFILE, PROFILES, Profile, shipped_bundle
from pratique.policy.sources import CONFIGURED, Source, parse_source
from pratique.policy.suite.source import load_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pratique.flow.config import PolicySourceConfig, Project
    from pratique.flow.workspace import Workspace
    from pratique.policy.engine.port import Engine

ORGANISATION_FILE: Final = "organisation.toml"
_URI: Final = "https://pratique.dev/policy/"


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """The policy that a project's artifacts are judged by.

    Attributes:
        bundle: the policy.
        organisations: whose policies it was held to.
        uri: names it as a verification summary does, beside its digest. A released one is named by its
            publisher's name and version; what a project adds to the shipped one shows in the digest alone.
        notice: what people should know: that it is about to expire, or an organisation's is unsigned.
    """

    bundle: PolicyBundle
    organisations: tuple[Organisation, ...]
    uri: str
    notice: str


def policy_in_force(workspace: Workspace, project: Project) -> InForce:
    """Load the policy that a project's artifacts are judged by (I/O).

    Raises:
        ConfigError: the project's data or rules do not hold up, or would weaken an organisation's policy.
        EvidenceInvalidError: the project's bundle is unsigned, expired, or not the one it pins.
    """
    policy, now = project.config.policy, workspace.clock()
    organisations = organisations_of(workspace, project)
    profile: Profile = policy.profile or DEFAULT_PROFILE
    for organisation in organisations:
        profile = max(profile, organisation.least_profile(policy.profile), key=PROFILES.index)
    release = release_in_force(workspace, project, policy.bundle) if policy.bundle else None
    bundle = release.content if release else _configured(workspace, project, profile, organisations)
    assert isinstance(bundle, PolicyBundle)  # noqa: S101 - as `release_pinned` saw to
    for organisation in organisations:
        verify_held(organisation, bundle, profile=profile, trust_domain=workspace.authority.trust_domain)
    own = f"bundle/{release.release.name}@{release.release.version}" if release else ""
    notices = [release.release.notice(now)] if release else []
    notices += [organisation.notice(now) for organisation in organisations]
    return InForce(
        bundle=bundle,
        organisations=organisations,
        uri=_URI + (own or ("own" if policy.folder else "shipped")),
        notice="; ".join(notice for notice in notices if notice),
    )


def policy_of(workspace: Workspace, project: Project) -> PolicyBundle:
    """Load the policy itself; see `policy_in_force`."""
    return policy_in_force(workspace, project).bundle


def organisations_of(workspace: Workspace, project: Project) -> tuple[Organisation, ...]:
    """Load the organisations' policies that hold for a project; all of them hold.

    One may be set for all work (`Workspace.organisation`), one in the state directory (`organisation.toml`),
    one by the project itself.

    Each file is the policy, or pins a release of it (`flow.organisation`).

    Raises:
        ConfigError: one is missing, though it is named, or does not hold up.
        EvidenceInvalidError: a release that one pins is unsigned, expired, or not the one.
    """
    own = project.config.policy.organisation
    named = [workspace.organisation] if workspace.organisation else []
    named += [path for path in (workspace.home / ORGANISATION_FILE,) if path.exists()]
    named += [project.path(own)] if own else []
    found = {path.resolve(): load_organisation(workspace, path) for path in named}
    return tuple(found.values())


def _configured(
    workspace: Workspace, project: Project, profile: Profile, organisations: Iterable[Organisation]
) -> PolicyBundle:
    """Load what the project's file means, over what the organisations ask."""
    policy = project.config.policy
    sources = [_source(project, config) for config in policy.source]
    if policy.folder:
        return load_bundle(project.path(policy.folder), sources)
    data: dict[str, Any] = {}
    requirements: dict[str, Any] = {}
    for organisation in organisations:
        data, requirements = merge(data, organisation.data), merge(requirements, organisation.trust)
    data, requirements = merge(data, policy.data), merge(requirements, policy.trust)
    requirements |= {"trust_domain": workspace.authority.trust_domain}
    requirements |= {"mode": policy.mode} if policy.mode else {}
    if policy.rules:
        rules = project.path(policy.rules)
        return load_source(rules, profile=profile, requirements=requirements, data=data, sources=sources)
    return shipped_bundle(profile, data=data, requirements=requirements, sources=sources)


def engine_of(project: Project | None) -> Engine:
    """Make the engine that evaluates a project's rules; the default one where there is no project.

    Whatever decides, or decides again, takes its engine from here. What reads which lines were reached
    (tests, explanations) needs the default engine, and `verify_audit` the one that the auditor names.

    Raises:
        ConfigError: it needs a program that is not there.
    """
    if project is None:
        return engine_named("regorus")
    policy = project.config.policy
    return engine_named(policy.engine, opa=policy.opa)


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
