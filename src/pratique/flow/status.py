"""What runs where, whether it is still what was put there, and what a deployment waits for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pratique.deploy.target.directory import DirectoryTarget
from pratique.deploy.target.service import ServiceHost
from pratique.errors import PratiqueError
from pratique.flow.artifact import artifacts_of
from pratique.flow.consent import consent_to, environment_path, person_of, propose, qualified
from pratique.flow.deployments import environment_of, ledger_of
from pratique.ledger.drift import Drift, NotSeen, Seen, compare
from pratique.ledger.fold import where

if TYPE_CHECKING:
    from pratique.flow.config import Project
    from pratique.flow.environment_config import ServiceConfig
    from pratique.flow.workspace import Workspace
    from pratique.ledger.fold import Environment, Serving
    from pratique.model.digest import Digest


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """One environment now.

    Attributes:
        environment: as recorded; its history and what is live.
        drift: what is there, compared with the records.
        approvers: who agreed to what is live.
        pending: the newest build, where it is not what is live.
        waiting_for: what that build still needs; empty where it could be shipped.
    """

    environment: Environment
    drift: Drift
    approvers: tuple[str, ...]
    pending: Digest | None
    waiting_for: str


def status(workspace: Workspace, project: Project, environment: str | None) -> Status:
    """Tell how one environment is, by the records and by looking.

    Raises:
        ConfigError: no such environment.
    """
    name, config = project.environment(environment)
    recorded = environment_of(workspace, qualified(project, name))
    live = recorded.live
    approvers = [person_of(workspace, item) for item in live.by.approvals] if live else []
    pending, waiting_for = _pending(workspace, project, name, live.artifact if live else None)
    return Status(
        environment=recorded,
        drift=compare(_look(Path(environment_path(workspace, config)), config.service), recorded),
        approvers=tuple(sorted(approvers)),
        pending=pending,
        waiting_for=waiting_for,
    )


def where_is(workspace: Workspace, artifact: Digest) -> tuple[Serving, ...]:
    """Tell where an artifact is live, in any project of this journal."""
    return where(ledger_of(workspace), artifact)


def stop_service(workspace: Workspace, project: Project, environment: str | None) -> str:
    """Stop an environment's service; what is deployed stays in place. Gives the environment's name.

    Raises:
        InfrastructureError: it does not end.
    """
    name, config = project.environment(environment)
    target = DirectoryTarget(Path(environment_path(workspace, config)))
    with target.locked():
        ServiceHost(target.state).stop()
    return qualified(project, name)


def _look(path: Path, service: ServiceConfig | None) -> Seen | NotSeen:
    target = DirectoryTarget(path)
    try:
        found = target.inspect()
        problems = list(found.problems)
        if service and found.current and ServiceHost(target.state).running() is None:
            problems.append("its service is not running")
    except PratiqueError as error:
        return NotSeen(error.message)
    return Seen(artifact=found.current, content=found.content, problems=tuple(problems))


def _pending(
    workspace: Workspace, project: Project, environment: str, live: Digest | None
) -> tuple[Digest | None, str]:
    """Say what the newest build waits for, if it is not what is live."""
    newest = artifacts_of(workspace, project)[:1]
    if not newest or newest[0].digest == live:
        return None, ""
    try:
        consent = consent_to(workspace, propose(workspace, project, environment, newest[0]))
    except PratiqueError as error:
        return newest[0].digest, error.message
    missing = "; ".join(str(item) for item in consent.quorum.missing)
    return newest[0].digest, missing
